"""What a verdict says of its power is right within a factor of 2, and the trial of it can tell."""

from __future__ import annotations

import pytest
import torch

from torch_ref.trial import of_power
from torch_ref.trial.of_functions import random_function
from torch_ref.trial.of_power import Planted, main, statements


@pytest.mark.long
def test_statements_of_many_kinds_are_right_within_a_factor_of_2() -> None:
    found = statements(24)
    assert len({s.what for s in found}) >= 8
    assert {s.figure for s in found} == {"factor", "row", "entry"}
    assert sum(s.right for s in found) >= 23


def test_a_change_is_planted_at_the_same_place_at_every_call() -> None:
    g = torch.tensor([[1.0, 2.0], [30.0, 40.0], [5.0, 6.0]])
    row, entry, everything = Planted("row", 0.5), Planted("entry", 0.5), Planted("factor", 0.5)
    assert torch.equal(row(g), g * torch.tensor([[1.0], [1.0], [1.5]]))
    assert torch.equal(row(g.flip(0)), g.flip(0) * torch.tensor([[1.0], [1.0], [1.5]]))
    assert int((entry(g) != g).sum()) == 1
    assert torch.equal(everything(g), g * 1.5)
    assert not Planted("row", 0.5).has_changed
    assert row.has_changed


def test_the_command_prints_the_share_and_what_it_needs(capsys, monkeypatch) -> None:
    monkeypatch.setattr(of_power, "random_function", lambda seed: random_function(seed + 6))  # quicker than the first
    assert main(["2"]) == 0
    assert "100.0% of 2 statements are right within a factor of 2 (needed: 95%)" in capsys.readouterr().out
