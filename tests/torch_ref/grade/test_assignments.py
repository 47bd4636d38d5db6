"""Assignments for course systems: what is in them, and that marking by them is marking by the grader.

``tests/formats.py`` holds those for otter-grader and nbgrader against the real packages.
"""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import students
from places import ROOT
from students import changed

from torch_ref import load_ipython_extension
from torch_ref.__main__ import main
from torch_ref.grade.formats import hidden
from torch_ref.grade.formats.cells import program
from torch_ref.grade.subjects import CHAPTERS, LECTURE, QUESTIONS_OF

OPTIONS = ("--seed", "5", "--sign", "either", "--hints", "2")
INDEX = ("--index", "https://example.org/cpu")
WORDS = "--seed 5 --sign either --hints 2 --time-limit 10 --memory-limit 1024"

# --------------------------------------------------------------------------------------------------------- Gradescope


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the archive of an autograder, unpacked as Gradescope does it."""
    root = tmp_path_factory.mktemp("autograder")
    (root / "points.json").write_text('{"Sigmoid error": 3, "ReLU": 0.5}', encoding="utf-8")
    words = ["--points", str(root / "points.json"), "--only", "Sigmoid", "ReLU", "--template", "numpy"]
    assert main(["grade", "--gradescope-zip", str(root / "autograder.zip"), *OPTIONS, *words, *INDEX]) == 0
    with zipfile.ZipFile(root / "autograder.zip") as archive:
        archive.extractall(root / "source")
        for name in ("setup.sh", "run_autograder"):
            assert archive.getinfo(name).external_attr >> 16 & 0o111, "has to be a program"
    (root / "points.json").unlink()
    shutil.copy(root / "source" / "run_autograder", root)
    for folder in ("submission", "results", "venv/bin"):
        (root / folder).mkdir(parents=True)
    python = root / "venv" / "bin" / "python"  # in the place of what setup.sh installs
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return root / "source"


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="Gradescope runs Ubuntu")
def test_an_archive_grades_a_submission_from_an_empty_folder(source: Path) -> None:
    root = source.parent
    wrong = students.HEAD + students.RELU + changed(students.SIGMOID, ("saved * (1 - saved) *", ""))
    (root / "submission" / "sigmoid.py").write_text(wrong, encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "AUTOGRADER_ROOT": str(root)}
    done = subprocess.run(
        ["bash", str(root / "run_autograder")], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))
    marks = [(t["name"], t["score"], t["max_score"]) for t in found["tests"]]
    assert marks == [("Sigmoid x", 1, 1), ("Sigmoid δ", 0, 3), ("ReLU x", 0.5, 0.5), ("ReLU δ", 0.5, 0.5)]
    assert (found["score"], found["extra_data"]["seed"]) == (2, 5)
    assert found["tests"][1]["output"].startswith("wrong, at sigmoid.py:"), "--hints 2"


def test_the_options_and_the_template_are_in_the_archive(source: Path) -> None:
    run = (source / "run_autograder").read_text(encoding="utf-8")
    assert f'{WORDS} --only Sigmoid ReLU --points "$root/source/points.json"' in run
    assert "import numpy as np" in (source / "template" / "student.py").read_text(encoding="utf-8")
    assert not list(source.rglob("__pycache__/*.py"))


def test_setup_installs_the_versions_that_are_verified(source: Path, tmp_path: Path) -> None:
    """With programs in the place of apt-get and Python that write down what they were asked."""
    log = tmp_path / "log"
    (tmp_path / "apt-get").write_text(f'#!/bin/sh\necho apt-get "$@" >> {log}\n')
    venv = f'mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo venv "$3" >> {log}'
    for name, new in {"python3": 1, "python3.11": 0}.items():
        case = f'case "$1 $2" in "-m venv") {venv} ;; -c*) exit {new} ;; *) echo "$@" >> {log} ;; esac'
        (tmp_path / name).write_text(f"#!/bin/sh\n{case}\n")
    for file in tmp_path.iterdir():
        file.chmod(0o755)
    shutil.copytree(source, tmp_path / "source", ignore=shutil.ignore_patterns("manual_bp", "torch_ref"))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "AUTOGRADER_ROOT": str(tmp_path)}
    subprocess.run(["bash", str(source / "setup.sh")], env=environment, check=True)
    asked = log.read_text().splitlines()
    assert "apt-get install -y python3.11 python3.11-venv" in asked, "where python3 is too old"
    assert f"venv {tmp_path}/venv" in asked
    assert re.match(
        rf"-m pip install .* -c {tmp_path}/source/constraints.txt --extra-index-url {INDEX[1]} torch numpy rich$",
        asked[-1],
    )
    verified = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert (source / "constraints.txt").read_text(encoding="utf-8") == verified


def test_the_same_options_make_the_same_archive(source: Path, tmp_path: Path, capsys) -> None:
    for name in "ab":
        assert main(["grade", "--gradescope-zip", str(tmp_path / name), *OPTIONS]) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert "--seed 5 is in it" in capsys.readouterr().out


# ---------------------------------------------------------------------------------------------------------- notebooks


def made(capsys, *words: str) -> nbformat.NotebookNode:
    """Return the notebook that the command makes."""
    assert main(["grade", "--format", "nbgrader", *OPTIONS, *words]) == 0
    notebook = nbformat.reads(capsys.readouterr().out, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_nbgrader_gets_a_cell_for_each_class_and_a_hidden_test_for_each_formula(tmp_path: Path, capsys) -> None:
    (tmp_path / "points.json").write_text('{"Linear weight": 2.5, "Tanh": 0}', encoding="utf-8")
    cells = made(capsys, "--points", str(tmp_path / "points.json")).cells
    known = [cell.metadata.nbgrader for cell in cells if "nbgrader" in cell.metadata]
    assert {m.schema_version for m in known} == {3}
    assert [m.grade_id for m in known if m.solution] == list(LECTURE)
    graded = {m.grade_id: m.points for m in known if m.grade}
    assert list(graded) == [f"{of.kind.__name__}-{of.makes}" for name in LECTURE for of in QUESTIONS_OF[name]]
    assert (graded["Linear-weight"], graded["Tanh-error"], graded["ReLU-error"]) == (2.5, 0, 1)
    assert all(m.locked for m in known if not m.solution)
    tests = {cell.metadata.nbgrader.grade_id: cell.source for cell in cells if "HIDDEN" in cell.source}
    assert list(tests) == list(graded)
    assert tests["Linear-weight"].startswith("# Linear ∂L/∂W (E12), points: 2.5\n### BEGIN HIDDEN TESTS\n")
    assert tests["Linear-weight"].endswith(f"\nassert_right('Linear weight', '{WORDS}')\n### END HIDDEN TESTS")


def test_an_assignment_of_several_chapters_has_the_template_of_each(tmp_path: Path, capsys) -> None:
    classes = [*CHAPTERS["convolution"], *CHAPTERS["norm"]]
    cells = made(capsys, "--chapter", "convolution", "norm").cells
    known = [cell.metadata.nbgrader for cell in cells if "nbgrader" in cell.metadata]
    assert [m.grade_id for m in known if m.solution] == classes
    asked = "--only " + " ".join(classes)
    assert all(asked in cell.source for cell in cells if "HIDDEN" in cell.source)
    archive = tmp_path / "autograder.zip"
    assert main(["grade", "--gradescope-zip", str(archive), "--chapter", "convolution", "norm"]) == 0
    with zipfile.ZipFile(archive) as opened:
        assert "class Conv2d" in opened.read("template/convolution.py").decode()
        assert "class LayerNorm" in opened.read("template/norm.py").decode()
        assert asked in opened.read("run_autograder").decode()


OWN_NETWORK = """
SHAPES = {"x": ("N", "n"), "t": ("N", 1), "w": ("n", 1)}


def forward(x, t, w):
    y = x @ w
    L = ((y - t) ** 2).mean()
    return L
"""


def test_a_network_of_the_lecturer_s_own_goes_into_the_archive_and_nowhere_else(tmp_path: Path, capsys) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN_NETWORK, encoding="utf-8")
    archive = tmp_path / "autograder.zip"
    assert main(["grade", "--gradescope-zip", str(archive), "--network", str(own)]) == 0
    with zipfile.ZipFile(archive) as opened:
        assert opened.read("network.py").decode() == OWN_NETWORK
        assert '--network "$root/source/network.py"' in opened.read("run_autograder").decode()
        assert "def backward" in opened.read("template/student.py").decode()
    with pytest.raises(SystemExit):
        main(["grade", "--format", "nbgrader", "--chapter", "network"])
    assert "asks for classes, not for a whole network: use --gradescope-zip" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["torch", "numpy"])
def test_the_cells_of_nbgrader_are_the_template(kind: str, capsys) -> None:
    cells = made(capsys, "--template", kind).cells
    sources = [cell.source for cell in cells if cell.cell_type == "code" and "HIDDEN" not in cell.source]
    assert main(["grade", "--template", kind]) == 0
    template = capsys.readouterr().out
    bare = [re.sub(r" *### (BEGIN|END) SOLUTION\n", "", source + "\n") for source in sources[1:]]
    assert all(source in template for source in bare)
    assert len(bare) == 6
    assert sources[0].splitlines()[0] == "%load_ext torch_ref"
    assert ("import numpy as np" in sources[0]) is (kind == "numpy")
    opened = [re.findall(r"### BEGIN SOLUTION\n( *raise .*)\n *### END SOLUTION", source) for source in sources[1:]]
    assert sum(map(len, opened)) == template.count("raise NotImplementedError(")


def test_only_the_classes_that_count_are_in_a_notebook(capsys) -> None:
    cells = made(capsys, "--only", "ReLU").cells
    assert [c.metadata.nbgrader.grade_id for c in cells[2:]] == ["ReLU", "ReLU-forward", "ReLU-error"]


def test_otter_gets_a_test_file_for_each_class(tmp_path: Path) -> None:
    (tmp_path / "points.json").write_text('{"Sigmoid error": 3}', encoding="utf-8")
    words = ["--points", str(tmp_path / "points.json"), "--only", "Sigmoid", "ReLU", "--template", "numpy"]
    assert main(["grade", "--format", "otter", "--out", str(tmp_path / "otter"), *OPTIONS, *words, *INDEX]) == 0
    assert sorted(path.name for path in (tmp_path / "otter" / "tests").iterdir()) == ["2_Sigmoid.py", "4_ReLU.py"]
    text = (tmp_path / "otter" / "tests" / "2_Sigmoid.py").read_text(encoding="utf-8")
    assert f"OPTIONS = '{WORDS} --only Sigmoid ReLU'" in text
    assert "@test_case(name='Sigmoid δ', points=3, hidden=False)\ndef test_error():\n" in text
    assert (tmp_path / "otter" / "torch_ref" / "grade" / "formats" / "hidden.py").is_file()
    assert "import numpy" in (tmp_path / "otter" / "student.py").read_text(encoding="utf-8")
    first, *versions = (tmp_path / "otter" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert first == "--extra-index-url https://example.org/cpu"
    assert {line.partition("==")[0] for line in versions} == {"torch", "numpy", "rich"}
    assert {*versions} <= {*(ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()}


def test_at_level_0_the_test_cases_of_otter_are_hidden(tmp_path: Path) -> None:
    assert main(["grade", "--format", "otter", "--out", str(tmp_path), "--hints", "0", "--only", "ReLU"]) == 0
    assert (tmp_path / "tests" / "4_ReLU.py").read_text(encoding="utf-8").count("hidden=True") == 2


# -------------------------------------------------------------------------------------- the cells of a notebook, graded


class Shell:
    """What the magics use of IPython's shell, and its magics."""

    def __init__(self, *cells: str) -> None:
        self.user_ns, self.magics = {}, {}
        self.history_manager = SimpleNamespace(input_hist_raw=["", *cells])
        load_ipython_extension(self)

    def register_magic_function(self, func, magic_kind="line", magic_name=None) -> None:
        self.magics[magic_kind, magic_name] = func

    def run_cell(self, raw_cell: str) -> SimpleNamespace:
        try:
            exec(raw_cell, self.user_ns)
        except Exception:  # as IPython does: a cell that raises is an outcome
            return SimpleNamespace(success=False)
        return SimpleNamespace(success=True)

    def grade(self, line: str, cell: str) -> None:
        """Run a cell with %%grade above it."""
        self.history_manager.input_hist_raw.append(f"%%grade {line}\n{cell}")
        self.magics["cell", "grade"](line, cell)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """Let the command run in this process, which spares two imports of torch; give the words of each run."""
    asked = []

    def run(words: Sequence[str], *, cwd: str, **_: object) -> SimpleNamespace:
        assert words[:5] == [sys.executable, "-P", "-m", "torch_ref", "grade"]
        asked.append(words[5:])
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(words[4:])
            except SystemExit as ended:
                code = ended.code
        return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())

    monkeypatch.setattr(hidden.subprocess, "run", run)
    hidden._marks.cache_clear()
    return asked


WRONG_SIGMOID = changed(students.SIGMOID, ("saved * (1 - saved) *", "")).lstrip()


def test_a_cell_is_graded_with_what_it_reaches_in_others(here, capsys) -> None:
    shell = Shell(students.HEAD, "!pip list\nimport nowhere\n", "1 / 0")
    shell.run_cell(students.HEAD)
    shell.grade("--seed 3", WRONG_SIGMOID)
    out, err = capsys.readouterr()
    assert "1 of 2 points" in out
    assert "Sigmoid.backward at cell 4, line 7" in " ".join(out.split()), "of the cell, %%grade counted"
    assert err == ""
    assert here == [["cells.py", "--only", "Sigmoid", "--seed", "3"]]


@pytest.mark.parametrize(
    ("line", "cell", "said"),
    [
        ("", "1 / 0", "%%grade: the cell raises, nothing was graded"),
        ("", "x = 1", "%%grade: expected a cell that defines one of the classes Linear, Sigmoid"),
        ("--hints 9", "class ReLU: pass", "%%grade: argument --hints: invalid choice"),
    ],
)
def test_a_cell_that_cannot_be_graded_gets_one_line(line: str, cell: str, said: str, here, capsys) -> None:
    Shell().grade(line, cell)
    out, err = capsys.readouterr()
    assert out == ""
    (only,) = err.splitlines()
    assert only.startswith(said)


def test_a_hidden_test_raises_where_its_formula_is_wrong(here, monkeypatch) -> None:
    shell = Shell(students.HEAD, students.RELU, WRONG_SIGMOID)
    monkeypatch.setattr(hidden, "import_module", lambda _: SimpleNamespace(get_ipython=lambda: shell))
    options = "--seed 3 --only Sigmoid ReLU Tanh"
    for formula in ("Sigmoid forward", "ReLU forward", "ReLU error"):
        hidden.assert_right(formula, options)
    with pytest.raises(AssertionError, match=r"Sigmoid\.backward at cell 3, line 6\.\nLikely cause: σ′ is missing"):
        hidden.assert_right("Sigmoid error", options)
    with pytest.raises(AssertionError, match="the class is missing"):
        hidden.assert_right("Tanh error", options)
    with pytest.raises(AssertionError, match="Linear is missing"):
        hidden.assert_right("Linear weight", options)
    assert len(here) == 1, "all tests of a notebook share a grading"
    with pytest.raises(RuntimeError, match="invalid choice"):
        hidden.assert_right("Sigmoid error", "--sign none")


def test_a_notebook_without_any_class_loses_every_formula(here, monkeypatch) -> None:
    monkeypatch.setattr(hidden, "import_module", lambda _: SimpleNamespace(get_ipython=lambda: Shell("x = 1")))
    with pytest.raises(AssertionError, match="ReLU is missing: no cell that was run defines it"):
        hidden.assert_right("ReLU error", "--seed 3")
    assert here == []


def test_the_command_finds_this_package_and_nothing_of_the_notebooks_folder(tmp_path: Path, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(hidden.subprocess, "run", lambda words, **settings: seen.append((words, settings)))
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    hidden._command(program(["x = 1"], []), ["--seed", "3"])
    ((words, settings),) = seen
    assert "-P" in words
    assert settings["env"]["PYTHONPATH"].split(os.pathsep) == [str(ROOT), "elsewhere"]
    assert not Path(settings["cwd"]).exists(), "the folder is gone"


# ------------------------------------------------------------------------------------------- the program of a notebook

FUTURE = "from __future__ import annotations"
R = "class ReLU:\n    y = f(k)"


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (["k = 1\nz = 2", "def f(x):\n    return x", R], ["k = 1", "def f(x):", "    return x", *R.split("\n")]),
        (["k = 1", "k = 2", R], ["k = 2", *R.split("\n")]),
        (["k = 1", "k += 1", R], ["k = 1", "k += 1", *R.split("\n")]),
        (["class ReLU:\n    y = 1", R], R.split("\n")),
        ([R, "ReLU.z = k", "k = 3"], [*R.split("\n"), "ReLU.z = k", "k = 3"]),
        ([f"{FUTURE}\nk = 1", R], [FUTURE, "k = 1", *R.split("\n")]),
        (["k = 1", f"{FUTURE}\n{R}"], [FUTURE, "k = 1", *R.split("\n")]),
        (["%matplotlib inline\nk = 1\nlist?\nfiles = !ls", R], ["k = 1", *R.split("\n")]),
        (["k = (5\n  % 3)", R], ["k = (5", "  % 3)", *R.split("\n")]),
        (["%%time\nk = 1", R], ["k = 1", *R.split("\n")]),
        (["k = (", R], R.split("\n")),
        (["import numpy as k\nimport torch", R], ["import numpy as k", *R.split("\n")]),
        (["@k\nclass ReLU:\n    pass"], ["@k", "class ReLU:", "    pass"]),
        (['if __name__ == "__main__":\n    k = 1', R], R.split("\n")),
        (["if True:\n    k = 1", R], ["if True:", "    k = 1", *R.split("\n")]),
    ],
    ids=[
        "reached", "defined again", "changed", "class again", "changed later", "future", "future last", "magics",
        "a rest with %", "cell magic", "no Python", "imports", "decorated", "main guard", "a condition",
    ],
)  # fmt: skip
def test_a_program_has_what_the_classes_reach(cells: list[str], text: list[str]) -> None:
    assert program(cells, ["ReLU"]).text.splitlines() == text


def test_a_line_of_the_program_is_named_by_its_cell() -> None:
    found = program(["z = 1\nk = 2", "\n\n" + R], ["ReLU"])
    assert found.placed("at cells.py:1, at cells.py:3; my_cells.py:1 cells.py:99") == (
        "at cell 1, line 2, at cell 2, line 4; my_cells.py:1 cells.py:99"
    )
