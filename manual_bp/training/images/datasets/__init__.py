"""Data sets by name, as tensors in memory: published ones, and pictures of one's own. Begin with ``loading``."""

from manual_bp.training.images.datasets.folder import read_plain
from manual_bp.training.images.datasets.loading import NAMES, checksum, load
from manual_bp.training.images.datasets.resizing import resized

__all__ = ["NAMES", "checksum", "load", "read_plain", "resized"]
