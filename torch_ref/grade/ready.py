"""What the process does once from which all others are forked: import everything, load once, and keep it all shared."""

from __future__ import annotations

import gc

import torch

from torch_ref.grade import worker
from torch_ref.grade.messages import packed, unpacked

__all__ = ["worker"]

unpacked(packed({"tensor": torch.zeros(1)}))
gc.freeze()  # a collection in a forked process would touch, and so copy, all that torch has in memory
