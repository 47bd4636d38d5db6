"""``train.py predict``: what pictures show, by the network of a checkpoint."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import manual_bp.training.command.arguments as arguments
from manual_bp import Network
from manual_bp.training.command.networks import new_network
from manual_bp.training.command.settings import Parser, as_given, settings
from manual_bp.training.images.picture import read_picture
from manual_bp.training.run import checkpoint
from manual_bp.training.run.checkpoint import DataFacts
from manual_bp.training.run.run_folder import BEST

LIKE_MNIST = {"mnist5k", "mnist", "qmnist", "emnist-balanced"}
"""Data sets whose images show one character, scaled into a box and centred by its mass."""
BAR = 40  # signs for 100 %


def predict(words: list[str], run_parser: Parser) -> int:
    """Print the class of each picture and the confidence in every class; return the exit code.

    ``run_parser`` reads the settings that a checkpoint holds. A picture that cannot be read is named, and the others
    are read all the same.
    """
    args = _parser().parse_args(words)
    path = _newest() if args.checkpoint is None else args.checkpoint
    network, facts = _network(path / BEST if path.is_dir() else path, run_parser)
    code = 0
    for picture in args.images:
        try:
            print(_answer(picture, network, facts))
        except (OSError, ValueError) as error:
            print(f"train.py predict: error: {error}", file=sys.stderr)
            code = 1
    return code


def _parser() -> arguments.Parser:
    parser = arguments.Parser(prog="train.py predict", description="Say what pictures show.", allow_abbrev=False)
    images = "PNG, JPEG, ..., of any size, dark on light or light on dark"
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help=images)
    path = "a checkpoint, or a run's folder for its best one (default: that of the newest run in runs)"
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help=path)
    return parser


def _newest() -> Path:
    """Return the best checkpoint of the newest run in the folder runs."""
    found = sorted(Path("runs").glob(f"*/{BEST}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError("expected a run in runs: train one by --out-dir runs/NAME, or name a --checkpoint")
    return found[-1]


def _network(path: Path, run_parser: Parser) -> tuple[Network, DataFacts]:
    """Return the network of a checkpoint, and what turns a picture into its input."""
    state = checkpoint.load(path)
    facts = DataFacts(**state.data)
    network = new_network(
        settings(run_parser, as_given(run_parser, state.config, path)), facts.side**2, len(facts.names)
    )
    try:
        network.load_state_dict(state.parameters)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected the parameters of its own network in {path}: {error}") from error
    return network, facts


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
