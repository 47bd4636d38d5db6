"""Marks for course systems: JUnit, Gradescope and pages say what the table says, whatever a student's text is."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
from places import ROOT

from torch_ref.__main__ import main
from torch_ref.grade.course import Course, Student
from torch_ref.grade.formats import gradescope, junit, pages
from torch_ref.grade.grading import Grading, Mark
from torch_ref.grade.subjects import QUESTIONS_OF
from torch_ref.grade.telling import told
from torch_ref.grade.unusable import UnusableFileError

X, DELTA = QUESTIONS_OF["Sigmoid"]
HOSTILE = "\x1b[31m\x00<script>alert('&')</script>]]>\ud800\x85é"
"""What an exception of a student's may say."""

RIGHT = Grading("anna.py", 7, ("Sigmoid",), (Mark(X, earned=True), Mark(DELTA, earned=True, worth=2.5)))
WRONG = replace(
    RIGHT,
    marks=(
        Mark(X, earned=False, code="raises", remark=f"raises ValueError: {HOSTILE}", hint=f"Wrong: {HOSTILE}\nline 2"),
        Mark(DELTA, earned=True, worth=2.5),
    ),
    convention="All signs are the other way.",
)
SPOILED = replace(
    RIGHT,
    note="ida.py:2: SyntaxError",
    marks=tuple(Mark(of, earned=False, code="not-run", remark="ida.py:2: SyntaxError") for of in (X, DELTA)),
)


def course(level: int = 3) -> Course:
    """Return a class of four, told as much as a level says."""
    students = (
        Student("anna", "anna.py", told(RIGHT, level)),
        Student(f"ben/{HOSTILE}", f"{HOSTILE}.py", told(WRONG, level)),
        Student("ida", "ida.py", told(SPOILED, level)),
        Student("fay", "fay.py", None, f"fay.py defines none of the classes {HOSTILE}"),
    )
    return Course(7, 3.5, students, (("anna", f"ben/{HOSTILE}"),))


def one(i: int, level: int = 3) -> Course:
    """Return the class of one of them alone."""
    whole = course(level)
    return replace(whole, students=whole.students[i : i + 1])


# -------------------------------------------------------------------------------------------------------------- JUnit

ORDER = {
    "testsuites": "(testsuite )*",
    "testsuite": "properties (testcase )*system-out system-err ",
    "properties": "(property )*",
    "testcase": "(error |failure )?",
}
"""The children of each element in Ant's schema of JUnit's reports; of any other, none."""

OUTCOMES = [("0", "0"), ("1", "0"), ("0", "2"), ("0", "1")]
"""The failures and errors of the four students."""

ATTRIBUTES = {
    "testsuites": set(),
    "testsuite": {"name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "time"},
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "error": {"type", "message"},
    "failure": {"type", "message"},
}


def parsed(text: str) -> Xml.Element:
    """Return JUnit's XML after a look at every element as the schema has it."""
    root = Xml.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        children = "".join(f"{child.tag} " for child in element)
        assert re.fullmatch(ORDER.get(element.tag, ""), children), element.tag
        assert element.attrib.keys() == ATTRIBUTES.get(element.tag, set())
    for i, suite in enumerate(root):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
        assert suite.get("id") == str(i)
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        for kind in ("failure", "error"):
            assert int(suite.get(f"{kind}s")) == sum(case.find(kind) is not None for case in cases)
    return root


def test_junit_has_a_testsuite_for_each_student_and_a_testcase_for_each_formula() -> None:
    root = parsed(junit.text(course()))
    names = [[case.get("name") for case in suite.findall("testcase")] for suite in root]
    assert names == [["Sigmoid x", "Sigmoid δ"]] * 3 + [["file"]]
    assert [(s.get("failures"), s.get("errors")) for s in root] == OUTCOMES
    points = [{p.get("name"): p.get("value") for p in suite.find("properties")} for suite in root]
    assert [(p["points"], p["possible"], p["seed"]) for p in points] == [
        ("3.5", "3.5", "7"), ("2.5", "3.5", "7"), ("0", "3.5", "7"), ("0", "3.5", "7"),
    ]  # fmt: skip
    assert root[1].find("system-out").text == "All signs are the other way."


@pytest.mark.parametrize("level", range(4))
def test_a_file_that_cannot_be_run_is_an_error_at_every_level(level: int) -> None:
    root = parsed(junit.text(course(level)))
    assert [(s.get("failures"), s.get("errors")) for s in root] == OUTCOMES
    assert root[2].find("system-err").text == "ida.py:2: SyntaxError"


def test_no_character_of_a_students_text_breaks_the_xml() -> None:
    text = junit.text(course())
    assert text.isascii()
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    failure = parsed(text)[1].find("testcase/failure")
    assert failure.get("message").startswith("0 of 1 points: raises ValueError: �[31m�<script>alert('&')</script>]]>�")
    assert failure.text.endswith("é\nline 2")


@pytest.mark.parametrize(
    ("level", "message", "text"),
    [
        (0, "0 of 1 points", ""),
        (1, "0 of 1 points: wrong", ""),
        (2, "0 of 1 points: raises ValueError", ""),
        (3, "0 of 1 points: raises ValueError", "Wrong: "),
    ],
)
def test_a_failure_tells_as_much_as_the_level_says(level: int, message: str, text: str) -> None:
    failure = parsed(junit.text(course(level)))[1].find("testcase/failure")
    assert failure.get("message").startswith(message)
    assert (failure.text or "").startswith(text)
    assert bool(failure.text) is bool(text)


# --------------------------------------------------------------------------------------------------------- Gradescope

NUMBER, TEXT = {"type": "number"}, {"type": "string"}
WHEN = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
AS = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
TEST = {
    "score": NUMBER, "max_score": NUMBER, "status": {"enum": ["passed", "failed"]}, "name": TEXT, "name_format": AS,
    "number": TEXT, "output": TEXT, "output_format": AS, "tags": {"type": "array", "items": TEXT}, "visibility": WHEN,
    "extra_data": {"type": "object"},
}  # fmt: skip
RESULTS = {
    "score": NUMBER, "execution_time": NUMBER, "output": TEXT, "output_format": AS, "test_output_format": AS,
    "test_name_format": AS, "visibility": WHEN, "stdout_visibility": WHEN, "extra_data": {"type": "object"},
    "tests": {
        "type": "array",
        "items": {"type": "object", "properties": TEST, "additionalProperties": False,
                  "required": ["name", "score", "max_score"]},
    },
    "leaderboard": {"type": "array"},
}  # fmt: skip
SCHEMA = {"type": "object", "properties": RESULTS, "additionalProperties": False, "required": ["score"]}
"""What Gradescope's page on the output of an autograder lets stand in results.json."""


def results(of: Course) -> dict:
    """Return Gradescope's results after a look at them as the schema has it."""
    text = gradescope.text(of, 1.234)
    assert text.isascii()
    found = json.loads(text)
    jsonschema.validate(found, SCHEMA)
    assert found["score"] == sum(test["score"] for test in found["tests"])
    return found


def test_gradescope_gets_a_test_for_each_formula_with_its_points() -> None:
    found = results(one(1))
    told = [(t["name"], t["number"], t["score"], t["max_score"], t["status"]) for t in found["tests"]]
    assert told == [("Sigmoid x", "2.1", 0, 1, "failed"), ("Sigmoid δ", "2.2", 2.5, 2.5, "passed")]
    assert found["tests"][0]["tags"] == ["E2", "raises"]
    assert (found["score"], found["execution_time"], found["stdout_visibility"]) == (2.5, 1.23, "hidden")
    assert found["output"] == "All signs are the other way.\n\n2.5 of 3.5 points."


def test_a_student_on_gradescope_does_not_learn_the_seed() -> None:
    found = results(one(1))
    assert found.pop("extra_data")["seed"] == 7
    assert "seed" not in json.dumps(found)


@pytest.mark.parametrize(("i", "said"), [(2, "ida.py:2: SyntaxError"), (3, "defines none of the classes")])
def test_a_file_that_cannot_be_graded_gets_results_with_the_reason(i: int, said: str) -> None:
    found = results(one(i))
    assert found["score"] == 0
    assert said in found["output"]


def test_at_level_0_the_points_alone_are_visible() -> None:
    assert {test["visibility"] for test in results(one(1, level=0))["tests"]} == {"hidden"}
    assert {test["visibility"] for test in results(one(1, level=1))["tests"]} == {"visible"}
    assert results(one(1, level=0))["output"] == "2.5 of 3.5 points."


def submission(folder: Path, **files: str) -> Path:
    """Return a submission with these files."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def test_of_a_submission_the_file_with_the_classes_is_graded(tmp_path: Path) -> None:
    found = gradescope.the_file(submission(tmp_path, plots="x = 1\n", mine="class ReLU:\n    pass\n"))
    assert found == tmp_path / "mine.py"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no .py file in"),
        ({"a": "class ReLU: pass", "b": "class Tanh: pass"}, "got a.py, b.py"),
        ({"a": "x = 1", "b": "y = 1"}, "got a.py, b.py"),
    ],
)
def test_a_submission_of_no_file_or_of_two_is_an_error(tmp_path: Path, files: dict, said: str) -> None:
    with pytest.raises(UnusableFileError, match=re.escape(said)):
        gradescope.the_file(submission(tmp_path, **files))


def test_gradescope_hears_of_a_submission_that_cannot_be_graded(tmp_path: Path, capsys) -> None:
    out = tmp_path / "results.json"
    folder = submission(tmp_path, a="class ReLU: pass", b="class Tanh: pass")
    assert main(["grade", str(folder), "--format", "gradescope", "--out", str(out)]) == 1
    found = json.loads(out.read_text(encoding="utf-8"))
    jsonschema.validate(found, SCHEMA)
    assert "expected one file with the classes" in found["output"]
    assert (found["score"], found["tests"], found["extra_data"]["possible"]) == (0, [], 16)


# -------------------------------------------------------------------------------------------------------------- pages


class Read(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pages.write(tmp_path / "pages", course())
    return tmp_path / "pages"


def test_there_is_a_page_for_each_student_and_an_index(folder: Path) -> None:
    index = Read(folder / "index.html")
    links = [attributes["href"] for attributes in index.of("a")]
    assert links == [f"students/{name}.html" for name in ("anna", "ben-31m-script-alert-script", "ida", "fay")]
    assert {path.name for path in (folder / "students").iterdir()} == {Path(link).name for link in links}
    assert "1 of 4: Sigmoid x: raises ValueError" in index.text
    assert "--seed 7" in index.text
    assert "The same code" in index.text
    anna = Read(folder / links[0])
    assert "3.5 of 3.5 points" in anna.text
    assert "✓ 2.5 of 2.5" in anna.text
    assert "defines none of the classes" in Read(folder / links[3]).text
    assert "All signs are the other way." in Read(folder / links[1]).text


def test_a_students_page_says_nothing_of_others_or_of_the_seed(folder: Path) -> None:
    text = (folder / "students" / "anna.html").read_text(encoding="utf-8")
    assert not any(words in text for words in ("ben", "ida.py", "--seed", "index.html"))


def test_what_came_from_a_student_is_text_on_a_page(folder: Path) -> None:
    for path in folder.rglob("*.html"):
        page = Read(path)
        assert not page.of("script")
        assert "\x1b" not in page.text
    page = Read(folder / "students" / "ben-31m-script-alert-script.html")
    assert page.text.count("<script>alert('&')</script>]]>") == 4  # title, heading, remark and hint


def test_a_page_loads_nothing_and_forbids_it(folder: Path) -> None:
    for path in folder.rglob("*.html"):
        page = Read(path)
        assert [a["href"] for a in page.of("link")] == ["data:,"]
        assert not any("src" in attributes for _, attributes in page.elements)
        assert "url(" not in page.text
        (policy,) = [a["content"] for a in page.of("meta") if a.get("http-equiv") == "Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")


def test_names_that_make_the_same_file_name_get_pages_of_their_own(tmp_path: Path) -> None:
    students = tuple(Student(name, "f.py", RIGHT) for name in ("Ann", "ann", "ann-2", "été", "日本", ".."))
    pages.write(tmp_path, Course(7, 3.5, students))
    assert sorted(path.name for path in (tmp_path / "students").iterdir()) == [
        "Ann.html", "ann-2-2.html", "ann-2.html", "student-2.html", "student.html", "t.html",
    ]  # fmt: skip


def test_at_level_0_a_page_has_the_points_alone(tmp_path: Path) -> None:
    pages.write(tmp_path, course(level=0))
    page = Read(next((tmp_path / "students").glob("ben*")))
    assert "2.5 of 3.5 points" in page.text
    assert not page.of("table")
    assert "raises" not in page.text


def test_pages_and_lesson_have_the_same_colours() -> None:
    def colours(file: str) -> dict[str, str]:
        text = (ROOT / "torch_ref" / file).read_text(encoding="utf-8")
        return dict(re.findall(r"(--[\w-]+): (light-dark\(.*?\));", text))

    ours, lessons = colours("grade/formats/pages.css"), colours("lesson/page/web/lesson.css")
    assert ours == {name: lessons["--forward" if name == "--accent" else name] for name in ours}
    assert len(ours) == 8


# ------------------------------------------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.py", "--out", "x"], "--out is where --format writes: expected --format too"),
        (["--gradescope-zip", "z", "--format", "otter"], "leave out --format otter"),
        (["a.py", "--index", "https://example.org"], "--index is of what installs torch: expected --gradescope-zip"),
        (["--gradescope-zip", "z", "--index", "-r x"], "expected an address as https://..., got -r x"),
        (
            ["a.py", "--gradescope-zip", "z"],
            "makes an assignment and grades nothing: expected no FILE",
        ),
        (["a.py", "--format", "nbgrader"], "--format nbgrader makes an assignment and grades nothing"),
        (["--format", "nbgrader", "--html", "d", "--csv", "-"], "leave out --csv, --html"),
        (["--format", "otter"], "--format otter writes a folder: expected --out DIR"),
        (["--template", "--html", "d"], "--template prints a file to fill in: leave out --html"),
        (["--template", "--format", "junit"], "--template prints a file to fill in: leave out --format junit"),
        (["a.py", "b.py", "--format", "gradescope"], "expected one FILE or folder, got 2"),
        (["a.py", "--format", "junit", "--json", "-"], "only one of --json - and --format junit"),
        (["--format", "junit"], "expected a file or folder to grade, or --template"),
    ],
)
def test_options_that_do_not_fit_together_are_an_error(words: list[str], said: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["grade", *words])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in " ".join(err.split())


@pytest.mark.parametrize("words", [["--format", "nbgrader"], ["--format", "otter"], ["--gradescope-zip"]])
def test_where_nothing_can_be_written_one_line_says_so(words: list[str], tmp_path: Path, capsys) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    where = str(taken / "inside")
    assert main(["grade", *words, *(["--out"] if "--format" in words else []), where]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f" grade: {where}" in line
    assert line.endswith(": Not a directory")
