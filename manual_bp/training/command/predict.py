"""``train.py predict``: what pictures show, by the network of a checkpoint."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from pathlib import Path

from manual_bp import Network, in_tests
from manual_bp.training.command import usage
from manual_bp.training.command.kept import read_kept
from manual_bp.training.command.networks import new_network
from manual_bp.training.command.settings import Settings
from manual_bp.training.images.picture import read_picture
from manual_bp.training.run.checkpoint import DataFacts
from manual_bp.training.run.run_folder import BEST, load

LIKE_MNIST = {"mnist5k", "mnist", "qmnist", "emnist-balanced"}
"""Data sets whose images show one character, scaled into a box and centred by its mass."""
BAR = 40  # signs for 100 %


def predict(images: Iterable[Path], path: Path | None = None) -> int:
    """Print the class of each picture and the confidence in every class; return the exit code.

    ``path`` is a checkpoint, or a run's folder. A picture that cannot be read is named, and the others are read all the
    same.
    """
    path = _newest() if path is None else path
    network, facts = _network(path / BEST if path.is_dir() else path)
    code = 0
    for picture in images:
        try:
            answer = _answer(picture, network, facts)
        except (OSError, ValueError) as error:
            print(f"{usage.program} predict: error: {error}", file=sys.stderr)
            code = 1
        else:
            print(answer)
    return code


def _newest() -> Path:
    """Return the best checkpoint of the newest run in the folder runs."""
    found = sorted(Path("runs").glob(f"*/{BEST}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError("expected a run in runs: train one by --out-dir runs/NAME, or name a --checkpoint")
    return found[-1]


def _network(path: Path) -> tuple[Network, DataFacts]:
    """Return the network of a checkpoint, and what turns a picture into its input."""
    state = load(path, "--checkpoint {} takes it")
    facts = DataFacts(**state.data)
    network = new_network(Settings(**read_kept(state.config, path)), facts.side, len(facts.names))
    try:
        network.load_state_dict(state.parameters)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected the parameters of its own network in {path}: {error}") from error
    return in_tests(network), facts


def _answer(picture: Path, network: Network, facts: DataFacts) -> str:
    """Return the lines that say what a picture shows."""
    pixels = read_picture(picture, facts.side, like_mnist=facts.name in LIKE_MNIST)
    x = (pixels.flatten()[None].to(network.buffer) - facts.mean) / facts.deviation
    y = network.forward(x).y[0].tolist()
    if not all(map(math.isfinite, y)):
        raise ValueError(f"the network's answer to {picture} is not finite: {y}")
    bars = ["#" * round(BAR * min(max(share, 0), 1)) for share in y]
    lines = [f"  {name:12} {share:6.1%}  {bar}" for name, share, bar in zip(facts.names, y, bars, strict=True)]
    return "\n".join([f"{picture}: {facts.names[y.index(max(y))]}", *map(str.rstrip, lines)])
