"""Convolution, pooling, layer norm and the recurrent layer: right in many ways of writing, and wrong by name."""

import sys
from pathlib import Path

import pytest
from places import ROOT
from students import write

sys.path.append(str(ROOT / "tests"))

import class_of_200
from course import mistakes
from course.classes import CLASSES, file

from torch_ref.__main__ import main
from torch_ref.grade import templates
from torch_ref.grade.drawn import points
from torch_ref.grade.grader import grade
from torch_ref.grade.grading import Grading
from torch_ref.grade.process import Limits
from torch_ref.grade.subjects import CHAPTERS, QUESTIONS_OF
from torch_ref.known import FAULTS, KNOWN

NEW = [name for chapter in ("convolution", "norm", "recurrent") for name in CHAPTERS[chapter]]


def graded(folder: Path, source: str, *names: str, **given: object) -> Grading:
    return grade(write(folder, source), seed=5, only=names, **given)


def lost(grading: Grading) -> dict[str, str]:
    return {str(mark.of): mark.code for mark in grading.marks if not mark.earned}


@pytest.mark.parametrize(("style", "library"), [(0, "numpy"), (1, "torch")])
def test_right_layers_get_their_points_however_they_are_written(tmp_path: Path, style: int, library: str) -> None:
    grading = graded(tmp_path, file(NEW, style, library), *NEW)
    assert {str(mark.of): mark.remark for mark in grading.marks if not mark.earned} == {}
    assert grading.possible == sum(len(QUESTIONS_OF[name]) for name in NEW)


WRONG = {
    "Conv2d": ("convolution-forward-turned", "convolution-error-overwritten", "convolution-weight-mean",
               "convolution-bias-mean"),
    "MaxPool2d": ("max-pooling-forward-no-stride", "max-pooling-error-ties"),
    "AvgPool2d": ("average-pooling-forward-side", "average-pooling-error-overwritten"),
    "LayerNorm": ("layer-norm-forward-unbiased", "layer-norm-error-no-r", "layer-norm-weight-of-x",
                  "layer-norm-bias-of-weight"),
    "RNN": ("rnn-forward-no-state", "rnn-error-turned", "rnn-input-weight-first", "rnn-state-weight-same-step",
            "rnn-input-bias-short", "rnn-state-bias-twice"),
}  # fmt: skip


def spoiled(name: str) -> dict[str, str]:
    """Return the wrong formulas of a class by what they make."""
    of = {f"{prefix}-{fault}": text for prefix, faults in mistakes.MISTAKES.items() for fault, text in faults.items()}
    return {FAULTS[fault].makes: of[fault] for fault in WRONG[name]}


def test_a_mistake_costs_its_formula_and_is_named(tmp_path: Path) -> None:
    """A wrong forward costs no point of backward."""
    source = file(list(WRONG), 0, "numpy", {name: spoiled(name) for name in WRONG})
    found = {(m.of.kind.__name__, m.of.makes): m.code for m in graded(tmp_path, source, *WRONG).marks if not m.earned}
    faults = [FAULTS[name] for names in WRONG.values() for name in names]
    assert found == {(fault.of.__name__, fault.makes): fault.code for fault in faults}


def test_the_page_says_how_many_files_the_trial_has() -> None:
    files = sum(len(list(class_of_200.files_of(chapter))) for chapter in CHAPTERS)
    assert f"is counted on {files} generated files" in (ROOT / "docs" / "lecture.md").read_text(encoding="utf-8")


def test_every_fault_of_the_catalogue_is_written_for_the_trial() -> None:
    graded = {name for name, fault in FAULTS.items() if KNOWN[fault.of].chapter}
    assert {f"{of}-{fault}" for of, faults in mistakes.MISTAKES.items() for fault in faults} == graded


def test_a_step_that_is_saved_by_itself_is_mended_too(tmp_path: Path) -> None:
    by_steps = file(["RNN"], 0, "torch", {"RNN": {"forward": "outputs(x, W, V, b)"}})
    by_steps = by_steps.replace("return y, (x, y)", "return y, (x, [y[:, t] + 0 for t in range(y.shape[1])])")
    by_steps = by_steps.replace("x, y = saved", "x, y = saved[0], torch.stack(saved[1], 1)")
    assert lost(graded(tmp_path, by_steps, "RNN")) == {"RNN h": "bias-missing"}


def test_what_is_changed_in_place_costs_what_is_wrong(tmp_path: Path) -> None:
    wrong = {"Conv2d": {"error": "folded(xp.einsum('cdij,ncpq->ndijpq', w.__iadd__(w), d), x, s, p)"}}
    assert lost(graded(tmp_path, file(["Conv2d"], 0, "numpy", wrong), "Conv2d")) == {"Conv2d e": "changes-input"}


@pytest.mark.parametrize("name", NEW)
def test_the_hidden_numbers_are_of_several_kinds(name: str) -> None:
    hidden = points(name, 3)[1:]
    assert any(len(p.x) == 1 for p in hidden)
    assert any(len(p.x) > 1 for p in hidden)
    assert {str(p.x.dtype) for p in hidden} == {"torch.float32", "torch.float64"}
    assert any(float(p.x.abs().max()) > 3 for p in hidden)
    assert all(p.right(of).isfinite().all() for p in hidden for of in QUESTIONS_OF[name] if p.has(of))
    if "stride" in hidden[0].settings:
        assert any(p.settings["stride"] > 1 for p in hidden)
        assert all(p.x.shape[2] != p.x.shape[3] for p in hidden)


def test_some_pixels_of_a_window_are_equal_at_some_points() -> None:
    boxes = [p.x.unfold(2, 2, 1).unfold(3, 2, 1).flatten(4) for p in points("MaxPool2d", 3)[1:]]
    assert any(bool(((b == b.amax(4, keepdim=True)).sum(4) > 1).any()) for b in boxes)


def filled(template: str, chapter: str, library: str) -> str:
    """Return the template's example with right classes in the place of those to fill in."""
    return file(list(CHAPTERS[chapter]), 0, library) + template[template.index("def example") :]


EXAMPLES = {"convolution": ("77.5", "19.5"), "norm": ("-1.388", "0.165", "-2.777"), "recurrent": ("0.5621", "-0.227")}
"""What a right file computes, and the template says."""


@pytest.mark.parametrize("chapter", EXAMPLES)
def test_the_templates_name_what_is_asked_and_their_examples_are_right(chapter: str, capsys) -> None:
    for kind in ("torch", "numpy"):
        template = templates.text(kind, chapter)
        assert template.count("raise NotImplementedError(") == 2 * len(CHAPTERS[chapter])
        assert ("orch" in template.replace("torch_ref", "")) == (kind == "torch")
        exec(compile(filled(template, chapter, kind), "student.py", "exec"), {"__name__": "__main__"})
        printed = " ".join(capsys.readouterr().out.split())
        for number in EXAMPLES[chapter]:
            assert printed.count(number) == 2, printed


def test_a_chapter_says_what_counts(tmp_path: Path, capsys) -> None:
    path = str(write(tmp_path, file(["LayerNorm"], 0, "numpy")))
    assert main(["grade", path, "--seed", "1", "--chapter", "norm"]) == 0
    assert "4 of 4 points; 1 of 1 classes found" in capsys.readouterr().out
    assert main(["grade", path, "--seed", "1"]) == 2
    assert "what it has is asked for by --chapter norm" in capsys.readouterr().err
    assert main(["grade", path, "--seed", "1", "--chapter", "norm", "recurrent"]) == 1
    assert "4 of 10 points; 1 of 2 classes found" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["grade", "--template", "--chapter", "norm", "recurrent"])


def test_the_other_sign_is_one_convention_here_too(tmp_path: Path) -> None:
    plus = {makes: formula.replace("-", "", 1) for makes, (formula, *_) in CLASSES["LayerNorm"].formulas.items()
            if makes in ("weight", "bias")}  # fmt: skip
    grading = graded(tmp_path, file(["LayerNorm"], 0, "torch", {"LayerNorm": plus}), "LayerNorm")
    assert set(lost(grading).values()) == {"other-convention"}
    assert "One convention, not 2 mistakes" in grading.convention


ATTACKS = {
    "a kernel": (
        "refused: it uses torch.ops.aten",
        "find(find(torch, 'ops').aten, 'native_layer_norm_back' + 'ward')(e, e, [3], e, e, e, e, [True])",
    ),
    "our own": ("KeyError: 'manual_bp'", "find(sys, 'mod' + 'ules')['manual_bp']"),
    "files": ("opens no files", "open('/etc/hostname')"),
    "exit": ("exit code 0", "os._exit(0)"),
    "the next part": ("sent something that is no answer", "[os.write(fd, b'0' * 64) for fd in pipes()]"),
}
CHEAT = """
import os, sys
find = getattr

def pipes():
    found = []
    for fd in range(3, 64):
        try:
            os.fstat(fd)
            found.append(fd)
        except OSError:
            pass
    return found

class LayerNorm:
    def __init__(self, weight, bias, epsilon):
        pass

    def forward(self, x):
        return x, x

    def backward(self, e, saved):
        {}
        return e, {{"weight": e.sum(0), "bias": e.sum(0)}}
"""


@pytest.mark.parametrize("name", ATTACKS)
def test_a_short_cut_gets_no_point_of_the_new_chapters(tmp_path: Path, name: str) -> None:
    said, line = ATTACKS[name]
    grading = graded(tmp_path, "import torch\n" + CHEAT.format(line), "LayerNorm", limits=Limits(4.0, 512))
    assert grading.earned == 0
    assert any(said in mark.remark for mark in grading.marks), grading.marks


PEEK = """
import os, sys
import torch

class LayerNorm:
    def __init__(self, weight, bias, epsilon):
        self.weight, self.bias = weight, bias

    def forward(self, x):
        head = b'{"array": null, "failure": null, "narrow": false}'
        for fd in range(3, 64):
            try:
                for _ in range(12):
                    os.write(fd, len(head).to_bytes(4) + bytes(4) + head)
            except OSError:
                pass
        for fd in range(3, 64):
            try:
                got = os.read(fd, 1 << 20)
            except OSError:
                continue
            found = torch.frombuffer(bytearray(got[-x.numel() * x.element_size():]), dtype=x.dtype)
            return found.reshape(x.shape), x
        return x, x
"""


def test_who_asks_for_the_next_part_early_has_answered_this_one(tmp_path: Path) -> None:
    """What backward needs, the right y, comes when all answers of forward are in."""
    grading = graded(tmp_path, PEEK, "LayerNorm", limits=Limits(3.0, 512))
    assert grading.earned == 0
