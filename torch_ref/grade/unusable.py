"""The one error of the grader that a lecturer sees as a line."""


class UnusableFileError(Exception):
    """There is nothing to grade or to read: no such file, no text, none of the classes that count."""
