"""Figures, lines of code, lists and printed texts on the pages are those of the project."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import documents
import pytest
from documents import blocks, code_spans, text_of
from places import ROOT

import manual_bp
from torch_ref.known import KNOWN
from torch_ref.known.faults import FAULTS
from torch_ref.trial.images import KINDS

DOCS = ROOT / "docs"


def rows(page: Path) -> list[list[str]]:
    """Return the cells of every row of a page's tables, without the heads' rules."""
    lines = [line for line in text_of(page).splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


# --------------------------------------------------------------------------------------------------------- formulas


def written(function: str) -> str:
    """Return the source of 'Linear.forward', on one line."""
    owner, _, method = function.partition(".")
    return " ".join(inspect.getsource(getattr(getattr(manual_bp, owner), method)).split())


FORMULAS = [cells for cells in rows(DOCS / "formulas.md") if re.fullmatch(r"[ECPNRD]\d+", cells[0])]


@pytest.mark.parametrize("cells", FORMULAS, ids=lambda cells: f"{cells[0]} {cells[2]}")
def test_the_line_of_a_formula_stands_in_its_function(cells: list[str]) -> None:
    _, _, function, line = (cell.strip("`") for cell in cells)
    assert line in written(function), written(function)


def test_every_equation_has_a_line() -> None:
    of_the_lecture = {f"E{n}" for n in range(1, 18)}
    of_images = {"C1", "C2", "C3", "P1", "P2", "P3", "P4"}
    of_others = {"N1", "N2", "N3", "N4", "R1", "R2", "R3", "R4", "R5", "R6", "D1", "D2", "D3"}
    assert {cells[0] for cells in FORMULAS} == of_the_lecture | of_images | of_others
    assert {formula.number for kind in KINDS for formula in KNOWN[kind].formulas.values()} == of_images
    for kind in (manual_bp.LayerNorm, manual_bp.RNN, manual_bp.Dropout):
        assert {formula.number for formula in KNOWN[kind].formulas.values()} <= of_others


def test_the_formulas_of_images_are_those_that_a_report_prints() -> None:
    def bare(text: str) -> str:
        bare_of = re.sub(r"\^\{\w+\}", "", text.rpartition(": ")[2]).replace("error of x_", "e_")
        return bare_of.partition(", over")[0]

    known = {bare(formula.text) for kind in KINDS for formula in KNOWN[kind].formulas.values()}
    shown = {bare(cells[1]) for cells in FORMULAS if cells[0][0] in "CP"}
    assert shown == known


def test_the_code_of_the_readme_s_table_gives_the_shapes_that_it_says() -> None:
    import torch

    network = manual_bp.mlp([5, 4, 3])
    trace = network.forward(torch.rand(2, 5))
    t = torch.rand(2, 3)
    network.loss(trace, t)
    known = {"network": network, "trace": trace, "t": t, "gradients": network.backward(trace), "l": 1}
    shapes = {"(N, n^l)": (2, 4), "(N, n^L)": (2, 3), "a number": (), "(n^l, n^(l−1)), (n^l,)": (4, 5)}
    checked = 0
    for _, code, shape in (cells for cells in rows(ROOT / "README.md") if len(cells) == 3):
        first = re.match(r"`((?:network|trace|gradients)[^`]+)`", code)
        if first and shape in shapes:
            assert tuple(eval(first[1], {}, dict(known)).shape) == shapes[shape], code
            checked += 1
    assert checked == 7


# --------------------------------------------------------------------------------------------------------- checking


def test_the_number_of_planted_mistakes_is_that_of_the_catalogue() -> None:
    for page in (DOCS / "checking.md", ROOT / "CHANGELOG.md"):
        assert re.findall(r"\b(\d{3}) (?:of them|planted mistakes)", text_of(page)) == [str(len(FAULTS))]


def test_the_trial_says_what_the_page_says_of_it() -> None:
    said = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "torch_ref" / "trial").glob("*.py"))
    (shown,) = [block for block in blocks(DOCS / "checking.md", "text") if "planted faults" in block.text]
    phrases = [re.sub(r"^\s*[\d.]+%?\s*", "", line).partition(" (")[0] for line in shown.text.splitlines()]
    assert len(phrases) == 4
    for phrase in phrases:
        assert all(part in said for part in phrase.split(" 300 ")), phrase


@pytest.mark.long
def test_a_failing_test_shows_what_the_page_shows(tmp_path: Path) -> None:
    (file,) = [block for block in blocks(DOCS / "checking.md", "python") if "class Doubling" in block.text]
    (shown,) = [block for block in blocks(DOCS / "checking.md", "text") if "- gradients -" in block.text]
    (tmp_path / "test_mine.py").write_text(file.text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_mine.py"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1, done.stderr
    assert shown.text in done.stdout


# ------------------------------------------------------------------------------------------------ training and speed


def test_a_run_begins_with_the_title_that_the_page_shows(inside) -> None:
    code, out, _ = inside("--dry-run", "--threads", "1")
    assert code == 0
    assert blocks(DOCS / "training.md", "text")[0].text.splitlines()[0] == out.splitlines()[0]


def test_the_names_of_a_run_s_files_are_those_that_it_writes(kept_run: Path) -> None:
    listed = {cells[0].strip("`") for cells in rows(DOCS / "training.md") if re.fullmatch(r"`\w+\.\w+`", cells[0])}
    written = {file.name for file in kept_run.iterdir() if not file.name.startswith(".")}
    assert listed == written | {"distorted.png"}  # with --augment alone


def test_every_option_of_train_that_a_page_names_is_there(inside) -> None:
    help_text = inside("--help")[1] + inside("predict", "--help")[1]
    named = {span.split()[0] for span in code_spans(DOCS / "training.md") if span.startswith("--")}
    unknown = {option for option in named if not re.search(rf"^ *{option}\b", help_text, flags=re.MULTILINE)}
    assert unknown == {"--max-restarts"}  # torchrun's


def test_the_step_times_are_those_of_the_benchmark_on_each_processor() -> None:
    tables = [cells[1:] for cells in rows(DOCS / "speed.md") if len(cells) == 9]
    assert tables == [line for name in ("steps", "steps-emerald-rapids") for line in step_times(name)]


def step_times(name: str) -> list[list[str]]:
    """Return the table's head as the page has it, and its times."""
    text = (ROOT / f"benchmarks/results/{name}.md").read_text(encoding="utf-8")
    table = text.split("| µs per step")[1].split("\n\n")[0]
    measured = [[cell.strip() for cell in line.strip("|").split("|")][1:] for line in table.splitlines()[2:]]
    named = ["products alone", "by hand", "nn and torch.optim", "expert's loop", "torch.compile", "JAX jit"]
    return [[*named, "numpy", "scikit-learn"], *measured]


def test_the_step_of_lenet_is_that_of_the_last_benchmark() -> None:
    measured = [cells for cells in rows(ROOT / "benchmarks/results/lenet.md") if len(cells) == 6]
    assert [cells for cells in rows(DOCS / "speed.md") if len(cells) == 6] == measured


def test_the_products_of_each_library_are_those_of_the_last_benchmark() -> None:
    measured = [cells for cells in rows(ROOT / "benchmarks/results/products.md") if len(cells) == 7]
    assert len(measured) > 1
    assert [cells for cells in rows(DOCS / "speed.md") if len(cells) == 7] == measured


def test_the_other_figures_of_speed_stand_in_the_table_that_is_linked() -> None:
    linked = [cells for cells in rows(DOCS / "speed.md") if len(cells) == 4 and "benchmarks/results" in cells[3]]
    assert len(linked) == 6
    for _, by_hand, other, link in linked:
        path = re.search(r"\((.+)\)", link)
        table = (DOCS / path[1]).read_text(encoding="utf-8")
        for figure in re.findall(r"\d[\d.]*", f"{by_hand} {other}"):
            assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.])", table), (figure, path[1])


# --------------------------------------------------------------------------------------------------- rooms, versions


@pytest.mark.parametrize("package", ["manual_bp", "torch_ref", "manual_bp/training"])
def test_every_room_is_described(package: str) -> None:
    described = {span.rstrip("/").split("/")[-1] for span in code_spans(DOCS / "architecture.md")}
    rooms = {file.parent.name for file in (ROOT / package).glob("*/__init__.py")} - {"training"}
    modules = {file.name for file in (ROOT / "manual_bp").glob("*.py")} - {"__init__.py"}
    assert rooms <= described
    assert modules <= described


def test_the_changelog_has_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = getattr(manual_bp, "__version__", project.get("version"))
    assert re.search(
        rf"^(?:## |This will be ){re.escape(version)}\b", text_of(ROOT / "CHANGELOG.md"), flags=re.MULTILINE
    )


def test_the_lesson_page_is_made_from_what_is_here(lesson_data) -> None:
    from torch_ref.lesson.page.build import page

    mark = re.compile(r'<meta name="made-from" content="(\w+)">')
    kept = mark.search((DOCS / "lesson.html").read_text(encoding="utf-8"))
    command = "python -m torch_ref lesson --out docs/lesson.html"
    assert command in {span for block in blocks(ROOT / "CONTRIBUTING.md", "bash") for span in block.text.splitlines()}
    assert kept
    assert kept[1] == mark.search(page(lesson_data))[1], f"docs/lesson.html is out of date: {command}"


def test_the_kinds_of_blocks_are_explained() -> None:
    assert all(f"    {kind}" in documents.__doc__ for kind in documents.KINDS - {"text"})
