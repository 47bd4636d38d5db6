"""What a network's answers say about it: which class it takes for which, and where it errs with the most confidence."""

from __future__ import annotations

import torch
from torch import Tensor


def confusion(answers: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Count each pair (label, answer) of two (n,) int64 tensors: (classes, classes) int64, a row for each label."""
    for name, given in (("answers", answers), ("labels", labels)):
        if given.numel() and not 0 <= int(given.min()) <= int(given.max()) < classes:
            low, high = int(given.min()), int(given.max())
            raise ValueError(f"confusion expects {name} from 0 to {classes - 1}, got {low} to {high}")
    if answers.shape != labels.shape:
        raise ValueError(f"confusion expects as many answers as labels, got {len(answers)} and {len(labels)}")
    return torch.bincount(labels * classes + answers, minlength=classes**2).reshape(classes, classes)


def mistakes(y: Tensor, labels: Tensor) -> Tensor:
    """Return the samples that are answered wrong, (n_wrong,) int64, the most confident answer first, then in order.

    The answer is the class with the largest y, its confidence that y itself. Rows of y (n, classes) need not sum to 1:
    those of a sigmoid layer do not.
    """
    if y.ndim != 2 or labels.shape != y.shape[:1]:
        raise ValueError(f"mistakes expects a label for each row of y, got {tuple(labels.shape)}, {tuple(y.shape)}")
    answers = y.argmax(1)
    confidences = y.gather(1, answers.unsqueeze(1)).squeeze(1)
    wrong = (answers != labels).nonzero().squeeze(1)
    return wrong[confidences[wrong].argsort(descending=True, stable=True)]
