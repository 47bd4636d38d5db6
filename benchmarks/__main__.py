"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import gates, libraries, tables
from benchmarks.cases import CASES
from benchmarks.cases import QUICK as QUICK_CASES
from benchmarks.contenders import CONTENDERS, LEGEND, TITLES
from benchmarks.contenders import QUICK as QUICK_CONTENDERS
from benchmarks.machine import cores, machine, sentence
from benchmarks.part import Measure, Part
from benchmarks.steps import measure
from benchmarks.times import CaseTimes, names_of
from benchmarks.worker import Worker

PARTS = (
    "steps",
    "products",
    "lenet",
    "scaling",
    "memory",
    "startup",
    "epoch",
    "fashion",
    "mnist",
    "processes",
    "checks",
)
RESULTS = Path(__file__).parent / "results"
ROUNDS, QUICK_ROUNDS = 25, 5


def arguments(argv: list[str]) -> argparse.Namespace:
    """Return the command line's settings."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time one training step, and more.")
    parser.add_argument("--check", action="store_true", help="exit with 0 only where every promise of gates.py is kept")
    parser.add_argument(
        "--quick", action="store_true", help="small cases and few rounds, under a minute; writes nothing"
    )
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write everything measured into a file")
    parser.add_argument("--cases", nargs="+", choices=CASES, metavar="CASE", help=f"of {' '.join(CASES)}")
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument(
        "--rounds", type=count, help=f"rounds of the step times (default {ROUNDS}, with --quick {QUICK_ROUNDS})"
    )
    args = parser.parse_args(argv)
    args.rounds = args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS)
    args.contenders = QUICK_CONTENDERS if args.quick else tuple(CONTENDERS)
    args.parts = (args.only,) if args.only else ("steps",) if args.quick or args.cases else PARTS
    args.writes = not args.quick and not args.cases
    args.cases = args.cases or (QUICK_CASES if args.quick else tuple(CASES))
    return args


def count(text: str) -> int:
    """Return a whole number from 1."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def new_file(text: str) -> Path:
    """Return the path of a file that can be written: asked now, not after seven minutes of measuring."""
    path = Path(text)
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"expected a file in a folder to write to, got {text!r}")
    return path


def without_json(argv: list[str]) -> list[str]:
    """Return the arguments without --json FILE: that path says nothing on another machine."""
    json_only = argparse.ArgumentParser(add_help=False)
    json_only.add_argument("--json")
    return json_only.parse_known_args(argv)[1]


def main(argv: list[str]) -> int:
    """Measure, print, judge, and write each part as soon as it is measured; return the exit code."""
    args, out, began = arguments(argv), tables.console(), time.monotonic()
    command, here = shlex.join(["python", "-m", "benchmarks", *without_json(argv)]), machine()
    out.print(f"{sentence(here)}\n", soft_wrap=True)
    if here["load before"] and float(here["load before"]) > 0.5:
        out.print(
            f"Load {here['load before']} on {here['cores']} cores: other programs run too, so mind the quartiles.\n"
        )
    multiplied = libraries.measure(quick=args.quick)
    show(multiplied, out)
    head = {"command": command, "machine": here, "rounds": args.rounds, "products": multiplied}
    results = run_steps(args, out) if "steps" in args.parts else []
    if results and args.writes:
        write_steps(head, results)
    parts = {}
    for name in args.parts:
        if name != "steps":
            parts[name] = run_part(name, args.quick, out)
            if args.writes:
                write_part(head, name, parts[name])
    if args.json:
        write_json(args.json, {**as_json(head), **as_data(results, parts)})
    code = judge(args, out, results, parts)
    out.print(done(args, results, parts, time.monotonic() - began), soft_wrap=True)
    return code


def run_steps(args: argparse.Namespace, out: Console) -> list[CaseTimes]:
    """Measure and print the step times, case by case."""
    threads = (1, 2) if cores() > 1 else (1,)
    results = []
    for times in measure([CASES[name] for name in args.cases], args.contenders, args.rounds, threads):
        results.append(times)
        out.print(tables.case_table(times))
        for line in tables.missing(times):
            out.print(f"! {line}", markup=False)
        out.print()
    for title, (columns, rows) in (("Medians", tables.medians(results)), ("Ratios", tables.ratios(results))):
        out.print(tables.table(title, columns, rows), "")
    for name in names_of(results):
        out.print(f"{TITLES[name]}: {LEGEND[name]}", markup=False)
    out.print()
    return results


def run_part(name: str, quick: bool, out: Console) -> Part:
    """Measure and print another part, in a process of its own where its threads matter."""
    measure_part = measure_of(name)
    if name in ("products", "lenet", "startup", "scaling", "processes"):  # these start processes themselves
        part = measure_part(quick=quick)
    else:
        with Worker(min(2, cores())) as worker:
            part = worker.part(measure_part, quick=quick)
    show(part, out)
    return part


def show(part: Part, out: Console) -> None:
    """Print a part's table and how it was measured."""
    out.print(tables.part_table(part))
    out.print(part.method, "\n", markup=False)


def done(args: argparse.Namespace, results: list[CaseTimes], parts: dict[str, Part], seconds: float) -> str:
    """Return in one sentence what was measured and where it was written."""
    timed = f"{len(names_of(results))} contenders in {len(results)} cases, {args.rounds} rounds"
    what = ", ".join([timed] * bool(results) + list(parts))
    files = [str(RESULTS.relative_to(RESULTS.parents[1]))] * args.writes + [str(args.json)] * bool(args.json)
    return f"Measured in {seconds:.0f} s: {what}. Written to: {' and '.join(files) or 'nothing'}."


def measure_of(name: str) -> Measure:
    """Return what measures a part; the files are imported where one of them is asked for."""
    from benchmarks import checks, epoch, fashion, memory, mnist, processes, products, scaling, startup
    from benchmarks.lenet import measure as lenet

    measures: dict[str, Measure] = {
        "products": products.measure,
        "lenet": lenet.measure,
        "scaling": scaling.measure,
        "memory": memory.measure,
        "startup": startup.measure,
        "epoch": epoch.measure,
        "fashion": fashion.measure,
        "mnist": mnist.measure,
        "processes": processes.measure,
        "checks": checks.measure,
    }
    return measures[name]


def as_data(results: list[CaseTimes], parts: dict[str, Part]) -> dict[str, Any]:
    """Return everything measured, for JSON."""
    return {
        "steps": [times.to_dict() for times in results],
        **{name: {"method": part.method, **part.figures} for name, part in parts.items()},
    }


def as_json(head: dict[str, Any]) -> dict[str, Any]:
    """Return what stands above all figures, for JSON."""
    return {**head, "products": head["products"].figures}


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def write_steps(head: dict[str, Any], results: list[CaseTimes]) -> None:
    """Write the step times as JSON, as tables and as a plot."""
    from benchmarks import plots  # it needs matplotlib, which --quick does not

    RESULTS.mkdir(exist_ok=True)
    write_json(RESULTS / "steps.json", {**as_json(head), "steps": [times.to_dict() for times in results]})
    text = tables.markdown(head["command"], head["machine"], head["rounds"], results, [head["products"]])
    (RESULTS / "steps.md").write_text(text)
    plots.plot_steps(RESULTS / "steps.png", results, head["products"].figures["best"])


def write_part(head: dict[str, Any], name: str, part: Part) -> None:
    """Write another part as JSON and as a table, and the plot of the scaling."""
    RESULTS.mkdir(exist_ok=True)
    write_json(RESULTS / f"{name}.json", {**as_json(head), name: {"method": part.method, **part.figures}})
    (RESULTS / f"{name}.md").write_text(tables.markdown(head["command"], head["machine"], 0, [], [part]))
    if name == "scaling":
        from benchmarks import plots

        plots.plot_scaling(RESULTS / "scaling.png", part.figures)


def judge(args: argparse.Namespace, out: Console, results: list[CaseTimes], parts: dict[str, Part]) -> int:
    """Print how the figures stand to promises and aims; return 1 where --check finds a promise broken or untested."""
    judged = gates.judged_gates(results, args.contenders)
    judged += gates.judged_limits({name: part.figures for name, part in parts.items()})
    promises, aims = [one for one in judged if one.is_promise], [one for one in judged if not one.is_promise]
    for title, some in (("Promises", promises), ("Aims", aims)):
        if some:
            out.print(tables.judged_table(title, some), "")
    excluded = sorted({f"{times.case.name}: {name}" for times in results for name in times.excluded})
    broken = [one.what for one in promises if one.is_broken] + [f"{who} computes another step" for who in excluded]
    if promises:
        measured = sum(one.measured is not None for one in promises)
        out.print(f"{measured - sum(one.is_broken for one in promises)} of {measured} promises are kept", markup=False)
    for what in broken:
        out.print(f"! broken: {what}", markup=False)
    return int(args.check and (bool(broken) or not promises))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
