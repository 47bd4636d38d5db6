"""``train.py predict``: what pictures show, by the network of a checkpoint."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from manual_bp import Network, in_tests
from manual_bp.training.command import usage
from manual_bp.training.command.ending import plain
from manual_bp.training.command.kept import SEEDS, read_kept
from manual_bp.training.command.networks import new_network
from manual_bp.training.command.settings import Settings
from manual_bp.training.images.datasets import read_plain
from manual_bp.training.images.picture import read_picture
from manual_bp.training.images.pieces import shows_several
from manual_bp.training.run.checkpoint import DataFacts
from manual_bp.training.run.run_folder import BEST, load

LIKE_MNIST = {"mnist5k", "mnist", "qmnist", "emnist-balanced"}
"""Data sets whose images show one character, scaled into a box and centred by its mass."""
BAR = 40  # signs for 100 %
SURE = 0.6  # share from which an answer is taken for sure
SHADES = " .:-=+*#%@"  # of the picture that the network saw, from 0 to 255


def predict(
    images: Iterable[Path], checkpoint: Path | None = None, *, as_json: bool = False, seen: bool = False
) -> int:
    """Print the class of each picture and the confidence in every class; return the exit code.

    ``checkpoint`` may be a run's folder; of a run with several seeds, the mean of their networks' answers counts.
    ``seen`` adds the picture that the network saw. A picture that cannot be read
    is named, and the others are read all the same.
    """
    networks, facts = _networks(_best_of(checkpoint or _newest()))
    code = 0
    for picture in images:
        try:
            answer = _answer(picture, networks, facts)
        except (OSError, ValueError) as error:
            print(f"{usage.program} predict: error: {plain(error)}", file=sys.stderr)
            code = 1
        else:
            print(answer.json(seen=seen) if as_json else answer.lines(seen=seen))
    return code


def _newest() -> Path:
    """Return the newest run in the folder runs."""
    runs = Path("runs")
    found = sorted([*runs.glob(f"*/{BEST}"), *runs.glob(f"*/{SEEDS}/{BEST}")], key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError("expected a run in runs: train one by --out-dir runs/NAME, or name a --checkpoint")
    return runs / found[-1].relative_to(runs).parts[0]


def _best_of(path: Path) -> list[Path]:
    """Return the checkpoint at a path, or a run's best one, or the best one of each of its seeds."""
    if not path.is_dir():
        return [path]
    seeds = [] if (path / BEST).exists() else sorted(path.glob(f"{SEEDS}/{BEST}"))
    return seeds or [path / BEST]


def _networks(paths: list[Path]) -> tuple[list[Network], DataFacts]:
    """Return the networks of checkpoints that were trained on the same images, and what turns a picture into input."""
    networks, facts = zip(*map(_network, paths), strict=True)
    for path, each in zip(paths, facts, strict=True):
        if each != facts[0]:
            raise ValueError(f"expected networks of the same training images, got others in {paths[0]} and {path}")
    return list(networks), facts[0]


def _network(path: Path) -> tuple[Network, DataFacts]:
    """Return the network of a checkpoint, and what turns a picture into its input."""
    state = load(path, "--checkpoint {} takes it")
    facts = DataFacts(**state.data)
    network = new_network(Settings(**read_kept(state.config, path)), facts.side, len(facts.names))
    try:
        network.load_state_dict(state.tested)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected the parameters of its own network in {path}: {error}") from error
    return in_tests(network), facts


def _answer(picture: Path, networks: list[Network], facts: DataFacts) -> Answer:
    """Return what the networks say of a picture, in the mean."""
    like_mnist = facts.name in LIKE_MNIST
    is_own = facts.name == "folder"
    pixels = read_plain(picture, facts.side) if is_own else read_picture(picture, facts.side, like_mnist=like_mnist)
    said = [network.forward(_input(pixels, facts, network)).y[0].double() for network in networks]
    y = torch.stack(said).mean(0).tolist()
    if not all(map(math.isfinite, y)):
        raise ValueError(f"the network's answer to {picture} is not finite: {y}")
    first, second = sorted(range(len(y)), key=y.__getitem__, reverse=True)[:2] if len(y) > 1 else (0, 0)
    notes = []
    if y[first] < SURE and second != first:
        notes.append(f"not sure: {facts.names[second]} comes next, with {y[second]:.1%}")
    if like_mnist and shows_several((pixels.float() / 255).numpy()):
        notes.append("it seems to show several things; the network was trained on one at a time")
    return Answer(picture, facts.names, y, notes, pixels, len(networks))


def _input(pixels: Tensor, facts: DataFacts, network: Network) -> Tensor:
    return (pixels.flatten()[None].to(network.buffer) - facts.mean) / facts.deviation


class Answer(NamedTuple):
    """What a network says of a picture: y, a share for each class, and the pixels that it saw."""

    picture: Path
    names: list[str]
    y: list[float]
    notes: list[str]
    pixels: Tensor  # (side, side) uint8
    networks: int  # whose answers y is the mean of

    def lines(self, *, seen: bool) -> str:
        """Return the lines for a reader, with the picture that the network saw where that is asked for."""
        bars = ["#" * round(BAR * min(max(share, 0), 1)) for share in self.y]
        shares = [f"  {name:12} {share:6.1%}  {bar}" for name, share, bar in zip(self.names, self.y, bars, strict=True)]
        notes = [f"  {note}" for note in self.notes]
        image = ["  " + "".join(2 * SHADES[tone * len(SHADES) // 256] for tone in row) for row in self.pixels.tolist()]
        who = f"  (the mean of {self.networks} networks)" if self.networks > 1 else ""
        lines = [f"{self.picture}: {self._best()}{who}", *shares, *notes, *(image if seen else [])]
        return "\n".join(map(str.rstrip, lines))

    def json(self, *, seen: bool) -> str:
        """Return the same as one line of JSON for a program."""
        shares = dict(zip(self.names, self.y, strict=True))
        said = {"picture": str(self.picture), "answer": self._best(), "shares": shares, "notes": self.notes}
        return json.dumps(said | {"networks": self.networks} | ({"seen": self.pixels.tolist()} if seen else {}))

    def _best(self) -> str:
        return self.names[self.y.index(max(self.y))]
