"""The model of a step on P machines, against cases computed by hand."""

import pytest

from benchmarks.cases import Case
from benchmarks.process_pair import MACHINES, Times
from benchmarks.processes import NETWORKS, figures, rows
from benchmarks.processes_model import Compute, Wire, bytes_sent, fitted, flops, step_seconds

COMPUTE = Compute(forward=3.0, backward=(1.0, 4.0), update=2.0)


def test_on_a_fast_wire_only_the_last_sum_is_waited_for() -> None:
    """Forward to 3; loss summed to 3.4; layer 2 computed to 4, summed to 5; layer 1 to 8, to 10; updated to 12."""
    assert step_seconds(COMPUTE, (10, 20), lambda size: size / 10) == pytest.approx(12)


def test_on_a_slow_wire_the_sums_queue() -> None:
    """Rows summed to 4, after the forward pass; loss to 8; layer 2 to 18; layer 1 to 38; updated to 40."""
    assert step_seconds(COMPUTE, (10, 20), float) == pytest.approx(40)


def test_without_a_wire_a_step_is_its_parts() -> None:
    assert step_seconds(COMPUTE, (10, 20), lambda size: 0.0) == pytest.approx(10)


def test_a_ring_passes_each_byte_twice() -> None:
    """Six steps of latency 1 for 4 machines, each with 40/4 bytes at 10 a second."""
    assert Wire(1.0, 10.0).all_reduce(40, 4) == pytest.approx(12)
    assert Wire(1.0, 10.0).all_reduce(40, 1) == 0
    assert bytes_sent(100, 4) == 150


def test_the_products_of_a_step() -> None:
    """4-3-2, 5 rows: forward 5 (12 + 6) products, gradients as many, the error of x^1 another 5 6; 2 flop each."""
    assert flops((4, 3, 2), 5) == 2 * (5 * 18 + 5 * 18 + 5 * 6)


def test_the_fit_finds_latency_and_bandwidth() -> None:
    sizes = (4, 1024, 65536, 1 << 22)
    latency, bandwidth = fitted(sizes, [Wire(2e-5, 3e9).all_reduce(size, 2) for size in sizes])
    assert latency == pytest.approx(2e-5)
    assert bandwidth == pytest.approx(3e9)


@pytest.fixture
def times() -> Times:
    """Three rounds of a small case; the medians are 10 s alone, 8 s with two threads, 6 s by two processes."""
    rounds = [Compute(forward=n, backward=(1.0, n), update=1.0) for n in (1.0, 2.0, 9.0)]
    return Times(Case("g", (4, 3, 2), 128), [9, 10, 11], [8, 7, 9], [6, 6, 1], dict.fromkeys(MACHINES, rounds))


def test_the_medians_of_the_rounds_are_predicted_from(times: Times) -> None:
    assert times.sizes == [4 * 2 * 4, 4 * 3 * 5]
    assert times.compute(4) == Compute(2.0, (1.0, 2.0), 1.0)
    instant = Wire(0.0, float("inf"))
    assert times.predicted(instant, 2) == pytest.approx(6)


def test_a_row_says_how_many_times_faster(times: Times) -> None:
    table = {label: values for label, *values in rows(times, Wire(0.0, float("inf")))}
    assert table["g: one process (4-3-2, batch 128)"][0] == "10000.00"
    assert table["g: one process with two threads"][:2] == ["8000.00", "1.25"]
    assert table["g: two processes here"][:2] == ["6000.00", "1.67"]
    assert table["g: two processes here, predicted"][:2] == ["6000.00", "1.67"]
    assert table["g: 1 Gbit/s, predicted"] == ["", *["1.67"] * len(MACHINES)]
    assert {len(values) for values in table.values()} == {1 + len(MACHINES)}
    assert figures(times, NETWORKS["1 Gbit/s"])["two"] == 6
