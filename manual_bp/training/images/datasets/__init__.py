"""The data sets that others published, by name, as tensors in memory: start reading with ``loading``."""

from manual_bp.training.images.datasets.loading import NAMES, checksum, load
from manual_bp.training.images.datasets.resizing import resized

__all__ = ["NAMES", "checksum", "load", "resized"]
