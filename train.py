"""Train a small network on images with backpropagation by hand, by autograd, or by both in lockstep.

python train.py                                            5,000 real digits, the handwritten engine
python train.py --out-dir runs/first                       keeps settings, log, checkpoints and pictures there
python train.py --resume runs/first --epochs 60            goes on, bit for bit
python train.py --engine both --epochs 3                   largest difference to autograd after every epoch
python train.py predict photo.png                          reads a digit with the newest run's best network
torchrun --standalone --nproc-per-node=2 train.py          two processes share every batch
"""

from __future__ import annotations

import argparse
import difflib
import json
import math
import re
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from manual_bp import Layer, Loss, Network
    from manual_bp.training.checkpoint import Checkpoint
    from manual_bp.training.data import Batches, Images
    from manual_bp.training.processes import Processes
    from manual_bp.training.step import Engine, Optimizer

START = time.perf_counter()


# -------------------------------------------------------------------------------------------------------- arguments
# torch is not imported before the arguments are known to be good.

DESCENT = {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 4e-3}
"""What our gradient descent takes where nothing is given. An optimizer of torch takes its own defaults."""


@lru_cache
def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        prog="train.py",
        description="Train a small network on images: 5,000 real MNIST digits that come along, or a larger data set.",
        epilog="python train.py predict IMAGE... reads digits from pictures: see python train.py predict --help.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    flag: dict[str, Any] = {"action": argparse.BooleanOptionalAction}

    add = parser.add_argument_group("data").add_argument
    datasets = choice("mnist5k", "mnist", "fashion-mnist", "kmnist", "emnist-balanced", "qmnist", "usps")
    add("--dataset", **datasets, default="mnist5k", help="mnist5k comes along")
    add("--data-root", type=Path, default=Path("data"), metavar="DIR", help="where the other data sets are")
    add("--download", **flag, default=False, help="fetch the data set to there if it is missing")
    add("--image-size", type=whole(1, 64), metavar="N", help="scale images to N x N; 16 gives the lecture's 256 inputs")
    add("--augment", **choice("none", "shift"), default="none", help="shift every image by up to 2 pixels")

    add = parser.add_argument_group("network").add_argument
    add("--hidden", type=whole(1), nargs="*", default=[256, 128], metavar="N", help="units of each hidden layer")
    add("--activation", **choice("sigmoid", "tanh", "relu"), default="relu", help="σ of E2")
    losses = choice("cross-entropy", "squared-error")
    add("--loss", **losses, default="cross-entropy", help="E8 of a softmax, or E6")
    add("--label-smoothing", type=number(0, below=1), default=0.0, metavar="A", help="share of t spread over the classes")

    add = parser.add_argument_group("training").add_argument
    add("--engine", **choice("manual", "autograd", "both"), default="manual", help="who computes")
    add("--epochs", type=whole(1), default=30, metavar="N", help="passes over the training images")
    add("--batch-size", type=whole(1), default=50, metavar="N", help="images per update")
    optimizers = "gradient-descent (E9), or by name any of torch.optim, fed with the same gradients"
    add("--optimizer", default="gradient-descent", metavar="NAME", help=optimizers)
    unset = "; unset: %s, or what the optimizer of torch takes"
    add("--lr", type=number(0), metavar="ETA", help="learning rate, η of E9" + unset % DESCENT["lr"])
    add("--momentum", type=number(0), metavar="M", help="0 for plain E9" + unset % DESCENT["momentum"])
    add("--nesterov", **flag, help="Nesterov's form of the momentum, if any" + unset % DESCENT["nesterov"])
    add("--weight-decay", type=number(0), metavar="W", help="pull to 0" + unset % DESCENT["weight_decay"])
    schedules = choice("constant", "cosine", "linear", "step")
    add("--lr-schedule", **schedules, default="cosine", help="cosine and linear fall to 0 at the end")
    add("--lr-step-epochs", type=whole(1), default=10, metavar="N", help="step: the learning rate falls every N epochs")
    add("--lr-step-factor", type=number(0), default=0.1, metavar="F", help="step: and is then F times what it was")
    add("--warmup-epochs", type=number(0), default=0.0, metavar="N", help="the learning rate rises from 0 for so long")
    add("--seed", type=whole(0), default=0, metavar="S", help="fixes the first weights, every order and every shift")
    add("--seeds", type=whole(1), default=1, metavar="N", help="train with N seeds from --seed on; mean and deviation")

    add = parser.add_argument_group("the run's files").add_argument
    add("--out-dir", type=Path, metavar="DIR", help="keep settings, log, checkpoints and pictures in this new folder")
    add("--resume", metavar="PATH", help="go on from a checkpoint or a run's folder; auto: from --out-dir, if it is there")
    add("--config", type=Path, metavar="FILE", help="take the settings from a run's config.json; others here go first")
    add("--save-interval", type=whole(0), default=0, metavar="N", help="save every N steps too, not every epoch only")
    add("--log-interval", type=whole(0), default=0, metavar="N", help="log every N steps too, not every epoch only")
    add("--tensorboard", **flag, default=False, help="log for TensorBoard too (extra 'tensorboard')")

    add = parser.add_argument_group("this session").add_argument
    add("--check-gradients", type=whole(0), default=0, metavar="N", help="cross-check with autograd every N steps")
    add("--eval-only", **flag, default=False, help="test the network of --resume, train nothing")
    add("--dry-run", **flag, default=False, help="try everything, one step too, and write nothing")
    add("--quiet", **flag, default=False, help="print the result only")
    add("--device", default="cpu", metavar="D", help="cpu, cuda, cuda:1, ...")
    few = "CPU threads; 0 is one for a small network, else all"
    add("--threads", type=whole(0, 1024), default=0, metavar="N", help=few)  # torch crashes on absurd numbers
    add("--dtype", **choice("float32", "float64"), default="float32", help="floating-point numbers")
    return parser


class Parser(argparse.ArgumentParser):
    """A parser that answers an unknown option with the nearest one."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the settings, or exit with 2."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = re.findall(r"--[a-z-]+", self.format_usage())
            self.error(f"unrecognized arguments: {' '.join(unknown)}{nearest(unknown[0].split('=')[0], known)}")
        return found

    def defaults(self) -> dict[str, Any]:
        """Return every setting as it is where nothing is given."""
        return vars(super().parse_args([]))

    def given(self, words: list[str]) -> dict[str, Any]:
        """Return only what the command line says, without defaults."""
        unset = argparse.Namespace(**dict.fromkeys(self.defaults(), argparse.SUPPRESS))
        return {name: value for name, value in vars(self.parse_args(words, unset)).items() if value != argparse.SUPPRESS}


def nearest(text: str, known: list[str]) -> str:
    """Return '; did you mean ...?' where something known looks like it."""
    close = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def choice(*names: str) -> dict[str, Any]:
    """Return the arguments of an option that takes one of some names."""

    def one_of(text: str) -> str:
        if text not in names:
            hint = nearest(text, list(names))
            raise ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(names)}){hint}")
        return text

    return {"type": one_of, "metavar": f"{{{','.join(names)}}}"}


def whole(least: int, most: int = 2**63 - 1) -> Callable[[str], int]:
    """Return what reads a whole number in a range."""
    limits = f"of at least {least}" if most == 2**63 - 1 else f"from {least} to {most}"

    def read(text: str) -> int:
        value = int(text) if text.isdecimal() and len(text) < 20 else -1
        if not least <= value <= most:
            raise ArgumentTypeError(f"expected a whole number {limits}, got {text!r}")
        return value

    return read


def number(least: float, below: float = math.inf) -> Callable[[str], float]:
    """Return what reads a finite number in a range."""
    limits = f"of at least {least}" + (f" and below {below}" if below < math.inf else "")

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value < below:
            raise ArgumentTypeError(f"expected a finite number {limits}, got {text!r}")
        return value

    return read


# ------------------------------------------------------------------------------------------------------------- data


def load_images(args: Namespace) -> tuple[Images, Images]:
    """Return the training and the test images."""
    from manual_bp.training import datasets

    halves = datasets.load(args.dataset, args.data_root, download=args.download)
    if args.image_size is None:
        return halves
    training, test = (datasets.resized(images, args.image_size) for images in halves)
    return training, test


# ---------------------------------------------------------------------------------------------------------- network


def build_network(args: Namespace, inputs: int, classes: int) -> Network:
    """Return the network of the settings, its first weights drawn from the seed."""
    import torch

    from manual_bp import ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, mlp

    activations: dict[str, Layer] = {"sigmoid": Sigmoid(), "tanh": Tanh(), "relu": ReLU()}
    losses: dict[str, Loss] = {"cross-entropy": SoftmaxCrossEntropy(), "squared-error": SquaredError()}
    sizes = [inputs, *args.hidden, classes]
    try:
        return mlp(
            sizes,
            activation=activations[args.activation],
            loss=losses[args.loss],
            generator=torch.Generator().manual_seed(args.seed),
            dtype=getattr(torch, args.dtype),
            device=args.device,
        )
    except RuntimeError as error:
        shape = "-".join(map(str, sizes))
        raise UsageError(f"argument --hidden: a network {shape} does not fit into memory here: {error}") from error


def build_optimizer(args: Namespace, network: Network) -> Optimizer:
    """Return what updates the network; settings that were not given become the optimizer's own."""
    from manual_bp import GradientDescent

    if args.optimizer == "gradient-descent":
        complete(args, DESCENT)
        nesterov = args.nesterov and args.momentum > 0
        return GradientDescent(
            network, lr=args.lr, momentum=args.momentum, nesterov=nesterov, weight_decay=args.weight_decay
        )
    from torch_ref import optimizer

    if args.optimizer not in optimizer.names():
        names = ["gradient-descent", *optimizer.names()]
        why = optimizer.NOT_FED.get(args.optimizer)
        hint = f": {why}" if why else nearest(args.optimizer, names)
        raise UsageError(f"argument --optimizer: expected one of {', '.join(names)}, got {args.optimizer!r}{hint}")
    own = {name: value for name, value in optimizer.settings_of(args.optimizer).items() if name in DESCENT}
    if unknown := [name for name in DESCENT if name not in own and getattr(args, name) is not None]:
        raise UsageError(f"argument --{unknown[0].replace('_', '-')}: {args.optimizer} has no such setting; leave it out")
    complete(args, own)
    return optimizer.TorchOptimizer(args.optimizer, network.parameters(), **{name: getattr(args, name) for name in own})


def complete(args: Namespace, settings: Mapping[str, Any]) -> None:
    """Set what was not given."""
    for name, value in settings.items():
        if getattr(args, name) is None:
            setattr(args, name, value)


def build_engines(args: Namespace, network: Network, optimizer: Optimizer, processes: Processes) -> list[Engine]:
    """Return who computes the steps: the first one's loss and parameters count."""
    from manual_bp.training.processes import DataParallelEngine
    from manual_bp.training.step import ManualEngine

    if processes.count > 1:
        if args.engine != "manual":
            raise UsageError(f"argument --engine: several processes train by hand only, got {args.engine!r}")
        return [DataParallelEngine(network, optimizer, processes)]
    engines: list[Engine] = [] if args.engine == "autograd" else [ManualEngine(network, optimizer)]
    if args.engine != "manual":
        from torch_ref.engine import AutogradEngine  # takes a second to import: only where it trains

        engines.append(AutogradEngine(network, optimizer))
    return engines


# ------------------------------------------------------------------------------------------------------------- loop


class Outcome(NamedTuple):
    """How a run ended: its exit code, and the test accuracy where it came to its end."""

    code: int
    accuracy: float = math.nan


def train(given: Mapping[str, Any], processes: Processes) -> Outcome:
    """Begin a run or go on with one, as the settings say."""
    import torch

    from manual_bp.training.batches import Batches
    from manual_bp.training.checkpoint import DataFacts
    from manual_bp.training.datasets import checksum
    from manual_bp.training.evaluation import evaluate
    from manual_bp.training.finite import first_not_finite, seems_finite
    from manual_bp.training.interruption import Interruption
    from manual_bp.training.progress import Progress
    from manual_bp.training.run import Run
    from manual_bp.training.run_folder import RunFolder
    from manual_bp.training.schedule import learning_rate
    from manual_bp.training.settings import continued, kept, settings, starting_point
    from manual_bp.training.step import threads_for

    args = settings(parser(), given)
    start, out_dir = processes.share(lambda: starting_point(args))
    if start is not None:
        args = continued(parser(), given, start)

    training, test = load_images(args)
    kind: dict[str, Any] = {"standard": training, "dtype": getattr(torch, args.dtype), "device": processes.device}
    shift, part = 2 if args.augment == "shift" else 0, (processes.rank, processes.count)
    batches = Batches(training, args.batch_size, shift=shift, label_smoothing=args.label_smoothing, part=part, **kind)
    test_batches = Batches(test, 1000, **kind)
    side = training.pixels.shape[1]
    facts = DataFacts(
        args.dataset, checksum(training, test), side, batches.mean, batches.deviation, list(training.names)
    )

    network = build_network(args, side * side, training.classes)
    optimizer = build_optimizer(args, network)
    torch.set_num_threads(args.threads or threads_for(network, args.batch_size // processes.count))
    engines = build_engines(args, network, optimizer, processes)
    run = Run(len(batches), args.epochs) if start is None else start.run(len(batches))
    for engine in engines if start is not None else []:
        engine.load(start.parameters, start.optimizer)

    if args.eval_only:
        loss, accuracy = evaluate(network, test_batches)
        print(f"test loss {loss:.4f}  test accuracy {accuracy:.4f}")
        return Outcome(0, accuracy)

    with RunFolder.of(out_dir) as folder, Interruption() as interruption, Progress(...) as progress:
        progress.line(describe(args, network, training, test))
        while run.epoch <= args.epochs:
            for x, t in batches.shuffled(args.seed, run.epoch, start=run.within):
                optimizer.lr = learning_rate(...)
                if args.check_gradients and run.step % args.check_gradients == 0:
                    crosschecked(network, x, t)
                loss, *_ = (engine.step(x, t).item() for engine in engines)
                run.add(loss)
                if not seems_finite(loss, watched) and (what := first_not_finite(engines[0].values())):
                    raise StoppedError(f"{what}; try a smaller --lr")
                progress.advance()
                if run.within and processes.any(interruption.asked): 
                    save
                    return
            ...
