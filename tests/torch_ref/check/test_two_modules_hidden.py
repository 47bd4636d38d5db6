"""Mistakes in a module that the whole hardly shows, or not at all."""

import pytest
import torch
from modules import x_of
from torch import Tensor, nn

from torch_ref import check_module


class Past(nn.Module):
    """What lies inside, and a way past it."""

    def __init__(self, *inside: nn.Module) -> None:
        super().__init__()
        self.inside = nn.Sequential(*inside)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inside(x)


def test_what_is_overwritten_in_place_is_placed_at_the_module_that_reads_it_afterwards() -> None:
    mine = nn.Sequential(nn.Linear(5, 4), Past(nn.ReLU()))
    reference = nn.Sequential(nn.Linear(5, 4), Past(nn.ReLU(inplace=True)))
    report = check_module(mine, reference, x_of(), power=False)
    assert {(row.quantity, row.of.owner) for row in report.guilty} == {("output of 1", "Past")}
    assert check_module(reference, reference, x_of(), power=False).identical


@pytest.mark.long
def test_a_mistake_that_the_whole_does_not_show_is_a_mistake() -> None:
    """A norm after it takes out every factor, and every shift."""

    class Twice(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    class Shifted(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 1

    reference = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4, eps=1e-30, track_running_stats=False))
    for kind, cause in ((Twice, "a factor of 2"), (Shifted, "a constant of 1 is added")):
        mine = nn.Sequential(kind(5, 4), nn.BatchNorm1d(4, eps=1e-30, track_running_stats=False))
        report = check_module(mine, reference, x_of(), power=False)
        assert (report.guilty[0].quantity, report.guilty[0].cause) == ("output of 0", cause), str(report)
        assert all("0" in row.quantity for row in report.guilty)


def test_a_small_mistake_in_half_precision_is_placed_by_float64() -> None:
    class Larger(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 1.002 * super().forward(x)

    mine = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), Larger(4, 3)).bfloat16()
    reference = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).bfloat16()
    report = check_module(mine, reference, x_of(torch.bfloat16), power=False)
    assert not report.ok
    assert report.guilty[0].quantity == "output of 2"
