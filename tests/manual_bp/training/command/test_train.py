"""train.py as a user runs it, without any option or with a few."""

import io
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from places import ROOT

from manual_bp.training.images.data import MNIST5K


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), *arguments]


@pytest.fixture(scope="module")
def default_run() -> str:
    """What train.py prints into a file or pipe, without any option."""
    import train

    with redirect_stdout(io.StringIO()) as out:
        assert train.main([]) == 0
    return out.getvalue()


def test_the_default_recipe_recognises_digits(default_run: str) -> None:
    final = default_run.splitlines()[-1]
    accuracy = float(
        re.match(r"test accuracy (0\.\d{4})  training [\d.]+ s, [\d.e-]+ s an epoch, in all [\d.]+ s$", final)[1]
    )
    assert accuracy >= 0.955


def test_a_log_holds_plain_lines_one_an_epoch(default_run: str) -> None:
    lines = default_run.splitlines()
    assert "\x1b" not in default_run
    assert len(lines) == 33
    for epoch, line in enumerate(lines[2:-1], start=1):
        assert re.fullmatch(rf"epoch {epoch:2}  loss \d+\.\d{{4}}  training \d+\.\d\d%  test \d\d\.\d\d%", line), line


@pytest.mark.long(but=("squared-error", "no-nesterov", "image-size"))
@pytest.mark.parametrize(
    "arguments",
    [
        ("--loss", "squared-error", "--activation", "sigmoid", "--epochs", "2"),
        ("--hidden", "30", "20", "--activation", "tanh", "--batch-size", "33", "--epochs", "2", "--dtype", "float64"),
        ("--hidden", "40", "--momentum", "0", "--weight-decay", "0", "--lr-schedule", "constant", "--epochs", "2"),
        ("--hidden", "--epochs", "2", "--no-nesterov"),
        ("--hidden", "20", "10", "--dropout", "0.3", "--check-gradients", "50", "--epochs", "2"),
        (
            "--image-size",
            "8",
            "--network",
            "conv:4:3:1",
            "relu",
            "max:2",
            "dropout:0.2",
            "conv:6:3",
            "tanh",
            "avg:2",
            "--epochs",
            "2",
        ),
    ],
    ids=" ".join,
)
@pytest.mark.long(but=("no-nesterov", "image-size"))
def test_both_engines_stay_0_ulp_apart(inside, arguments: tuple[str, ...]) -> None:
    code, out, _ = inside("--engine", "both", *arguments)
    epochs = [line for line in out.splitlines() if line.startswith("epoch")]
    assert code == 0
    assert len(epochs) >= 2
    assert all(line.endswith("by hand and autograd at most 0 ulp apart") for line in epochs), out


def test_either_engine_alone_prints_the_same_losses(inside) -> None:
    outputs = [inside("--engine", engine, "--epochs", "2", "--hidden", "32")[1] for engine in ("manual", "autograd")]
    losses = [re.findall(r"loss (\S+)  training (\S+)  test (\S+)", out) for out in outputs]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 2


def test_a_seed_is_a_run(inside) -> None:
    short = "--epochs", "1", "--hidden", "16"
    first, again, other = (inside(*short, "--seed", seed)[1].splitlines()[2] for seed in ("4", "4", "5"))
    assert first == again != other


def test_a_damaged_data_file_is_named(inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in MNIST5K.glob("*.gz"):
        (tmp_path / file.name).write_bytes(file.read_bytes()[:-1])
    monkeypatch.setattr("manual_bp.training.images.data.MNIST5K", tmp_path)
    code, out, errors = inside()
    assert (code, out) == (1, "")
    assert errors.startswith(
        f"train.py: error: read_idx expects {tmp_path / 'train-images-idx3-ubyte.gz'} with SHA-256"
    )


@pytest.mark.long
@pytest.mark.parametrize("arguments", [("--epochs", "3"), ("--epochs", "1", "--quiet")], ids=" ".join)
def test_a_closed_pipe_ends_the_run_with_what_is_lost(arguments: tuple[str, ...]) -> None:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command(*arguments), text=True, **pipes) as process:
        if "--quiet" not in arguments:
            process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 1
    if "--quiet" in arguments:
        assert errors == "train.py: error: nobody reads the output any more, so some of it is lost\n"
    else:
        stopped = r"stopped after step \d+ of 240: nobody reads the output any more\nnothing is saved: .*\n"
        assert re.fullmatch(stopped, errors)


@pytest.mark.long(but=("epochs", "predict"))
@pytest.mark.parametrize("words", [("--epochs", "0"), ("predict",), ("--eval-only",)], ids=" ".join)
def test_messages_name_the_program_as_it_was_started(words: tuple[str, ...]) -> None:
    for start, name in (("train.py",), "train.py"), (("-m", "torch_ref", "train"), "python -m torch_ref train"):
        outcome = subprocess.run(
            [sys.executable, *start, *words], capture_output=True, text=True, cwd=ROOT, check=False
        )
        assert outcome.returncode == 2
        *usage, message = outcome.stderr.splitlines()
        assert message.startswith(f"{name} predict: error: " if words == ("predict",) else f"{name}: error: ")
        assert all(line.startswith(f"usage: {name} ") for line in usage[:1])
