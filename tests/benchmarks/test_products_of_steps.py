"""A step with the products of each library: the same step, on threads of one pool; nothing is timed."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from benchmarks import products
from benchmarks.cases import CASES, problem
from benchmarks.contenders.manual import Manual
from benchmarks.equality import after_steps, difference
from benchmarks.part import Part
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


@pytest.mark.parametrize(("load", "threads"), [(None, [1, 2]), (0.4, [1, 2]), (2.0, [1, 2]), (2.1, [1])])
def test_two_threads_are_left_out_on_a_busy_machine(
    monkeypatch: pytest.MonkeyPatch, load: float | None, threads: list[int]
) -> None:
    started: list[int] = []

    @contextmanager
    def worker(count: int) -> Iterator[SimpleNamespace]:
        started.append(count)
        each = {"ms": dict.fromkeys(NAMES, 2.0), "gain": dict.fromkeys(NAMES, 1.0), "fastest": "torch"}
        yield SimpleNamespace(part=lambda measure, quick: Part("", (), figures={"d": each}))

    monkeypatch.setattr(products, "Worker", worker)
    monkeypatch.setattr(products, "cores", lambda: 2)
    monkeypatch.setattr(products, "load", lambda: load)
    part = products.measure()
    assert started == threads
    assert [row[0] for row in part.rows] == ["d, 1 thread", "d, 2 threads"][: len(threads)]
    assert all(len(row) == len(part.columns) for row in part.rows)
    assert ("left out" in part.method) == (threads == [1])
