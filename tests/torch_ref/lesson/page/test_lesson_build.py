"""How the page is put together, without a browser: one file, one script, the numbers that Python puts in."""

import json
import re
import xml.etree.ElementTree as ET

import pytest
import torch

from manual_bp import Linear, Network, Sigmoid, SquaredError, lecture
from torch_ref.lesson.page import build, data
from torch_ref.lesson.page.build import mathml, page, script
from torch_ref.lesson.page.data import page_data, plain
from torch_ref.lesson.page.templates import TEMPLATES, formulas, texts
from torch_ref.lesson.walk.examples import Example, random_example


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder in place of ``web`` with a least page; return a function that writes further sources."""
    monkeypatch.setattr(build, "WEB", tmp_path)
    monkeypatch.setattr(build, "STYLES", ("lesson.css",))

    def write(**files: str) -> None:
        for name, text in files.items():
            stem, _, ending = name.rpartition("_")
            (tmp_path / f"{stem}.{ending}").write_text(text, encoding="utf-8")

    write(lesson_html="<!-- style --><!-- data --><!-- script -->", lesson_css="p {}", main_js="run();\n")
    return write


def test_the_page_is_one_file_that_asks_for_no_other(lesson_data) -> None:
    html = page(lesson_data)
    assert len(html.encode()) < 500_000
    assert "<!-- style -->" not in html
    assert not re.findall(
        r"""(?:src|href)=["'](?!#|data:)|@import|url\((?!["']?(?:#|data:))|<link(?! rel="icon" href="data:)""", html
    )
    assert not re.search(r"^(import|export)\b", script(), flags=re.MULTILINE)


def test_modules_come_after_those_that_they_import(sources) -> None:
    sources(main_js='import { b } from "./b.js";\nimport { a } from "./a.js";\nrun(a, b);\n')
    sources(b_js='import { a } from "./a.js";\n\nexport const b = a;\n', a_js="export const a = 1;\n")
    assert [line for line in script().splitlines() if line] == ["const a = 1;", "const b = a;", "run(a, b);"]


def test_comments_of_whole_lines_stay_in_the_sources(sources) -> None:
    sources(main_js='// Why.\n/**\n * What.\n */\nrun("// kept"); // kept\n  // Why.\n')
    assert script() == 'run("// kept"); // kept\n'
    assert build.WEB.joinpath("main.js").read_text(encoding="utf-8").count("Why") == 2


IMPORTS_A = 'import { a } from "./a.js";\n'


@pytest.mark.parametrize(
    ("main", "a", "message"),
    [
        (IMPORTS_A, 'import { m } from "./main.js";\n', "main.js → a.js → main.js"),
        (IMPORTS_A + "const b = 1;\n", "function b() {}\n", "main.js declares b, which a.js declares too: rename one"),
        (
            IMPORTS_A + 'import a from "./a.js";\n',
            "",
            'like import { a, b } from "./x.js"; but got import a from "./a.js";',
        ),
        ("const s = '</script>';\n", "", "main.js contains </script"),
    ],
)
def test_modules_that_cannot_be_one_script_are_refused(sources, main, a, message) -> None:
    sources(main_js=main, a_js=a)
    with pytest.raises(ValueError, match=re.escape(message)):
        script()


def test_a_part_that_the_page_does_not_name_is_missed(sources) -> None:
    sources(lesson_html="<!-- style --><!-- data -->")
    with pytest.raises(ValueError, match=r"expects <!-- script --> once, got it 0 times"):
        page({})


def test_mathematics_in_the_page_becomes_mathml(sources) -> None:
    sources(lesson_html="<!-- style --><!-- data --><!-- script --><!-- include chapters.html -->")
    sources(chapters_html=r"<tex>a &lt; \delta</tex><tex display>x^{2}</tex>")
    html = page({})
    assert "<tex" not in html
    assert html.endswith(mathml(r"a < \delta") + mathml("x^{2}", display=True))
    assert 'display="inline"' in mathml("a")
    assert 'display="block"' in mathml("a", display=True)


def test_nothing_in_the_data_ends_the_script_that_holds_them(sources) -> None:
    given = {"a": "</script><!-- script -->", "δ": 0.1 + 0.2}
    held = re.search(r'<script type="application/json" id="data">(.*?)</script>', page(given))
    assert json.loads(held[1]) == given


def test_a_number_that_is_not_finite_is_no_data(sources) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        page({"a": float("nan")})


def test_every_template_is_mathml_with_the_places_of_its_text() -> None:
    for key, text in texts().items():
        math = ET.fromstring(f"<math>{formulas()[key]}</math>")
        places = [part.text for part in math.iter("mtext") if part.text != "net"]
        assert sorted(places) == sorted(re.findall("@[a-z]", text)), key
        assert "@" not in "".join(part.text or "" for part in math.iter() if part.tag != "mtext"), key
    assert formulas().keys() == TEMPLATES.keys()


def test_the_data_hold_both_examples_as_the_lecture_has_them(lesson_data) -> None:
    data = lesson_data
    for number in lecture.X2_NUMBERS:
        slide = data["x2"]["slides"][number.quantity]
        assert slide["printed"] == number.printed.replace("-", "−")
        assert f"{data['x2']['byHand'][number.quantity]:.6f}" == number.exact
        assert data["x2"]["autograd"][number.quantity] == data["x2"]["byHand"][number.quantity]
    assert data["x2"]["slides"]["∂L/∂W^1_11"]["calculation"] == "0.0027·0.35"
    assert data["x2"]["network"]["weights"] == [lecture.X2_W1, lecture.X2_W2]
    assert data["x2"]["network"]["biases"] is None
    assert data["x1"]["network"]["biases"] == [[1.0, 0.0], [0.0, 0.0], [-2.0, 2.0]]
    assert data["x1"]["network"]["sizes"] == [2, 2, 2, 2]
    assert [given["x"] for given in data["x1"]["inputs"]] == [[1.0, -1.0], [0.0, 0.0]]
    assert data["x1"]["inputs"][0]["printed"]["net^1_2"] == "−2"
    for given, numbers in zip(data["x1"]["inputs"], lecture.X1_NUMBERS, strict=True):
        for number in numbers:
            assert f"{given['numbers'][number.quantity]:.12f}" == number.exact
    assert data["versions"]["torch"] == torch.__version__.partition("+")[0]


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("loss", ["squared-error", "cross-entropy"])
def test_a_random_network_is_what_the_page_begins_with(monkeypatch, activation: str, loss: str) -> None:
    monkeypatch.setattr(data, "digit_data", dict)
    opening = page_data(random_example([3, 4, 2], activation, loss, 5, 0.5, bias=True))["opening"]
    assert opening["title"] == "Random network, seed 5"
    assert (opening["network"]["activation"], opening["network"]["loss"]) == (activation, loss)
    assert [len(row) for row in opening["network"]["biases"]] == [4, 2]
    assert "opening" not in page_data()


def test_a_bias_in_one_layer_alone_cannot_be_shown() -> None:
    one = Linear(torch.ones(1, 1), torch.ones(1)), Sigmoid(), Linear(torch.ones(1, 1)), Sigmoid()
    with pytest.raises(ValueError, match="a bias in every layer or in none"):
        plain(Example("half biased", Network(one, SquaredError()), torch.ones(1, 1), torch.ones(1, 1), 1.0))


def test_every_imported_name_is_used_and_no_line_is_endless() -> None:
    for file in build.WEB.rglob("*.js"):
        text = file.read_text(encoding="utf-8")
        imports = re.findall(r"^import \{ (.+) \} from .*$", text, flags=re.MULTILINE)
        body = re.sub(r"^import .*$", "", text, flags=re.MULTILINE)
        unused = [name for names in imports for name in names.split(", ") if not re.search(rf"\b{name}\b", body)]
        assert not unused, f"{file.name}: {unused}"
        assert max(map(len, text.splitlines())) <= 170, file.name
