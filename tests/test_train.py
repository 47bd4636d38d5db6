"""train.py as a user runs it: in a process of its own."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import train as train_py
from manual_bp.training.data import MNIST5K

ROOT = Path(__file__).parents[1]


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), *arguments]


def train(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run train.py in a process of its own, its output in pipes."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def inside(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run train.py's main in this process, which spares an import of torch; give exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = train_py.main(list(arguments))
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def default_run() -> subprocess.CompletedProcess[str]:
    return train()


def test_the_default_recipe_recognises_digits(default_run: subprocess.CompletedProcess[str]) -> None:
    assert default_run.returncode == 0, default_run.stderr
    final = default_run.stdout.splitlines()[-1]
    accuracy = float(re.match(r"test accuracy (0\.\d{4})  training [\d.]+ s, in all [\d.]+ s$", final)[1])
    assert accuracy >= 0.955


def test_a_log_holds_plain_lines_one_an_epoch(default_run: subprocess.CompletedProcess[str]) -> None:
    lines = default_run.stdout.splitlines()
    assert "\x1b" not in default_run.stdout
    assert default_run.stderr == ""
    assert len(lines) == 33
    for epoch, line in enumerate(lines[2:-1], start=1):
        assert re.fullmatch(rf"epoch {epoch:2}  loss \d+\.\d{{4}}  test \d\d\.\d\d%", line), line


@pytest.mark.parametrize(
    "arguments",
    [
        ("--loss", "squared-error", "--activation", "sigmoid", "--epochs", "3"),
        ("--hidden", "30", "20", "--activation", "tanh", "--batch-size", "33", "--epochs", "2", "--dtype", "float64"),
        ("--hidden", "40", "--momentum", "0", "--weight-decay", "0", "--lr-schedule", "constant", "--epochs", "2"),
        ("--hidden", "--epochs", "2", "--no-nesterov"),
    ],
    ids=" ".join,
)
def test_both_engines_stay_0_ulp_apart(inside, arguments: tuple[str, ...]) -> None:
    code, out, _ = inside("--engine", "both", *arguments)
    epochs = [line for line in out.splitlines() if line.startswith("epoch")]
    assert code == 0
    assert len(epochs) >= 2
    assert all(line.endswith("by hand and autograd at most 0 ulp apart") for line in epochs), out


def test_either_engine_alone_prints_the_same_losses(inside) -> None:
    outputs = [inside("--engine", engine, "--epochs", "2", "--hidden", "32")[1] for engine in ("manual", "autograd")]
    losses = [re.findall(r"loss (\S+)  test (\S+)", out) for out in outputs]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 2


def test_a_seed_is_a_run(inside) -> None:
    short = "--epochs", "1", "--hidden", "16"
    first, again, other = (inside(*short, "--seed", seed)[1].splitlines()[2] for seed in ("4", "4", "5"))
    assert first == again != other


def test_plot_draws_a_png(inside, tmp_path: Path) -> None:
    code, out, _ = inside("--epochs", "2", "--hidden", "16", "--plot", str(tmp_path / "curves.png"))
    assert code == 0
    assert out.endswith(f"curves in {tmp_path / 'curves.png'}\n")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_a_loss_that_is_not_finite_stops_the_run(inside) -> None:
    code, out, _ = inside("--lr", "1e30", "--epochs", "3", "--lr-schedule", "constant")
    assert code == 1
    assert re.search(r"stopped: the loss is (nan|inf) in epoch 1, step \d+; try a smaller --lr", out)


def test_a_damaged_data_file_is_named(inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in MNIST5K.glob("*.gz"):
        (tmp_path / file.name).write_bytes(file.read_bytes()[:-1])
    monkeypatch.setattr("manual_bp.training.data.MNIST5K", tmp_path)
    code, out, errors = inside()
    assert (code, out) == (1, "")
    assert errors.startswith(
        f"train.py: error: read_idx expects {tmp_path / 'train-images-idx3-ubyte.gz'} with SHA-256"
    )


def test_ctrl_c_exits_with_130() -> None:
    def heed() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job, and all that it starts, ignores it

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command(), text=True, preexec_fn=heed, **pipes)
    assert process.stdout.readline().startswith("784-256-128-10")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "interrupted\n")


def test_a_closed_pipe_ends_the_run_quietly() -> None:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command("--epochs", "3"), text=True, **pipes) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--epochs", "0"), "argument --epochs: expected a whole number of at least 1, got '0'"),
        (("--hidden", "30", "x"), "argument --hidden: expected a whole number of at least 1, got 'x'"),
        (("--threads", "100000"), "argument --threads: expected at most 1024 threads, got '100000'"),
        (("--lr", "-1"), "argument --lr: expected a finite number of at least 0, got '-1'"),
        (("--lr", "nan"), "argument --lr: expected a finite number of at least 0, got 'nan'"),
        (("--engine", "jax"), "argument --engine: invalid choice: 'jax'"),
        (("--act", "relu"), "unrecognized arguments: --act relu"),
        (("--plot", "curves.jpg"), "argument --plot: expected the name of a .png file, got 'curves.jpg'"),
        (("--plot", "no/such/folder/x.png"), "argument --plot: expected a folder that exists, got 'no/such/folder'"),
        (("--seed", "-1"), "argument --seed: expected a whole number of at least 0, got '-1'"),
        (("--hidden", "9" * 15), f"argument --hidden: a network 784-{'9' * 15}-10 does not fit into memory here"),
        (("--device", "cpux"), "argument --device: torch cannot use 'cpux' here"),
        (("--device", "meta"), "argument --device: torch cannot use 'meta' here"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_a_wrong_argument_is_named_and_exits_with_2(inside, arguments: tuple[str, ...], message: str) -> None:
    code, out, errors = inside(*arguments)
    assert (code, out) == (2, "")
    assert message in errors


def test_help_answers_without_importing_torch() -> None:
    start = f"runpy.run_path({str(ROOT / 'train.py')!r}, run_name='__main__')"
    code = f"import runpy, sys; sys.modules['torch'] = None; sys.argv = ['train.py', '--help']; {start}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert "--engine {manual,autograd,both}" in run.stdout
