"""The table of settings: what it promises holds, and the command line says the same."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
from places import ROOT

from manual_bp.training.command import settings as table
from manual_bp.training.command.kept import of_seed, read_kept
from manual_bp.training.command.networks import ACTIVATIONS, LOSSES
from manual_bp.training.command.options import read_words
from manual_bp.training.command.settings import FIELDS, FIXED, KEPT, LOOSE, NOT, OPTIONS, Settings, default_of
from manual_bp.training.command.start import AUGMENT
from manual_bp.training.command.usage import UsageError, option
from manual_bp.training.engine.schedule import SCHEDULES
from manual_bp.training.images.datasets import NAMES
from manual_bp.training.run import checkpoint


def test_the_names_are_those_of_the_tables() -> None:
    """They stand in the settings again, so that --help need not import the tables, and torch with them."""
    assert get_args(table.DataSet) == NAMES
    assert get_args(table.TestDataSet) == (table.OWN, *NAMES)
    assert get_args(table.Augment) == tuple(AUGMENT)
    assert get_args(table.Activation) == tuple(ACTIVATIONS)
    assert get_args(table.Loss) == tuple(LOSSES)
    assert get_args(table.Schedule) == SCHEDULES


def test_every_setting_says_all_of_itself() -> None:
    for name, said in OPTIONS.items():
        assert said.help, name
        assert said.kept in (FIXED, LOOSE, NOT), name
        assert f" {option(name)}" in help_text(), name


def test_what_is_not_the_runs_is_not_kept_and_what_may_change_is() -> None:
    assert {name for name, said in OPTIONS.items() if said.kept == NOT} == {
        *("config", "device", "download", "dry_run", "ensemble", "eval_only", "out_dir", "quiet", "resume", "seeds"),
        "tensorboard",
    }
    assert {name for name, said in OPTIONS.items() if said.kept == LOOSE} == {
        *("check_gradients", "data_root", "engine", "epochs", "log_interval", "patience", "products", "save_interval"),
        *("test_root", "threads"),
    }


def test_what_is_kept_comes_back() -> None:
    words = ["--hidden", "7", "--lr", "1", "--no-nesterov", "--data-root", "x/y", "--threads", "3", "--out-dir", "a"]
    settings = Settings(**read_words(words))
    kept = json.loads(json.dumps(settings.kept()))
    assert list(kept) == KEPT
    assert (kept["hidden"], kept["lr"], kept["nesterov"], kept["data_root"]) == ([7], 1.0, False, "x/y")
    again = Settings(**read_kept(kept, "here"))
    assert again == settings.replaced({"out_dir": None})
    assert again.data_root == Path("x/y")


def test_the_command_line_tells_only_what_was_given() -> None:
    assert read_words([]) == {}
    assert read_words(["--epochs", "3", "--no-download"]) == {"epochs": 3, "download": False}
    assert read_words(["--hidden"]) == {"hidden": []}


def test_no_two_runs_share_a_default() -> None:
    first, second = Settings(), Settings()
    assert first.hidden == second.hidden == default_of("hidden") == [256, 128]
    assert first.hidden is not second.hidden


@pytest.mark.parametrize("word", ["null", "none", "1_0", " 5", "٣", "0x1", "nan", "-1", ""])
@pytest.mark.parametrize("name", ["lr", "image_size", "batch_size"])
def test_words_that_only_look_like_numbers_are_refused(
    name: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        read_words([f"{option(name)}={word}"])
    assert stop.value.code == 2
    assert f"argument {option(name)}: expected a " in capsys.readouterr().err


def test_numbers_come_as_the_kinds_of_their_settings() -> None:
    given = read_words(["--lr", "1", "--epochs", "3", "--warmup-epochs", "2"])
    assert [(type(value), value) for value in given.values()] == [(float, 1.0), (int, 3), (float, 2.0)]


def test_rates_are_the_optimizers_own_where_none_are_given() -> None:
    given = Settings(momentum=0.5)
    filled = given.with_rates({"lr": 0.1, "momentum": 0.9})
    assert (filled.lr, filled.momentum, filled.weight_decay, given.lr) == (0.1, 0.5, None, None)
    assert filled.replaced({"optimizer": "SGD"}).rates() == {"lr": 0.1, "momentum": 0.5}
    with pytest.raises(UsageError, match=r"argument --momentum: gradient-descent has no such setting; leave it out"):
        given.with_rates({"lr": 0.1})


def test_the_pull_to_0_is_shared_by_the_training_images() -> None:
    """To the last bit 4e-3 for the 4,000 that come along, as it was for any number of them."""
    assert table.descent_on(4000)["weight_decay"] == 4e-3
    assert table.descent_on(64_000)["weight_decay"] == 2.5e-4


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, True)])
def test_nesterovs_form_is_one_of_the_momentum(momentum: float, nesterov: bool) -> None:
    assert Settings(momentum=momentum).with_rates(table.descent_on(4000)).rates()["nesterov"] is nesterov


def test_of_several_seeds_each_has_its_own_folder() -> None:
    assert of_seed({"lr": 1.0}, 3) == {"lr": 1.0, "seed": 3}
    assert of_seed({"out_dir": Path("runs")}, 3) == {"out_dir": Path("runs") / "seed-3", "seed": 3}


def test_an_unknown_setting_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"expected settings of a run in here, got 'epoch'; did you mean epochs\?"):
        read_kept({"epoch": 3}, "here")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), 4e-3),
        (("--validation", 3000), 16e-3),
        (("--validation", 3000, "--weight-decay", 4e-3), 4e-3),
        (("--validation", 3000, "--optimizer", "SGD", "--lr", 0.1), 0),
    ],
    ids=str,
)
@pytest.mark.long(but=1)
def test_the_weight_decay_is_that_of_as_many_training_images(
    inside, tmp_path: Path, words: tuple[object, ...], expected: float
) -> None:
    """The run keeps the number itself: whatever the default becomes later, it goes on with this one."""
    assert inside("--hidden", 8, *words, "--epochs", 1, "--out-dir", tmp_path / "run")[0] == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["weight_decay"], config["batch_size"]) == (expected, 50)
    assert checkpoint.load(tmp_path / "run" / "last.pt").config == config
    state = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    state["config"]["weight_decay"] = 0.5
    torch.save(state, tmp_path / "run" / "last.pt")
    assert inside("--resume", tmp_path / "run", "--epochs", 2)[0] == 0
    assert checkpoint.load(tmp_path / "run" / "last.pt").config["weight_decay"] == 0.5


def help_text() -> str:
    from manual_bp.training.command.options import _parser

    return _parser().format_help()


# ------------------------------------------------------------------------------------------- before torch is imported


@pytest.mark.parametrize(
    ("words", "code"), [(["--help"], 0), (["predict", "--help"], 0), (["--epochs", "0"], 2), (["--epoch", "3"], 2)]
)
def test_help_and_typing_errors_do_not_wait_for_torch(words: list[str], code: int) -> None:
    command = [sys.executable, "-X", "importtime", str(ROOT / "train.py"), *words]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    imports = {line.rpartition("|")[2].strip() for line in outcome.stderr.splitlines() if "import time:" in line}
    assert outcome.returncode == code
    assert "msgspec" in imports
    assert not imports & {"torch", "numpy"}


def test_all_names_of_manual_bp_are_there_when_they_are_asked_for() -> None:
    import manual_bp

    for name in manual_bp.__all__:
        assert getattr(manual_bp, name).__module__.startswith("manual_bp.")
    with pytest.raises(AttributeError, match="module 'manual_bp' has no attribute 'nothing'"):
        _ = manual_bp.nothing


def test_without_torchvision_the_digits_that_come_along_are_enough(
    inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert inside("--hidden", 8, "--epochs", 1)[0] == 0
    (tmp_path / "mnist").mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / "mnist" / f"{name}-ubyte").write_bytes(b"")
    code, out, errors = inside("--dataset", "mnist", "--data-root", tmp_path)
    assert (code, out) == (2, "")
    assert "not installed: pip install 'manual-bp[datasets]'" in errors
    assert errors.count("\n") == 1


# ------------------------------------------------------------------------------------------------- the script itself


def test_a_student_reads_the_loop_in_the_first_half_of_train_py() -> None:
    lines = (ROOT / "train.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 250
    parts = ("engine.forward(x)", "engine.loss(t)", "engine.backward()", "engine.update(gradients)")
    places = [next(i for i, line in enumerate(lines) if part in line) for part in parts]
    assert places == sorted(places)
    assert places[-1] < len(lines) / 2
    sections = [line.split()[-1] for line in lines if line.startswith("# ---")]
    assert sections == ["data", "network", "loop", "commands"]


def test_the_dtype_is_one_of_torch() -> None:
    for name in get_args(FIELDS["dtype"].type.__origin__):
        assert getattr(torch, name).is_floating_point
