"""Data sets by name, as tensors in memory: published ones, and pictures of one's own. Begin with ``loading``."""

from manual_bp.training.images.datasets.folder import read_plain
from manual_bp.training.images.datasets.loading import NAMES, checksum, load, load_tests
from manual_bp.training.images.datasets.other_tests import with_other_tests
from manual_bp.training.images.datasets.resizing import resized

__all__ = ["NAMES", "checksum", "load", "load_tests", "read_plain", "resized", "with_other_tests"]
