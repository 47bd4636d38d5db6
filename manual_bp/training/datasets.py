import hashlib

from manual_bp.training.data import mnist5k


def load(name, root, download=False):
    return mnist5k()


def checksum(a, b):
    return hashlib.sha256(a.pixels.numpy().tobytes() + b.pixels.numpy().tobytes()).hexdigest()


def resized(images, side):
    raise ValueError
