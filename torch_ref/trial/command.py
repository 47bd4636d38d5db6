"""``python -m torch_ref faults``: put the checker on trial, and print what it found."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manual_bp.letters import codes_in_json

if TYPE_CHECKING:
    from torch_ref.trial.of_functions import FunctionTrial
    from torch_ref.trial.of_programs import ProgramTrial
    from torch_ref.trial.trial import FaultOutcome, Trial

RIGHT, NETWORKS = {False: 300, True: 2500}, {False: 300, True: 500}
"""How many right functions and correct networks are checked, in the quick form and with ``--all``."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "faults",
        help="put the checker on trial: planted faults, correct networks and right functions",
        description="Plant every fault of the catalogue in a network, at initial, trained or saturated weights, in "
        "float32 or float64 in turn, and check random correct networks. Then plant faults in functions of many kinds, "
        "in one dtype in turn, and check random right ones; and break each line of a whole backward pass, for one of "
        "two checks in turn. With --all every fault has all of these. Exits with 1 where a figure is too low.",
    )
    parser.add_argument("--networks", type=_count, help="how many correct networks (default: 300, with --all 500)")
    parser.add_argument("--functions", type=_count, help="how many right functions (default: 300, with --all 2500)")
    parser.add_argument("--programs", type=_count, help="how many programs with a broken line (default: all)")
    parser.add_argument(
        "--all", action="store_true", help="each fault at all weights or scales, in every dtype, by every check"
    )
    parser.add_argument("--family", help="functions of one family only: norms, losses, attention, ...")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every outcome ('-' for standard output)")
    parser.add_argument("--processes", type=positive, help="how many at a time (default: one for each processor)")
    parser.add_argument("--threads", type=positive, default=1, help="torch threads of each (default: 1)")
    parser.set_defaults(run=run, program=parser.prog)


def run(arguments: argparse.Namespace) -> int:
    """Run the trial; return 0 where every figure is as good as it has to be."""
    from torch_ref.trial import of_functions, of_programs
    from torch_ref.trial.functions import KINDS
    from torch_ref.trial.processes import available, spread
    from torch_ref.trial.trial import plan, run_trial

    to_stdout = arguments.json == Path("-")
    if arguments.json and not to_stdout and not arguments.json.parent.is_dir():
        print(
            f"{arguments.program}: --json expects a file in a folder that is there, got {arguments.json}",
            file=sys.stderr,
        )
        return 2
    families = sorted({kind.family for kind in KINDS.values()})
    if arguments.family not in (None, *families):
        expected = f"one of {', '.join(families)}"
        print(f"{arguments.program}: --family expects {expected}, got {arguments.family}", file=sys.stderr)
        return 2
    faults = plan(whole=arguments.all)
    planned = of_functions.plan(whole=arguments.all, family=arguments.family)
    right = of_functions.right_seeds(
        RIGHT[arguments.all] if arguments.functions is None else arguments.functions, arguments.family
    )
    networks = NETWORKS[arguments.all] if arguments.networks is None else arguments.networks
    programs = of_programs.plan(whole=arguments.all, most=arguments.programs) if arguments.family is None else []
    total = len(faults) + networks + len(planned) + len(right) + len(programs)
    progress = _progress(total)
    with spread(arguments.processes or available(), arguments.threads) as each, progress:
        task = progress.task_ids[0]
        trial = run_trial(faults, networks, lambda: progress.advance(task), each)
        functions = of_functions.try_functions(planned, right, lambda: progress.advance(task), each)
        lines = of_programs.try_programs(programs, lambda: progress.advance(task), each)
    said = [_text(trial), "", *functions.text(), *["", *lines.text()] * bool(programs)]
    print("\n".join(said), file=sys.stderr if to_stdout else sys.stdout)
    if arguments.json:
        code_letters = to_stdout and codes_in_json(sys.stdout)  # in a file it is always UTF-8
        text = json.dumps(_all(trial, functions, lines), indent=1, ensure_ascii=code_letters) + "\n"
        sys.stdout.write(text) if to_stdout else arguments.json.write_text(text, encoding="utf-8")
    return 0 if trial.passed and functions.passed and lines.passed else 1


def _all(trial: Trial, functions: FunctionTrial, programs: ProgramTrial) -> dict[str, Any]:
    """Return the networks' trial in terms that JSON knows, with the others in it; all have to pass."""
    passed = trial.passed and functions.passed and programs.passed
    return trial.to_dict() | {"passed": passed, "functions": functions.to_dict(), "programs": programs.to_dict()}


def _progress(total: int) -> Any:
    from rich.console import Console
    from rich.progress import Progress

    progress = Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    progress.add_task("trying", total=total)
    return progress


def _text(trial: Trial) -> str:
    from torch_ref.trial.trial import NEEDED

    lines = [f"{'formula':30} {'faults':>6} {'trials':>6} {'rejected':>9} {'placed':>9} {'explained':>9}"]
    formulas: dict[str, list[FaultOutcome]] = {}
    for outcome in trial.outcomes:
        formulas.setdefault(outcome.formula, []).append(outcome)
    for formula, outcomes in formulas.items():
        counts = "".join(f" {sum(getattr(o, figure) for o in outcomes):9}" for figure in NEEDED)
        lines.append(f"{formula:30} {len({o.fault for o in outcomes}):6} {len(outcomes):6}{counts}")
    missed = [o for o in trial.outcomes if not (o.rejected and o.placed and o.explained)]
    lines += ["", *(f"missed: {_missed(o)}" for o in missed), *([""] if missed else [])]
    meaning = {
        "rejected": "of the planted faults are rejected",
        "placed": "are blamed on exactly the right formula and layer",
        "explained": "are given the right cause",
    }
    for figure, needed in NEEDED.items():
        lines.append(f"{trial.share(figure):7.2%} {meaning[figure]} (needed: {needed:.0%})")
    lines.append(f"{len(trial.alarms):7} false alarms among {trial.correct} correct networks (allowed: 0)")
    return "\n".join([*lines, *(f"false alarm: {alarm}" for alarm in trial.alarms)])


def _missed(o: FaultOutcome) -> str:
    said = f"blamed {', '.join(o.guilty)}: {o.cause}" if o.guilty else "accepted"
    return f"{o.fault}, {o.weights} weights, {o.dtype}: {said}"


def _count(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got {text!r}")
    return value


def positive(text: str) -> int:
    """Read a whole number from 1, of an option."""
    if (value := _count(text)) == 0:
        raise argparse.ArgumentTypeError("expected a whole number from 1, got '0'")
    return value
