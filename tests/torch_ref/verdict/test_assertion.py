"""The one assertion: who hears of a report, and what its error carries."""

import pytest
import torch

from manual_bp import mlp
from torch_ref import GradientMismatchError, assert_gradients_match, crosscheck
from torch_ref.known.faults import FAULTS
from torch_ref.verdict.assertion import LISTENERS
from torch_ref.verdict.report import Report


def test_every_listener_hears_of_every_report_right_or_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Report] = []
    monkeypatch.setattr("torch_ref.verdict.assertion.LISTENERS", [*LISTENERS, heard.append])
    good, x, t = mlp([5, 4, 3]), torch.randn(4, 5), torch.rand(4, 3)
    right, wrong = crosscheck(good, x, t), crosscheck(FAULTS["sigmoid-error-no-slope"].plant(good, 1), x, t)
    assert_gradients_match(right)
    with pytest.raises(GradientMismatchError) as caught:
        assert_gradients_match(wrong)
    assert heard == [right, wrong]
    assert caught.value.report is wrong
    assert caught.value.args == (wrong.verdict,), "what a program that knows nothing of reports can show"
