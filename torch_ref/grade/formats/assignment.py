"""An assignment that a course system grades: the options of the lecturer, and the formulas with their points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch_ref.grade import templates
from torch_ref.grade.subjects import CHAPTERS, LECTURE, QUESTIONS_OF, Question
from torch_ref.grade.worth import Worth


@dataclass(frozen=True)
class Assignment:
    """What the lecturer decides."""

    options: Mapping[str, Any]
    """Those of ``grader.grade``."""
    hints: int
    worth: Worth
    template: str
    """The library of the file to fill in: torch or numpy."""
    index: str = ""
    """Where pip finds torch for the CPU alone, which is several gigabytes smaller; '' for where it looks by itself."""

    @property
    def of_index(self) -> list[str]:
        """Return the index as words of pip."""
        return ["--extra-index-url", self.index] if self.index else []

    @property
    def words(self) -> list[str]:
        """Return the options as words of the command, but for the points."""
        o = self.options
        words = ["--seed", str(o["seed"]), "--sign", o["sign"], "--hints", str(self.hints)]
        words += ["--time-limit", f"{o['limits'].seconds:g}", "--memory-limit", str(o["limits"].mebibytes)]
        return words if tuple(o["only"]) == LECTURE else [*words, "--only", *o["only"]]

    @property
    def templates(self) -> dict[str, str]:
        """Return the files to fill in by the chapter that they are of."""
        chapters = [chapter for chapter, names in CHAPTERS.items() if set(names) & set(self.options["only"])]
        return {chapter: templates.text(self.template, chapter, self.options["network"]) for chapter in chapters}

    def files(self) -> dict[str, str]:
        """Return the same by the names of the files that are handed out."""
        texts = self.templates
        return {"student.py" if len(texts) == 1 else f"{chapter}.py": text for chapter, text in texts.items()}

    @property
    def questions(self) -> list[Question]:
        """Return the formulas that count."""
        return [of for name in QUESTIONS_OF if name in self.options["only"] for of in QUESTIONS_OF[name]]

    def points(self, of: Question) -> float:
        """Return what a formula is worth."""
        return self.worth.get(of, 1)
