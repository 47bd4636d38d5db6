"""What the first process does once: import everything. All others are forked from it and share its memory."""

from __future__ import annotations

import gc

import torch

from torch_ref.grade import worker
from torch_ref.grade.messages import packed, unpacked

__all__ = ["worker"]

unpacked(packed({"tensor": torch.zeros(1)}))
gc.freeze()  # a collection in a forked process would touch, and so copy, all that torch has in memory
