"""Finite differences tell right from wrong, and abstain where they cannot."""

import torch

from torch_ref.numbers.differences import slope

ONE = [torch.ones(4, dtype=torch.float64)]


def sloped(outputs, q, gradient):
    return slope(lambda at: (outputs(at),), q, ONE, gradient).agrees(gradient)


def test_differences_tell_right_from_wrong() -> None:
    q = torch.tensor([0.3, -0.7, 1.1, 2.0], dtype=torch.float64)
    assert sloped(torch.sin, q, torch.cos(q)) is True
    assert sloped(torch.sin, q, 1.0005 * torch.cos(q)) is False
    assert sloped(torch.sin, q, torch.full_like(q, torch.nan)) is False


def test_differences_abstain_at_a_kink_and_where_rounding_is_all_there_is() -> None:
    zeros = torch.zeros(4, dtype=torch.float64)
    assert sloped(torch.relu, zeros, zeros) is None, "at the kink"
    near = torch.tensor([1.0, 1.0, 1.0, 2e-6], dtype=torch.float64)
    assert sloped(torch.relu, near, torch.ones(4).double()) is not False, "within the step of a kink"
    q = torch.full((4,), 0.5, dtype=torch.float64)
    assert sloped(lambda q: 1e12 + torch.sin(q), q, torch.cos(q)) is not False, "rounding"
    assert sloped(lambda q: torch.sin(1e6 * q), q, 1e6 * torch.cos(1e6 * q)) is not False, "the step is too wide"
