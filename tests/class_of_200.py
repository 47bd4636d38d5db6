"""Grade a class of two hundred generated files, and count what the grader gets wrong.

    python tests/class_of_200.py --jobs 2              all files, some minutes
    python tests/class_of_200.py --chapter norm        those of one chapter

The right files are written in ten styles and orders of operations, in torch and in numpy (``course.classes``). The
wrong ones have every fault of the catalogue, in torch and in numpy (``course.mistakes``), one in each formula that has
any; whole networks have a mistake in one line (``course.networks``). A wrong formula has to lose its point, with the
catalogue's cause or that line, and no right one may lose any.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

sys.path.extend([str(Path(__file__).parents[1]), str(Path(__file__).parent)])

from course import networks
from course.classes import file
from course.mistakes import MISTAKES

from torch_ref.grade.grading import Grading
from torch_ref.grade.pool import graded
from torch_ref.grade.process import Limits
from torch_ref.grade.subjects import CHAPTERS
from torch_ref.known import FAULTS, Fault

STYLES = 10
LIBRARIES = "torch", "numpy"


@dataclass(frozen=True)
class Submitted:
    """One generated file, and what is wrong with it."""

    name: str
    chapter: str
    source: str
    wrong: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By class and what is made: the code of the cause that has to be told, or the line of a network."""


def files_of(chapter: str) -> Iterator[Submitted]:
    """Yield the right files of a chapter, then the wrong ones."""
    if chapter == "network":
        yield from _networks()
        return
    classes = list(CHAPTERS[chapter])
    for library in LIBRARIES:
        for style in range(STYLES):
            yield Submitted(f"{chapter}_right_{library}_{style}", chapter, file(classes, style, library))
        for number, wrong in enumerate(_shared_out(classes)):
            spoiled: dict[str, dict[str, str]] = {}
            for (kind, makes), fault in wrong.items():
                spoiled.setdefault(kind, {})[makes] = _formula(fault)
            source = file(classes, number, library, spoiled)
            codes = {formula: FAULTS[fault].code for formula, fault in wrong.items()}
            yield Submitted(f"{chapter}_wrong_{library}_{number}", chapter, source, codes)


def _networks() -> Iterator[Submitted]:
    for style in range(STYLES):
        yield Submitted(f"network_right_{style}", "network", networks.source(style, LIBRARIES[style % 2])[0])
    for number, (name, formula) in enumerate(networks.MISTAKES):
        source, line = networks.source(number, LIBRARIES[number // 2 % 2], (name, formula))
        made = networks.BEHIND.get(name, ("forward",))
        yield Submitted(f"network_wrong_{number}", "network", source, {("Network", one): f":{line}" for one in made})


def _shared_out(classes: list[str]) -> list[dict[tuple[str, str], str]]:
    """Return the faults of some classes file by file, at most one in each formula."""
    of_files: list[dict[tuple[str, str], str]] = []
    for name, fault in FAULTS.items():
        formula = fault.of.__name__, fault.makes
        if formula[0] in classes:
            free = next((one for one in of_files if _can_stand_in(one, formula, fault)), None)
            if free is None:
                of_files.append(free := {})
            free[formula] = name
    return of_files


def _can_stand_in(file: Mapping[tuple[str, str], str], formula: tuple[str, str], fault: Fault) -> bool:
    """Tell whether a fault can stand in a file and be told from what else is wrong there.

    Several wrong signs are another convention, and an argument that is changed spoils all that its method gives.
    """
    others = [FAULTS[name] for name in file.values()]
    of_class = [other for other in others if other.of is fault.of]
    one_sign = fault.code != "wrong-sign" or all(other.code != "wrong-sign" for other in others)
    spoils = [one.code == "changes-input" for one in (fault, *of_class)]
    return formula not in file and one_sign and not (of_class and any(spoils))


def _formula(fault: str) -> str:
    return next(
        made[fault.removeprefix(f"{of}-")]
        for of, made in MISTAKES.items()
        if fault.startswith(f"{of}-") and fault.removeprefix(f"{of}-") in made
    )


@dataclass
class Count:
    """What was counted."""

    wrong: int = 0
    """Formulas with a fault."""
    found: int = 0
    right: int = 0
    """Formulas without one."""
    spoiled: int = 0
    explained: int = 0
    said: list[str] = field(default_factory=list)

    def add(self, one: Submitted, outcome: Grading | str) -> None:
        """Count the marks of one file."""
        if isinstance(outcome, str) or outcome.note:
            self.said.append(f"{one.name}: {outcome if isinstance(outcome, str) else outcome.note}")
            self.spoiled += 1
            return
        for mark in outcome.marks:
            expected = one.wrong.get((mark.of.kind.__name__, mark.of.makes))
            if expected is None:
                self.right += 1
                self.spoiled += not mark.earned
                if not mark.earned:
                    self.said.append(f"{one.name}: {mark.of} is right and lost its point: {mark.remark}")
                continue
            self.wrong += 1
            self.found += not mark.earned
            told = mark.code == expected or (expected.startswith(":") and re.search(rf"{expected}\b", mark.remark))
            self.explained += bool(told)
            if mark.earned:
                self.said.append(f"{one.name}: {mark.of} kept its point, and has {expected}")
            elif not told:
                self.said.append(f"{one.name}: {mark.of} is {expected}, told {mark.code}: {mark.remark}")

    @property
    def is_good(self) -> bool:
        """Tell whether the grader does what is asked of it."""
        return self.found == self.wrong and self.spoiled == 0 and self.explained >= 0.95 * self.wrong


def run(chapters: list[str], jobs: int, seed: int, folder: Path) -> tuple[Count, int, float]:
    """Grade the files of some chapters; return the count, the number of files and the seconds."""
    count, files, seconds = Count(), 0, 0.0
    for chapter in chapters:
        submitted = list(files_of(chapter))
        paths = [folder / f"{one.name}.py" for one in submitted]
        for path, one in zip(paths, submitted, strict=True):
            path.write_text(one.source, encoding="utf-8")
        options = {"seed": seed, "limits": Limits(), "only": CHAPTERS[chapter], "sign": "lecture"}
        began = time.monotonic()
        outcomes = graded(paths, options, jobs)
        seconds += time.monotonic() - began
        files += len(paths)
        for one, outcome in zip(submitted, outcomes, strict=True):
            count.add(one, outcome)
    return count, files, seconds


def main() -> int:
    """Grade the files and print what was counted; return 1 where that is not good enough."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chapter", nargs="+", choices=CHAPTERS, default=list(CHAPTERS))
    parser.add_argument("--files", type=Path, help="where the files are written, to look at them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.files or Path(temporary)
        folder.mkdir(exist_ok=True)
        count, files, seconds = run(arguments.chapter, arguments.jobs, arguments.seed, folder)
    print(*count.said, sep="\n")
    print(f"wrong formulas that lose their point: {count.found} of {count.wrong}")
    print(f"right formulas that lose theirs: {count.spoiled} of {count.right}")
    print(f"causes that are the catalogue's: {count.explained} of {count.wrong}")
    print(f"{files} files in {seconds:.0f} s with --jobs {arguments.jobs}, {seconds / files:.2f} s a file")
    return 0 if count.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
