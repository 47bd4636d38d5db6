"""What ``python -m torch_ref compare`` claims beside its walks, each claim against the engines."""

import contextlib
import json
import re
from dataclasses import dataclass

import pytest
import torch

from manual_bp.training.images.data import mnist5k
from torch_ref import ulp_distance
from torch_ref.__main__ import main
from torch_ref.known.faults import FAULTS
from torch_ref.lesson.walk import training
from torch_ref.lesson.walk.examples import digit, large_example, reader, x2
from torch_ref.lesson.walk.quantities import pass_by_autograd, pass_by_hand, scalars


@dataclass(frozen=True)
class Printed:
    """What came out."""

    out: str


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Run the command in this process, 80 columns wide and without colours."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def run(*arguments: object) -> Printed:
        with contextlib.suppress(SystemExit):  # of --help
            main(["compare", *map(str, arguments)])
        return Printed(capsys.readouterr().out)

    return run


def test_a_digit_s_norms_places_and_update_are_what_they_say(shell) -> None:
    document = json.loads(shell("--data", "mnist5k", "--index", 3, "--json").out)["walks"][0]
    example = digit(3, reader((784, 30, 10), "sigmoid", "squared-error", 1, bias=True), 0.5)
    pixels = mnist5k()[1].pixels[3].flatten().float() / 255
    assert torch.equal(example.x[0], pixels)
    found = pass_by_hand(example.network, example.x, example.t, 0.5)
    for summary in document["tensors"]:
        tensor = found[summary["name"]]
        tensor = tensor if summary["name"][0] in "L∂" or summary["name"].endswith("after") else tensor[0]
        assert summary["norm_by_hand"] == pytest.approx(tensor.double().norm().item(), rel=1e-12)
        place = tuple(i - 1 for i in summary["at"])
        assert summary["by_hand"] == tensor[place].item()
        assert abs(summary["by_hand"]) == tensor.abs().max().item()
        if summary["name"].endswith("after"):
            parameter = summary["name"].removesuffix(" after")
            assert summary["formula"] == f"{parameter} − η ∂L/∂{parameter}"


def test_where_two_tensors_part_the_place_is_where_they_are_furthest_apart(shell) -> None:
    options = "--network", "12-12-2", "--fault", "sigmoid-error-x-alone", "--layer", 1
    document = json.loads(shell(*options, "--json").out)["walks"][0]
    summary = next(one for one in document["tensors"] if one["name"] == "δ^1")
    example = large_example([12, 12, 2], "sigmoid", "squared-error", 1, 0.5, bias=True)
    hand = pass_by_hand(FAULTS["sigmoid-error-x-alone"].plant(example.network, 1), example.x, example.t, 0.5)["δ^1"][0]
    auto = pass_by_autograd(example.network, example.x, example.t, 0.5)["δ^1"][0]
    for norm, tensor in (("norm_by_hand", hand), ("norm_by_autograd", auto)):
        assert summary[norm] == pytest.approx(tensor.norm().item(), rel=1e-12)
    assert summary["at"] == [int(ulp_distance(hand, auto).argmax()) + 1]
    assert summary["wrong"] is True


def test_a_network_as_it_is_drawn_is_called_untrained(shell) -> None:
    said = "Weights as nn.Linear draws them, before any training."
    for options in (["--network", "12-2"], ["--data", "mnist5k", "--untrained"]):
        out = shell(*options, "--phase", "loss").out
        assert said in out
        assert "Trained" not in out
    assert said not in shell("--data", "mnist5k", "--phase", "loss").out


@pytest.mark.parametrize("how", [["--phase", "loss"], ["--steps", 1]])
def test_the_heading_says_what_the_trained_network_reads_right(shell, how: list[object]) -> None:
    _, test = mnist5k()
    network = reader((784, 30, 10), "sigmoid", "squared-error", 1, bias=True).network
    answers = network.forward(test.pixels.flatten(1).float() / 255).y.argmax(1)
    right = int((answers == test.labels).sum())
    wrong = int((answers != test.labels).nonzero()[0])
    said = f"Trained on 4,000 other digits, 12 epochs: it gets {right} of the 1,000 test digits right, "
    assert right > 900
    assert f"{said}this one too." in " ".join(shell("--data", "mnist5k", *how).out.split())
    other = " ".join(shell("--data", "mnist5k", "--index", wrong, *how).out.split())
    assert f"{said}but takes this one for a {answers[wrong]}." in other


def test_a_network_that_has_not_learned_is_said_to_guess(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "EPOCHS", 1)
    out = shell("--data", "mnist5k", "--network", "784-3-3-3-3-3-10", "--phase", "loss").out
    assert "100 of the 1,000 test digits right, hardly more than by guessing." in " ".join(out.split())


def test_a_walk_leaves_the_trained_network_as_it_is(shell) -> None:
    options = "--data", "mnist5k", "--steps", 2
    assert shell(*options).out == shell(*options).out


def test_lr_and_seed_are_what_help_says(shell) -> None:
    help_text = shell("--help").out
    assert "(0.5; X2: 1)" in help_text
    assert "or the random fault (1)" in " ".join(help_text.split())
    assert shell("--network", "2-2-1").out == shell("--network", "2-2-1", "--lr", 0.5, "--seed", 1).out
    assert shell().out == shell("--lr", 1).out


def test_paper_s_json_has_the_exact_numbers_and_the_furthest_is_a_share(shell) -> None:
    document = json.loads(shell("--by-hand", "--json").out)["walks"][0]
    exact = scalars(pass_by_hand(x2().network, x2().x, x2().t, 1.0))
    shares = {}
    for step in document["steps"]:
        assert step["exact"] == exact[step["name"]]
        shares[step["name"]] = abs(float(step["on_paper"]) / step["exact"] - 1)
    assert f"Furthest off is {max(shares, key=shares.get)}," in document["verdict"]


def test_wrong_rows_of_updates_are_marked_by_a_sign_and_in_json(shell) -> None:
    options = "--fault", "sigmoid-error-no-slope", "--steps", 2
    rows = [line for line in shell(*options).out.splitlines() if re.match(r"^(✗|  ) +\d ", line)]
    assert [row.startswith("✗") for row in rows] == [False, True, True]
    updates = json.loads(shell(*options, "--json").out)["walks"][0]["updates"]
    assert [update["wrong"] for update in updates] == [False, True, True]


@pytest.mark.parametrize(("lr", "apart"), [(1e-6, "they differ by at most"), (1e-15, "they are autograd's to")])
def test_a_planted_fault_that_updates_do_not_show_is_called_unseen(shell, lr: float, apart: str) -> None:
    out = shell("--fault", "linear-weight-1.0005", "--steps", 2, "--lr", lr).out
    said = " ".join(out.split())
    assert f"The fault is not seen in L, y and the parameters yet, {apart}" in said
    assert "but for rounding" not in said
    assert "identical" not in said
    assert "✗" not in out


def test_a_verdict_counts_as_the_walk_does(shell) -> None:
    out = shell("--fault", "sigmoid-error-no-slope", "--layer", 1).out
    assert "δ^1_2: by hand" in out
    assert "[0, 1]" not in out
    large = shell("--network", "12-12-2", "--fault", "linear-weight-sign", "--layer", 2).out
    place = re.search(r"∂L/∂W\^2 at \[(\d+), (\d+)\]: by hand", large)
    assert place
    assert int(place[1]) in (1, 2)
    assert int(place[2]) > 0


def test_slides_without_calculations_promise_none(shell) -> None:
    assert "calculation" not in shell("--example", "X1").out
    assert "with their calculation" in " ".join(shell().out.split())


@pytest.mark.long(but=3)
@pytest.mark.parametrize("seed", range(12))
def test_a_random_fault_is_off_by_what_a_class_can_see(shell, seed: int) -> None:
    assert "1.0005" not in shell("--fault", "random", "--seed", seed).out


@pytest.mark.long
def test_faults_of_e1_show_without_biases_too(shell) -> None:
    for name in ("transposed", "sign", "1.0005"):
        assert "layer 1, Linear.forward" in " ".join(shell("--fault", f"linear-forward-{name}").out.split())
