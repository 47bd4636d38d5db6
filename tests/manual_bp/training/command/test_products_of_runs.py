"""Runs with the matrix products of another library: named, measured, kept, and gone on with bit for bit."""

import json
import re
from pathlib import Path

import pytest
import torch
from conftest import Inside, interrupted_at
from kills import assert_same_end

import manual_bp.training.command.products as command
from manual_bp import LibraryLinear, Linear
from manual_bp.products import LIBRARIES
from manual_bp.training.command import instead
from manual_bp.training.command.ending import Ending
from manual_bp.training.command.products import check_products
from manual_bp.training.command.session import Session
from manual_bp.training.command.settings import Settings
from manual_bp.training.command.usage import UsageError
from manual_bp.training.engine import fastest
from manual_bp.training.run import checkpoint

SHORT = "--hidden", 24, "--lr-schedule", "constant", "--batch-size", 100
every_library = pytest.mark.parametrize("name", LIBRARIES)


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> list[type]:
    """The type of the first layer of every network that is tested in a run."""
    seen: list[type] = []
    real = Session.measured

    def measured(session: Session) -> dict[str, float]:
        seen.append(type(session.network.layers[0]))
        return real(session)

    monkeypatch.setattr(Session, "measured", measured)
    return seen


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What a step takes with each library, as far as the program knows."""
    seconds = {"torch": 0.002, "mkldnn": 0.0025, "numpy": 0.001}
    monkeypatch.setattr(command, "seconds_of_a_step", lambda *given: seconds)
    return seconds


def config_of(folder: Path) -> dict[str, object]:
    kept = json.loads((folder / "config.json").read_text())
    assert checkpoint.load(folder / "last.pt").config == kept
    return kept


def test_without_the_option_the_products_are_torch_s(inside: Inside, tmp_path: Path, kinds: list) -> None:
    code, out, _ = inside(*SHORT, "--epochs", 1, "--out-dir", tmp_path / "run")
    assert code == 0
    assert kinds == [Linear]
    assert "products" not in out
    assert config_of(tmp_path / "run")["products"] == "torch"


@pytest.mark.long(but=1)
@every_library
def test_a_run_with_a_library_goes_on_bit_for_bit_after_an_interruption(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: list, name: str
) -> None:
    settings = *SHORT, "--epochs", 2, "--products", name, "--dropout", 0.2, "--log-interval", 10
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    code, out, _ = inside(*settings, "--out-dir", whole)
    assert code == 0
    assert f"engine manual, products of {name}\n" in out
    with interrupted_at(30, monkeypatch):
        assert inside(*settings, "--out-dir", broken)[0] == 130
    assert inside("--resume", broken)[0] == 0
    assert_same_end(whole, broken)
    assert config_of(broken)["products"] == name
    assert set(kinds) == {LibraryLinear}


def test_the_fastest_is_measured_once_and_kept_by_its_name(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: dict[str, float], kinds: list
) -> None:
    again = *SHORT, "--products", "fastest", "--out-dir", tmp_path / "run", "--resume", "auto"
    code, out, _ = inside(*again, "--epochs", 1)
    line = r"products of numpy, 2\.00 times as fast as torch's: a step takes 2 ms with torch's, 2\.5 ms with mkldnn's, "
    line += r"1 ms with numpy's \(on 1 thread, measured in \d+\.\d s\)"
    assert code == 0
    assert re.fullmatch(line, out.splitlines()[0])
    assert config_of(tmp_path / "run")["products"] == "numpy"
    times.clear()  # who measured now would fail
    code, out, _ = inside(*again, "--epochs", 2)
    assert code == 0
    assert "a step takes" not in out
    assert config_of(tmp_path / "run")["products"] == "numpy"
    assert inside("--config", tmp_path / "run" / "config.json", "--epochs", 1)[0] == 0
    assert set(kinds) == {LibraryLinear}


def test_torch_s_products_stay_where_nobody_is_faster(inside: Inside, times: dict[str, float], kinds: list) -> None:
    times.update(numpy=0.00199)
    code, out, _ = inside(*SHORT, "--epochs", 1, "--products", "fastest")
    assert code == 0
    assert out.startswith("products of torch, no other is 5% faster: a step takes 2 ms with torch's, ")
    assert kinds == [Linear]
    assert not inside(*SHORT, "--epochs", 1, "--products", "fastest", "--quiet")[1].startswith("products")


def test_a_batch_is_measured_that_there_is(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more images than there are none is made up: they would not fit into memory."""
    seen = []

    def seconds(network, x, t, threads) -> dict[str, float]:
        seen.append((tuple(x.shape), tuple(t.shape), threads))
        return {"torch": 1.0}

    monkeypatch.setattr(command, "seconds_of_a_step", seconds)
    words = "--hidden", 2, "--batch-size", 10**12, "--image-size", 3, "--threads", 1, "--dry-run"
    assert inside(*words, "--products", "fastest")[0] == 0
    assert seen == [((4000, 9), (4000, 10), 1)]


def test_a_run_measures_its_own_network(inside: Inside, tmp_path: Path) -> None:
    code, out, _ = inside(*SHORT, "--dropout", 0.2, "--dry-run", "--products", "fastest")
    assert code == 0
    assert re.match(r"products of (torch|mkldnn|numpy)[:,] .*a step takes .* ms with torch's", out)
    code, out, _ = inside(*SHORT, "--dry-run", "--dtype", "float64", "--loss", "squared-error", "--products", "fastest")
    assert code == 0
    assert "mkldnn" not in out


def test_where_torch_is_alone_it_says_so(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "at_hand", lambda *given: ("torch",))
    code, out, _ = inside(*SHORT, "--dry-run", "--products", "fastest")
    assert code == 0
    assert out.startswith("products of torch: no other library multiplies here, in float32 on cpu\n")


@pytest.mark.long(but=1)
@every_library
def test_with_both_engines_the_distance_is_told(inside: Inside, name: str) -> None:
    code, out, _ = inside(*SHORT, "--epochs", 1, "--products", name, "--engine", "both", "--check-gradients", 40)
    assert code == 0
    (apart,) = re.findall(r"by hand and autograd at most (\d+) ulp apart", out)
    assert int(apart) > 0


def test_a_run_may_go_on_with_other_products(inside: Inside, tmp_path: Path, kinds: list) -> None:
    assert inside(*SHORT, "--epochs", 1, "--products", "numpy", "--out-dir", tmp_path / "run")[0] == 0
    assert inside("--resume", tmp_path / "run", "--epochs", 2, "--products", "torch")[0] == 0
    assert kinds == [LibraryLinear, Linear]
    assert config_of(tmp_path / "run")["products"] == "torch"


def test_a_run_that_goes_on_by_autograd_keeps_the_name_for_later(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: list
) -> None:
    assert inside(*SHORT, "--epochs", 1, "--products", "numpy", "--out-dir", tmp_path / "run")[0] == 0
    monkeypatch.setattr(fastest, "_numpy_threads", None)  # who sets numpy's threads now fails
    code, out, _ = inside("--resume", tmp_path / "run", "--epochs", 2, "--engine", "autograd")
    assert code == 0
    assert "products" not in out
    assert kinds == [LibraryLinear, Linear]
    assert config_of(tmp_path / "run")["products"] == "numpy"


def test_a_run_goes_on_where_its_library_is_missing(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: list
) -> None:
    assert inside(*SHORT, "--epochs", 1, "--products", "mkldnn", "--out-dir", tmp_path / "run")[0] == 0
    monkeypatch.setitem(LIBRARIES, "mkldnn", LIBRARIES["mkldnn"]._replace(is_here=lambda: False))
    code, _, errors = inside("--resume", tmp_path / "run", "--epochs", 2)
    assert code == 0
    line = "mkldnn cannot multiply here: torch's products take their place, which differ by rounding\n"
    assert errors == line
    assert kinds == [LibraryLinear, Linear]
    assert config_of(tmp_path / "run")["products"] == "mkldnn"


def test_the_threads_are_numpy_s_where_numpy_multiplies(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []
    monkeypatch.setattr(fastest, "_numpy_threads", lambda: given.append)

    def try_out(session: Session) -> Ending:
        given.append(f"{torch.get_num_threads()} of torch's")
        return Ending(0)

    monkeypatch.setattr(instead, "try_out", try_out)
    torch.set_num_threads(2)
    for name, before in {"numpy": [2], "mkldnn": [], "torch": []}.items():
        given.clear()
        assert inside(*SHORT, "--threads", 2, "--products", name, "--dry-run")[0] == 0
        assert given == [*before, f"{1 if name == 'numpy' else 2} of torch's"]
        assert torch.get_num_threads() == 2, "the next run in this process counts its own"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("torhc",), "invalid choice: 'torhc' (choose from torch, fastest, mkldnn, numpy); did you mean torch?"),
        (
            ("mkldnn", "--dtype", "float64"),
            "mkldnn cannot multiply here in float64 on cpu; choose from torch and numpy",
        ),
        (
            ("numpy", "--engine", "autograd"),
            "they are the engine's by hand, got numpy with --engine autograd; --products torch goes with it",
        ),
        (("fastest", "--engine", "autograd"), "they are the engine's by hand, got fastest with --engine autograd; --"),
    ],
)
def test_products_that_cannot_be_are_named(inside: Inside, words: tuple[str, ...], message: str) -> None:
    code, out, errors = inside(*SHORT, "--products", *words)
    assert (code, out) == (2, "")
    assert f"argument --products: {message}" in errors


def test_several_processes_take_them_by_name() -> None:
    check_products(Settings(products="numpy"), 2)
    with pytest.raises(UsageError, match="several processes cannot measure them at once; name one"):
        check_products(Settings(products="fastest"), 2)
