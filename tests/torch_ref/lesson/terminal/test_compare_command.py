"""``python -m torch_ref compare``: what it prints, at every width, in every form, and what it refuses."""

import io
import json
import os
import re
import subprocess
import sys

import pytest
from places import ROOT

from manual_bp import lecture
from torch_ref.__main__ import main
from torch_ref.known.faults import FAULTS
from torch_ref.lesson.terminal.sheet import ASCII
from torch_ref.lesson.walk import training
from torch_ref.lesson.walk.phases import PHASES

EVERY_FORM = [
    "",
    "--example X1",
    "--by-hand",
    "--example X1 --by-hand",
    "--network 3-4-2",
    "--network 3-4-2 --loss cross-entropy --activation tanh",
    "--network 2-3-2 --activation relu --no-bias --by-hand",
    "--network 12-5-3 --loss cross-entropy",
    "--data mnist5k --index 7",
    "--data mnist5k --network 784-12-8-10 --loss squared-error --activation tanh --no-bias --index 3",
    "--data mnist5k --untrained --loss cross-entropy",
    "--data mnist5k --steps 3",
    "--steps 30",
    "--fault random --seed 3",
    "--fault squared-error-sign --steps 4",
    "--data mnist5k --fault sigmoid-error-x-alone",
    "--network 2-2 --fault list",
    "--phase backward,loss",
    "--by-hand --phase update",
    "--network 12-5-3 --phase gradients",
]
QUICK = [form for form in EVERY_FORM if "list" not in form and "784" not in form]
"""Those that neither plant every fault nor train a network of their own: that takes seconds."""


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 columns and no colours, whatever the terminal around the tests is."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]):
    """Run the command in this process; give exit code and output."""

    def run(arguments: str) -> tuple[int, str]:
        code = main(["compare", *arguments.split()])
        return code, capsys.readouterr().out

    return run


# ------------------------------------------------------------------------------------------------------ what it shows


def test_the_page_about_the_lecture_shows_what_is_printed(printed) -> None:
    page = (ROOT / "docs" / "lecture.md").read_text(encoding="utf-8")
    code, out = printed("")
    assert code == 0
    assert [out] == re.findall(r"^\$ python -m torch_ref compare\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def test_each_number_of_x2_stands_there_three_times(printed) -> None:
    lines = printed("")[1].splitlines()
    for number in lecture.X2_NUMBERS:
        start = next(i for i, line in enumerate(lines) if line[5:].startswith(f"{number.quantity} = "))
        exact, slide = number.exact.replace("-", "−"), number.printed.replace("-", "−")
        assert lines[start].split()[-3:] == [exact, exact, "0"]
        assert any(re.fullmatch(rf"     slide: .* {slide}", line) for line in lines[start + 1 : start + 4]), number


def test_each_number_of_x1_stands_there(printed) -> None:
    for which, numbers in enumerate(lecture.X1_NUMBERS, start=1):
        out = printed(f"--example X1 --input {which}")[1]
        for number in numbers:
            assert f"{float(number.exact):.6f}".replace("-", "−") in out
            assert re.search(rf"slide: .* {number.printed.replace('-', '−')}$", out, flags=re.MULTILINE)
    assert printed("--example X1")[1].count("forward pass") == 2


@pytest.mark.long(but=[f"[{form}-60]" for form in QUICK])
@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("arguments", EVERY_FORM)
def test_no_line_is_wider_than_the_terminal(arguments: str, width: int, printed, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for form in (arguments, f"{arguments} --plain"):
        lines = printed(form)[1].splitlines()
        assert max(map(len, lines)) <= width
        assert not any(line != line.rstrip() for line in lines)


def test_the_place_of_an_entry_is_not_torn_apart(printed, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert re.search(r"entry \[5, 2\]", printed("--network 12-5-3 --phase gradients")[1])


def test_numbers_stand_below_each_other(printed) -> None:
    lines = printed("")[1].splitlines()
    numbers = [line for line in lines if re.match(r"E\d+ ", line)]
    slides = [line for line in lines if re.match(r"     slide: .*\d$", line)]
    assert (len(numbers), len(slides)) == (25, 18)
    assert {line.index(".", 53) for line in numbers} == {line.index(".", 53) for line in slides} == {57}
    assert {line.rindex(".") for line in numbers} == {68}


def test_the_digit_is_drawn_beside_the_ten_outputs(printed) -> None:
    out = printed("--data mnist5k --index 7")[1]
    assert "Test digit 7, a 0: a 784-30-10 network, sigmoid, squared error, float32\n" in out
    assert "            ▄████   ██▄  " in out
    assert len(re.findall(r"  \d   +\d\.\d+", out)) == 10
    assert re.search(r"  0   0\.9\d{5}  █{20,} ← t$", out, flags=re.MULTILINE)
    assert re.search(r"\nE12  ∂L/∂W\^1 = −δ\^1 \(x\^0\)ᵀ\n +norm of 30 × 784 entries +(\S+) +\1\n", out)
    assert re.search(r"\n +largest in size, entry \[\d+, \d+\] +(\S+) +\1 +0\nE12  ∂L/∂b\^1 = −δ\^1\n", out)
    assert re.search(r"\nE6   L = ½ Σ_k \(t_k − y_k\)² +0.000662   0.000662    0\n\nbackward", out)
    assert "All 47,881 numbers by hand are autograd's, identical to the last bit." in out


def test_a_network_that_training_breaks_is_refused_in_one_line(monkeypatch, capsys) -> None:
    monkeypatch.setitem(training.RATES, ("relu", "squared-error"), 1e20)
    monkeypatch.setattr(training, "EPOCHS", 1)
    assert main(["compare", "--data", "mnist5k", "--network", "784-2-10", "--activation", "relu"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r".*: error: training ends with .* not finite.*; --untrained walks through .*\n", err)


# --------------------------------------------------------------------------------------------------------------- forms


@pytest.mark.long(but=[f"[{form}]" for form in QUICK])
@pytest.mark.parametrize("arguments", EVERY_FORM)
def test_plain_is_ascii(arguments: str, printed) -> None:
    assert printed(f"{arguments} --plain")[1].isascii()


def test_every_sign_of_a_sheet_has_its_ascii(printed) -> None:
    found = {char for arguments in QUICK for char in printed(arguments)[1] if not char.isascii()}
    assert found - ASCII.keys() == set()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_stream_without_our_signs_gets_ascii(encoding: str, monkeypatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    assert main(["compare"]) == 0
    written = stream.buffer.getvalue().decode("ascii")
    assert "delta^2_1 = y_1 (1 - y_1) e^2_1" in written
    assert "L = 1/2 (t_1 - y_1)^2" in written


def test_colours_on_a_terminal_only(printed, monkeypatch) -> None:
    arguments = "--fault sigmoid-error-sign"
    assert "\x1b" not in printed(arguments)[1]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    out, red, green = printed(arguments)[1], "\x1b[1;31m", "\x1b[1;32m"
    assert f"{red}✗ " in out
    assert re.search(rf"✗ .*δ\^1_1 .*{re.escape(red)} +0\.002654", out)
    assert f"{red}10 of 25 numbers by hand are wrong." in out
    assert f"{green}All 25 numbers" in printed("")[1]
    assert f"{green}After 2 updates all" in printed("--steps 2")[1]
    updates = printed(f"{arguments} --steps 2")[1]
    assert re.search(rf"✗ +2{re.escape(red)} +\d", updates)
    assert f"{red}After 2 updates by hand the numbers are wrong." in updates
    assert "\x1b" not in printed(f"{arguments} --plain")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search("\x1b\\[[0-9;]*3[0-9]", printed(arguments)[1])


@pytest.mark.long(but=[f"[{form}]" for form in QUICK])
@pytest.mark.parametrize("arguments", EVERY_FORM)
def test_json_is_one_document(arguments: str, printed) -> None:
    walks = json.loads(printed(f"{arguments} --json")[1])["walks"]
    assert len(walks) == (2 if arguments.startswith("--example X1") else 1)
    assert all("network" in walk for walk in walks)


def test_json_has_every_number_in_full_precision(printed) -> None:
    (walk,) = json.loads(printed("--json")[1])["walks"]
    exact = lecture.quantities(lecture.x2_network(), lecture.X2_INPUT, lecture.X2_TARGET, lr=1.0)
    steps = {step["name"]: step for step in walk["steps"]}
    for name, value in exact.items():
        if name in steps:  # x^2_1 is y_1 here
            assert steps[name]["by_hand"] == steps[name]["autograd"] == value
    assert steps["∂L/∂W^1_11"] == {
        "name": "∂L/∂W^1_11", "phase": "gradients", "equation": "E12", "symbols": "−δ^1_1 x^0_1",
        "numbers": "−(−0.002654)·0.35", "by_hand": exact["∂L/∂W^1_11"], "autograd": exact["∂L/∂W^1_11"], "ulp": 0.0,
        "wrong": False,
        "slide": {"printed": "0.000945", "calculation": "0.0027·0.35", "why": "where δ^1_1 is −0.0027"},
    }  # fmt: skip
    assert walk["agrees"]
    assert walk["identical"]
    assert walk["report"]["ok"]


def test_on_paper_the_slides_numbers_come_out(printed) -> None:
    code, out = printed("--by-hand")
    assert code == 0
    assert "18 of the slides' 18 numbers come out as they\nprint them." in out
    assert re.search(r"δ\^1_1 = .* −0\.0027   −0\.002654  \+1\.71 %$", out, flags=re.MULTILINE)
    assert "= −(−0.0027)·0.35" in out  # the rounded number goes into the next formula
    assert printed("--on-paper")[1] == out


# -------------------------------------------------------------------------------------------------------------- phases


@pytest.mark.long(but=("[]",))
@pytest.mark.parametrize("arguments", ["", "--network 3-4-2", "--network 12-5-3", "--by-hand", "--data mnist5k"])
def test_the_phases_one_by_one_are_the_whole_walk(arguments: str, printed) -> None:
    def entries(phases: str) -> str:
        """Return what is printed from the first heading to the verdict."""
        out = printed(f"{arguments} --phase {phases}")[1]
        return re.search(rf"(\n({'|'.join(PHASES)})\b.*\n)\n(All|Furthest)", out, flags=re.DOTALL)[1]

    whole = entries(",".join(PHASES))
    assert [entries(phase).split()[0] for phase in PHASES] == list(PHASES)
    assert "".join(map(entries, PHASES)) == whole
    assert whole in printed(arguments)[1]
    assert printed(f"{arguments} --phase {','.join(PHASES)}") == printed(arguments)


def test_phases_come_in_their_own_order_and_alone_in_json_too(printed) -> None:
    (walk,) = json.loads(printed("--phase update,forward --json")[1])["walks"]
    assert list(dict.fromkeys(step["phase"] for step in walk["steps"])) == ["forward", "update"]
    (large,) = json.loads(printed("--network 12-5-3 --phase loss --json")[1])["walks"]
    assert [one["name"] for one in large["tensors"]] == ["L"]
    assert walk["identical"]


def test_what_is_left_out_is_named_and_so_is_a_bug_in_it(printed) -> None:
    said = "Shown: gradients. The rest is computed, but not shown."
    wrong = printed("--phase gradients --fault sigmoid-error-no-slope")[1]
    assert said in printed("--phase gradients")[1]
    assert said in wrong
    assert "the bug is in a part that is not shown" in " ".join(wrong.split())
    assert "✗" not in printed("--phase loss --fault sigmoid-error-no-slope")[1]
    assert "Shown" not in printed("")[1]


def test_the_picture_belongs_to_the_forward_pass(printed) -> None:
    assert "y, before the update" in printed("--data mnist5k --phase forward")[1]
    assert "y, before the update" not in printed("--data mnist5k --phase loss")[1]


# -------------------------------------------------------------------------------------------------------------- faults


def test_a_fault_is_marked_and_named_at_the_very_end(printed) -> None:
    code, out = printed("--fault sigmoid-error-x-alone --layer 1")
    assert code == 1
    marked = [line.split()[2] for line in out.splitlines() if line.startswith("✗ E")]
    assert marked[:3] == ["δ^1_1", "δ^1_2", "∂L/∂W^1_11"]
    assert len(marked) == int(re.search(r"^(\d+) of 25 numbers by hand are wrong", out, flags=re.MULTILINE)[1])
    before, _, after = out.partition("The fault is ")
    assert after.startswith("sigmoid-error-x-alone, in layer 1.\n")
    assert "Likely cause: x in place of σ′." in after
    assert "Wrong:" not in before


def test_a_random_fault_is_not_named_before_the_end(printed) -> None:
    out = printed("--fault random --seed 4")[1]
    before, _, after = out.partition("The fault is ")
    name = after.split(",")[0]
    assert name in FAULTS
    assert name not in before
    assert FAULTS[name].cause not in before
    assert printed("--fault random --seed 4")[1] == out


def test_exit_code_1_with_a_fault_that_is_repeated(printed) -> None:
    code, out = printed("--fault squared-error-sign --steps 5")
    assert code == 1
    assert out.endswith(
        "After 5 updates by hand the numbers are wrong.\n\nThe fault is squared-error-sign, in the loss.\n"
    )


# ------------------------------------------------------------------------------------------------------ what it refuses


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--example X1 --network 2-2", "--example goes without --network"),
        ("--input 1", "--input goes with --example X1"),
        ("--example X1 --steps 3", "X1 is forward only"),
        ("--example X1 --fault list", "X1 is forward only"),
        ("--loss cross-entropy", "go with --network or --data"),
        ("--no-bias", "go with --network or --data"),
        ("--seed 3", "--seed goes with --network, --data or --fault random"),
        ("--index 3", "--index goes with --data"),
        ("--untrained", "--untrained goes with --data; no other network is trained"),
        ("--layer 1", "--layer goes with the --fault"),
        ("--fault random --layer 1", "--layer goes with the --fault"),
        ("--by-hand --steps 3", "--on-paper (--by-hand), one pass in arithmetic on paper, goes without"),
        ("--by-hand --data mnist5k", "--on-paper (--by-hand) goes number by number"),
        ("--by-hand --network 30-2", "--on-paper (--by-hand) expects at most 9 units in a layer"),
        ("--by-hand --data mnist5k --network 784-2-10", "--on-paper (--by-hand) expects at most 9 units in a layer"),
        ("--fault list --steps 3", "--fault list goes without --steps"),
        ("--phase back", "--phase expects one of forward, loss, backward, gradients, update, or several with commas"),
        ("--phase loss,", "got ''"),
        ("--phase update --steps 3", "--phase shows a part of one pass: it goes without --steps and --fault list"),
        ("--phase loss --fault list", "--phase shows a part of one pass"),
        ("--example X1 --phase forward,loss", "X1 is forward only: of its phases there is --phase forward alone"),
        ("--data mnist5k --network 784-30-9", "from 784 inputs to 10 outputs, such as 784-30-10, got 784-30-9"),
        ("--network 2000-2000", "at most 2,000,000 weights, got 2000-2000, which has 4,000,000"),
        ("--network 2-1 --loss cross-entropy", "expects at least 2 outputs"),
        ("--fault sigmoid-eror-sign", "did you mean sigmoid-error-sign"),
        ("--fault entropy-error-sign", "it shows with --network 3-3-3 --loss cross-entropy"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(arguments: str, said: str, capsys) -> None:
    assert main(["compare", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"python -m torch_ref compare: error: .*\n", err)
    assert said in err


@pytest.mark.parametrize(
    "wrong",
    ["--network=3--2", "--network=0-1", "--network=3", "--network=٣-٤", "--network=", "--steps=0", "--steps=1e3",
     "--steps=10001", "--index=1000", "--index=-1", "--lr=0", "--lr=nan", "--lr=inf", "--lr=x", "--seed=-1",
     "--example=X3", "--data=mnist"],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_what_was_expected(wrong: str, capsys) -> None:
    with pytest.raises(SystemExit) as outcome:
        main(["compare", wrong])
    assert outcome.value.code == 2
    assert re.search(r"error: argument .*(expected|choose from)", capsys.readouterr().err)


def test_help_does_not_wait_for_torch() -> None:
    program = (
        "import sys\nfrom torch_ref.__main__ import main\n"
        "try: main(['compare', '--help'])\nexcept SystemExit: print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert out.endswith("\nFalse\n")
    assert out.isascii()


def test_a_reader_who_has_seen_enough_is_no_error(monkeypatch, capsys) -> None:
    with os.fdopen(os.open(os.devnull, os.O_WRONLY), "w") as nowhere:

        class Closed(io.TextIOBase):
            encoding = "utf-8"

            def write(self, text: str) -> int:
                raise BrokenPipeError

            def fileno(self) -> int:
                return nowhere.fileno()

        for form in ("", "--json"):
            monkeypatch.setattr("sys.stdout", Closed())
            assert main(["compare", *form.split()]) == 141
    assert capsys.readouterr().err == ""
