"""A step with the products of each library: the same step, on threads of one pool; nothing is timed."""

import pytest
import torch

from benchmarks.cases import CASES, problem
from benchmarks.contenders.manual import Manual
from benchmarks.equality import after_steps, difference
from benchmarks.products import IN, NAMES, ManualBy
from manual_bp import LibraryLinear, Linear
from manual_bp.training.engine import fastest


@pytest.mark.parametrize("name", NAMES)
def test_every_library_computes_the_same_step(name: str) -> None:
    for case in ("c128", "d"):
        assert case in IN
        this = problem(CASES[case])
        contender = ManualBy(this, name)
        kind = Linear if name == "torch" else LibraryLinear
        assert type(contender.engine.network.layers[0]) is kind
        assert difference(this.arrays(), after_steps(Manual(this)), after_steps(contender)) == ""


def test_inside_its_scope_the_threads_are_those_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(fastest, "_numpy_threads", lambda: given.append)
    this = problem(CASES["a"])
    torch.set_num_threads(2)
    for name, count in {"torch": 2, "mkldnn": 2, "numpy": 1}.items():
        with ManualBy(this, name).scope():
            assert torch.get_num_threads() == count
            assert torch.is_inference_mode_enabled()
        assert torch.get_num_threads() == 2
    assert given == [2]
