"""What stands at a path where a file was expected, in the words of a message."""

from __future__ import annotations

from pathlib import Path


def found_at(path: Path) -> str:
    """Return what is at a path that is no ordinary file: 'missing', 'a folder', 'a link to x, which is missing', ..."""
    try:
        if path.is_symlink() and not path.exists():
            return f"a link to {path.readlink()}, which is missing"
        if not path.exists():
            return "missing"
        kinds = {"a folder": path.is_dir(), "a pipe": path.is_fifo(), "a socket": path.is_socket()}
    except OSError as error:  # a name that is too long, a link to itself
        return f"no file that can be read: {error.strerror}"
    return next((kind for kind, is_so in kinds.items() if is_so), "a file" if path.is_file() else "a device")


def shown(path: Path) -> str:
    """Return a path as a message can have it, on one line whatever it is called."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def is_file(path: Path) -> bool:
    """Return whether an ordinary file is at a path, or at the end of a link; False for a path that cannot be."""
    try:
        return path.is_file()
    except OSError:
        return False
