"""Training by several processes: what two gain on this machine, and what the model says that P machines gain."""

from __future__ import annotations

from dataclasses import asdict, replace
from statistics import median
from typing import Any

from benchmarks.cases import C128, CASES
from benchmarks.part import Part
from benchmarks.process_pair import MACHINES, Times, measure_in_two
from benchmarks.processes_model import Wire, bytes_sent, flops

MEASURED = (C128, CASES["d"], replace(CASES["d"], name="d1024", batch=1024))
NETWORKS = {f"{gigabits} Gbit/s": Wire(20e-6, gigabits * 1e9 / 8) for gigabits in (1, 10, 100)}
METHOD = (
    "Medians of {} rounds, all in turn in each; two processes of one thread, batch halved, joined by gloo on loopback, "
    "whose fit is {:.0f} µs latency and {:.2f} GB/s. One process: ManualEngine. Predicted: processes_model, from the "
    "compute times of one process with N/P rows; networks with 20 µs latency."
)


def measure(*, quick: bool = False) -> Part:
    """Measure and predict; when quick, the first case and half of the rounds."""
    cases, rounds = (MEASURED[:1], 5) if quick else (MEASURED, 9)
    wire, times = measure_in_two(cases, rounds)
    method = METHOD.format(rounds, 1e6 * wire.latency, wire.bandwidth / 1e9)
    part = Part("Speed-up of a step by P processes", ("", "ms", *(f"P = {p}" for p in MACHINES)), method=method)
    part.rows = [row for each in times for row in rows(each, wire)]
    part.figures = {"wire": wire._asdict(), **{each.case.name: figures(each, wire) for each in times}}
    return part


def rows(times: Times, wire: Wire) -> list[tuple[str, ...]]:
    """Return the table of a case: what was measured and predicted here, on other networks, and the work of each."""
    case, one = times.case, median(times.one)
    name, blank = f"{case.name}: ", [""] * (len(MACHINES) - 1)

    def here(what: str, seconds: float) -> tuple[str, ...]:
        return (name + what, f"{1000 * seconds:.2f}", f"{one / seconds:.2f}", *blank)

    table = [
        (f"{name}one process ({case.title})", f"{1000 * one:.2f}", "", *blank),
        here("one process with two threads", median(times.two_threads)),
        here("two processes here", median(times.two)),
        here("two processes here, predicted", times.predicted(wire, 2)),
    ]
    for network, its in NETWORKS.items():
        table.append((f"{name}{network}, predicted", "", *(f"{one / times.predicted(its, p):.2f}" for p in MACHINES)))
    table.append((f"{name}MFLOP of each", "", *(f"{flops(case.sizes, case.batch // p) / 1e6:.1f}" for p in MACHINES)))
    table.append((f"{name}MB sent by each", "", *(f"{bytes_sent(sum(times.sizes), p) / 1e6:.2f}" for p in MACHINES)))
    return table


def figures(times: Times, wire: Wire) -> dict[str, Any]:
    """Return the same as numbers, in seconds."""
    wires = {"here": wire, **NETWORKS}
    return {
        "one": median(times.one),
        "two_threads": median(times.two_threads),
        "two": median(times.two),
        "gradient_bytes": times.sizes,
        "compute": {p: asdict(times.compute(p)) for p in MACHINES},
        "predicted": {name: {p: times.predicted(its, p) for p in MACHINES} for name, its in wires.items()},
    }
