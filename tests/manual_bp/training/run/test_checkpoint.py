"""Checkpoints: what they hold, and what a file that is none, damaged, newer or hostile brings."""

import os
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from cases import assert_identical
from torch import nn

from manual_bp import GradientDescent, ReLU, SoftmaxCrossEntropy, mlp
from manual_bp.training.run import checkpoint
from manual_bp.training.run.checkpoint import FORMAT, Checkpoint

DATA = {"name": "toy", "sha256": "00", "side": 2, "mean": 1.5, "deviation": 2.0, "names": ["a", "b", "c"]}


def entry(epoch: int) -> dict[str, float]:
    measured = {"loss": 0.5, "test_loss": 0.6, "test_accuracy": 0.7, "lr": 0.1, "seconds": 1.5}
    return {"epoch": epoch, "step": 8 * epoch, **measured}


def made() -> Checkpoint:
    network = mlp([4, 5, 3], activation=ReLU(), loss=SoftmaxCrossEntropy())
    descent = GradientDescent(network, lr=0.1, momentum=0.9)
    return Checkpoint(
        parameters=network.state_dict(),
        optimizer=descent.state_dict(),
        epoch=2,
        step=17,
        loss_sum=0.1 + 0.2,
        seconds=1.5,
        seed=3,
        generators={"cpu": torch.get_rng_state()},
        history=[entry(1), entry(2)],
        config={"hidden": [5], "lr": 0.1, "seed": 3},
        data=DATA,
    )


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    saved = made()
    checkpoint.save(tmp_path / "last.pt", saved)
    loaded = checkpoint.load(tmp_path / "last.pt")
    for name, parameter in saved.parameters.items():
        assert_identical(loaded.parameters[name], parameter, name)
        assert_identical(loaded.optimizer[name]["momentum_buffer"], saved.optimizer[name]["momentum_buffer"], name)
    assert_identical(loaded.generators["cpu"], saved.generators["cpu"])
    for name in ("epoch", "step", "loss_sum", "seconds", "seed", "history", "config", "data", "versions", "format"):
        assert getattr(loaded, name) == getattr(saved, name)
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_the_average_comes_back_and_is_what_is_tested(tmp_path: Path) -> None:
    plain = made()
    saved = replace(plain, average={name: value + 1 for name, value in plain.parameters.items()})
    checkpoint.save(tmp_path / "last.pt", saved)
    loaded = checkpoint.load(tmp_path / "last.pt")
    for name, value in saved.average.items():
        assert_identical(loaded.average[name], value, name)
        assert_identical(loaded.tested[name], value, name)
    assert plain.tested is plain.parameters


def test_format_1_had_no_average(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last.pt", made())
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    del state["average"]
    torch.save(state | {"format": 1}, tmp_path / "old.pt")
    old = checkpoint.load(tmp_path / "old.pt")
    assert (old.average, old.format) == ({}, 1)
    assert_identical(old.tested["0.weight"], state["parameters"]["0.weight"])
    torch.save(state, tmp_path / "new.pt")
    with pytest.raises(ValueError, match=r"expected the fields of a checkpoint, .*new\.pt lacks \['average'\]"):
        checkpoint.load(tmp_path / "new.pt")


def test_the_parameters_load_into_a_plain_sequential(tmp_path: Path) -> None:
    saved = made()
    checkpoint.save(tmp_path / "last.pt", saved)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    model.load_state_dict(torch.load(tmp_path / "last.pt", weights_only=True)["parameters"])
    assert_identical(model[2].weight.detach(), saved.parameters["2.weight"])


def test_versions_are_plain_text(tmp_path: Path) -> None:
    """torch.__version__ is of a class of its own, which weights_only would have to be told of."""
    versions = made().versions
    assert versions.keys() == {"python", "torch", "numpy"}
    assert all(type(version) is str for version in versions.values())


class Code:
    """Unpickled by a careless reader, it writes a file."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.write_text, (self.victim, "owned")


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_code_in_a_file_is_not_run(tmp_path: Path, write: Callable[[object, Path], object]) -> None:
    write({"parameters": Code(tmp_path / "victim")}, tmp_path / "last.pt")
    with pytest.raises(ValueError, match=r"last\.pt holds something else, perhaps code; nothing of it was run"):
        checkpoint.load(tmp_path / "last.pt")
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(tmp_path: Path, share: float) -> None:
    checkpoint.save(tmp_path / "last.pt", made())
    content = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "last.pt"))):
        checkpoint.load(tmp_path / "last.pt")


def flipped(content: bytes, bit: int) -> bytes:
    return content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :]


def test_a_bit_flipped_in_any_tensor_is_refused(tmp_path: Path) -> None:
    plain = made()
    momentum = {name: {"momentum_buffer": torch.randn_like(value)} for name, value in plain.parameters.items()}
    saved = replace(plain, optimizer=momentum)
    checkpoint.save(tmp_path / "last.pt", saved)
    content = (tmp_path / "last.pt").read_bytes()
    for tensor in [*saved.parameters.values(), *(each["momentum_buffer"] for each in momentum.values())]:
        at = content.index(tensor.numpy().tobytes())
        (tmp_path / "last.pt").write_bytes(flipped(content, 8 * at + 3))
        with pytest.raises(
            ValueError, match=r"last\.pt is damaged or of another kind: the check sum \(CRC-32\) of its part"
        ):
            checkpoint.load(tmp_path / "last.pt")


def test_a_bit_flipped_anywhere_is_refused_or_without_effect(tmp_path: Path) -> None:
    """Parts of a zip file, such as dates, are read by nobody."""
    saved = made()
    checkpoint.save(tmp_path / "last.pt", saved)
    content = (tmp_path / "last.pt").read_bytes()
    refused = 0
    bits = torch.randint(8 * len(content), (150,)).tolist()
    for bit in bits:
        (tmp_path / "last.pt").write_bytes(flipped(content, bit))
        try:
            loaded = checkpoint.load(tmp_path / "last.pt")
        except ValueError:
            refused += 1
        else:
            for name, parameter in saved.parameters.items():
                assert_identical(loaded.parameters[name], parameter, f"{name} after bit {bit}")
            assert (loaded.step, loaded.config, loaded.history) == (saved.step, saved.config, saved.history)
    assert refused > 20


def test_the_error_says_what_is_at_the_path(tmp_path: Path) -> None:
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "link.pt").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.pt")
    for name, found in ("folder", "a folder"), ("link", "a link to .*gone, which is missing"), ("pipe", "a pipe"):
        with pytest.raises(FileNotFoundError, match=rf"expected a checkpoint at .*{name}\.pt: it is {found}$"):
            checkpoint.load(tmp_path / f"{name}.pt")
    with pytest.raises(FileNotFoundError, match=r"it is no file that can be read: File name too long$"):
        checkpoint.load(tmp_path / ("x" * 300))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected a checkpoint at .*nowhere\.pt: there is no such file"):
        checkpoint.load(tmp_path / "nowhere.pt")


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last.pt", replace(made(), format=FORMAT + 1))
    with pytest.raises(ValueError, match=f"format {FORMAT} at most, .* has format {FORMAT + 1}: a newer version"):
        checkpoint.load(tmp_path / "last.pt")


@pytest.mark.parametrize("content", [{"0.weight": torch.zeros(3)}, [1, 2], torch.zeros(3), {"format": "1"}])
def test_another_file_of_torch_is_named(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="has no format number"):
        checkpoint.load(tmp_path / "model.pt")


def test_a_checkpoint_without_the_random_generators_state_is_named(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last.pt", replace(made(), generators={}))
    with pytest.raises(ValueError, match=r"the random generator of the cpu, .*last\.pt has none"):
        checkpoint.load(tmp_path / "last.pt")


def test_missing_and_unknown_fields_are_named(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "last.pt", made())
    content = torch.load(tmp_path / "last.pt", weights_only=True)
    content["stride"] = content.pop("step")
    torch.save(content, tmp_path / "last.pt")
    with pytest.raises(ValueError, match=r"lacks \['step'\] and has \['stride'\]"):
        checkpoint.load(tmp_path / "last.pt")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("parameters", {"0.weight": 3}),
        ("parameters", {0: torch.zeros(3)}),
        ("parameters", {"0.weight": torch.zeros(3).to_sparse()}),
        ("optimizer", {"0.weight": torch.zeros(3)}),
        ("epoch", -1),
        ("epoch", True),
        ("step", 1.5),
        ("loss_sum", float("nan")),
        ("seconds", "long"),
        ("seed", -3),
        ("generators", {"cpu": [1, 2]}),
        ("history", {"epoch": 1}),
        ("history", [{"epoch": 1}]),
        ("history", [entry(1) | {"loss": "0.5"}, entry(2)]),
        ("history", [entry(1) | {"more": 1.0}, entry(2)]),
        ("seconds", -1.0),
        ("seconds", 10**400),
        ("step", 2**63),
        ("parameters", {"0.weight": torch.zeros(3, device="meta")}),
        ("parameters", {"a\x1b[31m": torch.zeros(3)}),
        ("config", ["lr"]),
        ("config", {"seed": 3, "lr": {"a": 1}}),
        ("config", {"seed": 3, "hidden": [[1]]}),
        ("data", {}),
        ("data", DATA | {"side": 0}),
        ("data", DATA | {"side": 10**30}),
        ("data", DATA | {"mean": 10**400}),
        ("data", DATA | {"deviation": 0.0}),
        ("data", DATA | {"deviation": 1e300}),
        ("data", DATA | {"names": []}),
        ("data", DATA | {"names": ["a\n", "b"]}),
        ("data", DATA | {"names": "abc"}),
        ("versions", {"torch": 2.13}),
        ("parameters", torch.zeros(3)),
        ("data", torch.zeros(3)),
        ("data", DATA | {"side": torch.tensor(2)}),
        ("data", DATA | {"mean": "\x1b[31m"}),
        ("config", {"seed": torch.tensor(3)}),
        ("config", {"seed": 3, "hidden": (5,)}),
        ("config", {"seed": 3, "hidden": {5}}),
        ("config", {"seed": 3, "lr": b"0.1"}),
        ("history", [torch.zeros(3), entry(2)]),
        ("step", torch.tensor(17)),
        ("config", {"seed": 3, "hidden": [[[5]]]}),
    ],
)
def test_a_field_of_a_wrong_kind_is_named(tmp_path: Path, name: str, value: Any) -> None:
    checkpoint.save(tmp_path / "last.pt", replace(made(), **{name: value}))
    with pytest.raises(ValueError, match=f"has a field '{name}' of a wrong kind"):
        checkpoint.load(tmp_path / "last.pt")


def test_a_field_that_is_nested_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle can hold what the pickler itself cannot write."""
    checkpoint.save(tmp_path / "last.pt", made())
    content = torch.load(tmp_path / "last.pt", weights_only=True)
    for _ in range(100_000):
        content["history"] = [content["history"]]
    monkeypatch.setattr(torch, "load", lambda *arguments, **more: content)
    with pytest.raises(ValueError, match="has a field 'history' of a wrong kind: a list"):
        checkpoint.load(tmp_path / "last.pt")
    while isinstance(content["history"], list) and len(content["history"]) == 1:  # Python frees it one by one
        content["history"] = content["history"][0]


@pytest.mark.parametrize("change", [{"history": [entry(1)]}, {"epoch": 3}, {"seed": 4}, {"config": {}}])
def test_fields_that_do_not_agree_are_named(tmp_path: Path, change: dict[str, Any]) -> None:
    checkpoint.save(tmp_path / "last.pt", replace(made(), **change))
    with pytest.raises(ValueError, match="expected a checkpoint whose fields agree"):
        checkpoint.load(tmp_path / "last.pt")
