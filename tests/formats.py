"""Hold the assignments for otter-grader and nbgrader against the real packages.

    python tests/formats.py otter
    python tests/formats.py nbgrader

Each has an environment of its own, made on the first run, with the package from PyPI; torch is that of this Python.
"""

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS / "torch_ref" / "grade"))

import students  # noqa: E402

PACKAGES = {"otter": ["otter-grader", "ipykernel"], "nbgrader": ["nbgrader"]}
POSSIBLE = 16
RIGHT = [students.LINEAR, students.SIGMOID, students.TANH, students.RELU, students.SQUARED_ERROR, students.SOFTMAX]
WITHOUT_SLOPE = students.changed(students.SIGMOID, ("saved * (1 - saved) *", ""))
OTHER_SIGN = students.changed(students.SQUARED_ERROR, ("(t - y) / n", "(y - t) / n"))

CELLS = {
    "anna": RIGHT,
    "ben": [WITHOUT_SLOPE if cell is students.SIGMOID else cell for cell in RIGHT],
    "carl": [OTHER_SIGN if cell is students.SQUARED_ERROR else cell for cell in RIGHT[:-1]],
}
LOST = {
    "anna": [],
    "ben": ["Sigmoid δ"],
    "carl": ["SquaredError e", "SoftmaxCrossEntropy y", "SoftmaxCrossEntropy L", "SoftmaxCrossEntropy δ"],
}


def environment(folder: Path, packages: list[str]) -> Path:
    """Return the folder of an environment's programs; it is made where there is none."""
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    if not folder.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([programs / "python", "-m", "pip", "install", "-q", *packages], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "torch_of_the_tests.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return programs


def run(*words: object, cwd: Path, programs: Path) -> str:
    """Run a program to its end and return what it printed; what it complains of ends this one."""
    # Last in the path of Python, so that a package that the environment has is the environment's.
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    settings = os.environ | {"PYTHONPATH": str(TESTS.parent), "PATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(list(map(str, words)), cwd=cwd, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{words[0]} ended with exit code {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def notebook(sources: list[str]) -> dict:
    """Return a notebook of these cells."""
    cells = [
        {"cell_type": "code", "execution_count": None, "outputs": [], "metadata": {}, "id": f"c{i}", "source": source}
        for i, source in enumerate(sources)
    ]
    return {"cells": cells, "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4, "nbformat_minor": 5}  # fmt: skip


def by_otter(folder: Path, programs: Path) -> dict[str, list[str]]:
    """Return the formulas that otter takes points off for, by student: a script and notebooks."""
    grade = [sys.executable, "-m", "torch_ref", "grade"]
    run(*grade, "--format", "otter", "--out", folder / "otter", "--seed", 3, cwd=folder, programs=programs)
    words = "generate -t tests -r requirements.txt --no-environment -o autograder.zip manual_bp torch_ref"
    run(programs / "otter", *words.split(), cwd=folder / "otter", programs=programs)
    found = {}
    for name, cells in CELLS.items():
        out = folder / name
        out.mkdir()
        if name == "anna":
            submission = out / "student.py"
            submission.write_text(students.HEAD + "".join(cells), encoding="utf-8")
        else:
            submission = out / "student.ipynb"
            submission.write_text(json.dumps(notebook([students.HEAD, *cells])), encoding="utf-8")
        zipped = folder / "otter" / "autograder.zip"
        run(programs / "otter", "run", submission, "-a", zipped, "-o", out, "--no-logo", cwd=out, programs=programs)
        results = json.loads((out / "results.json").read_text(encoding="utf-8"))
        found[name] = failed_in(results)
    return found


def failed_in(results: dict) -> list[str]:
    """Return the names of the test cases that otter reports as failed; their points must be gone too."""
    lost = []
    for test in results["tests"]:
        if test["visibility"] == "hidden":  # those of the lecturer, one for each file; the public one repeats them
            if test["output"].endswith("All test cases failed!"):
                raise AssertionError(test)
            parts = test["output"].split(" result:\n")
            names = [part.splitlines()[-1].strip() for part in parts[:-1]]
            lost += [name for name, part in zip(names, parts[1:], strict=True) if "❌ Test case failed" in part]
    earned = sum(test.get("score") or 0 for test in results["tests"])
    assert earned == POSSIBLE - len(lost), (earned, lost, results)
    return lost


READ = """
import json, sys
from nbgrader.api import Gradebook
from nbgrader.nbgraderformat import read
with open("source/formulas/formulas.ipynb", encoding="utf-8") as file:
    read(file, as_version=4)  # which raises where the metadata are not nbgrader's
with Gradebook("sqlite:///gradebook.db") as book:
    found = {}
    for submission in book.assignment_submissions("formulas"):
        (one,) = submission.notebooks
        grades = {grade.cell.name: (grade.score, grade.max_score) for grade in one.grades}
        found[submission.student.id] = grades
print(json.dumps(found))
"""


def by_nbgrader(folder: Path, programs: Path) -> dict[str, list[str]]:
    """Return the formulas that nbgrader takes points off for, by student, from a course of its own."""
    source = folder / "source" / "formulas"
    source.mkdir(parents=True)
    (folder / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'lecture'\n")
    grade = [sys.executable, "-m", "torch_ref", "grade", "--format", "nbgrader", "--seed", 3]
    run(*grade, "--out", source / "formulas.ipynb", cwd=folder, programs=programs)
    given = json.loads((source / "formulas.ipynb").read_text(encoding="utf-8"))
    names = {cell["id"]: cell["source"][0][2:].partition(" (")[0] for cell in given["cells"][1:]}
    run(programs / "nbgrader", "generate_assignment", "formulas", "--create", cwd=folder, programs=programs)
    released = (folder / "release" / "formulas" / "formulas.ipynb").read_text(encoding="utf-8")
    assert "assert_right" not in released
    assert "TODO" not in released
    assert "YOUR CODE HERE" in released
    for name, cells in CELLS.items():
        filled = json.loads(released)
        for cell in filled["cells"]:
            own = [c for c in cells if f"class {cell['metadata'].get('nbgrader', {}).get('grade_id')}:" in c]
            if own:
                cell["source"] = own[0].lstrip("\n")
        submitted = folder / "submitted" / name / "formulas"
        submitted.mkdir(parents=True)
        (submitted / "formulas.ipynb").write_text(json.dumps(filled), encoding="utf-8")
    run(programs / "nbgrader", "autograde", "formulas", "--create", cwd=folder, programs=programs)
    found = json.loads(run(programs / "python", "-c", READ, cwd=folder, programs=programs))
    lost = {}
    for student, grades in found.items():
        assert len(grades) == POSSIBLE, grades
        lost[student] = [names[cell] for cell in names if cell in grades and grades[cell][0] < grades[cell][1]]
    return lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", choices=PACKAGES)
    parser.add_argument("--environment", type=Path, help="a folder (runs/PACKAGE); made where there is none")
    arguments = parser.parse_args()
    place = (arguments.environment or TESTS.parent / "runs" / arguments.package).absolute()
    programs = environment(place, PACKAGES[arguments.package])
    with tempfile.TemporaryDirectory() as folder:
        found = {"otter": by_otter, "nbgrader": by_nbgrader}[arguments.package](Path(folder), programs)
    for name, lost in found.items():
        print(f"{name}: {POSSIBLE - len(lost)} of {POSSIBLE}, lost: {', '.join(lost) or 'nothing'}")
    if found != LOST:
        sys.exit(f"expected {LOST}")
    print(f"{PACKAGES[arguments.package][0]} gives the points that the grader gives.")


if __name__ == "__main__":
    main()
