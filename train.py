"""Train a handwritten-digit recogniser with backpropagation by hand, by autograd, or by both in lockstep.

python train.py                                            5,000 real digits, the handwritten engine
python train.py --engine both --epochs 3                   largest difference to autograd after every epoch
python train.py --hidden 30 --activation sigmoid --loss squared-error --lr 1 --momentum 0 --weight-decay 0
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manual_bp import Layer, Loss
    from manual_bp.training.step import Engine

START = time.perf_counter()


# -------------------------------------------------------------------------------------------------------- arguments


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line's settings; torch is not imported before they are known to be good."""
    parser = argparse.ArgumentParser(
        description="Train a handwritten-digit recogniser on the 5,000 real MNIST digits that ship with the project.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    network = parser.add_argument_group("network")
    network.add_argument(
        "--hidden", type=whole, nargs="*", default=[256, 128], metavar="N", help="units of each hidden layer"
    )
    network.add_argument("--activation", choices=["sigmoid", "tanh", "relu"], default="relu", help="σ of E2")
    network.add_argument(
        "--loss", choices=["cross-entropy", "squared-error"], default="cross-entropy", help="E8 of a softmax, or E6"
    )
    training = parser.add_argument_group("training")
    training.add_argument("--engine", choices=["manual", "autograd", "both"], default="manual", help="who computes")
    training.add_argument("--epochs", type=whole, default=30, metavar="N", help="passes over the training digits")
    training.add_argument("--batch-size", type=whole, default=50, metavar="N", help="digits per update")
    training.add_argument("--lr", type=number, default=0.05, metavar="ETA", help="learning rate, η of E9")
    training.add_argument("--lr-schedule", choices=["constant", "cosine"], default="cosine", help="cosine falls to 0")
    training.add_argument("--momentum", type=number, default=0.9, metavar="M", help="momentum, 0 for plain E9")
    training.add_argument(
        "--nesterov",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Nesterov's form of the momentum, if any",
    )
    training.add_argument("--weight-decay", type=number, default=4e-3, metavar="W", help="pull of the parameters to 0")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--seed", type=natural, default=0, metavar="S", help="fixes the first weights and every order")
    machine.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda, cuda:1, ...")
    machine.add_argument(
        "--threads", type=threads, default=0, metavar="N", help="CPU threads; 0 is one for a small network, else all"
    )
    machine.add_argument("--dtype", choices=["float32", "float64"], default="float32", help="floating-point numbers")
    machine.add_argument("--plot", type=new_png, metavar="FILE.png", help="draw loss and accuracy over the epochs")
    return parser.parse_args(argv)


def whole(text: str, least: int = 1) -> int:
    """Return a whole number of at least ``least`` that fits 63 bits."""
    value = int(text) if text.isdecimal() and len(text) < 20 else -1
    if not least <= value < 2**63:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
    return value


def natural(text: str) -> int:
    """Return a whole number of at least 0."""
    return whole(text, least=0)


def threads(text: str) -> int:
    """Return a number of threads that a machine may have: torch crashes on absurd ones."""
    value = natural(text)
    if value > 1024:
        raise argparse.ArgumentTypeError(f"expected at most 1024 threads, got {text!r}")
    return value


def number(text: str) -> float:
    """Return a finite number of at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a finite number of at least 0, got {text!r}")
    return value


def new_png(text: str) -> Path:
    """Return the path of a PNG file to write, in a folder that exists."""
    path = Path(text)
    if path.suffix.lower() != ".png" or path.is_dir():
        raise argparse.ArgumentTypeError(f"expected the name of a .png file, got {text!r}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"expected a folder that exists, got {str(path.parent)!r}")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            return path
    except OSError as error:
        raise argparse.ArgumentTypeError(f"expected a folder to write to, got {str(path.parent)!r}: {error}") from error


# ---------------------------------------------------------------------------------------------------------- the run


def train(args: argparse.Namespace) -> int:
    """Train as the arguments say; return the exit code."""
    import torch

    # Before the first parallel operation, so that worker threads inherit it: products with the tiny delta of
    # saturated units are a hundred times slower when they are denormal numbers.
    torch.set_flush_denormal(True)

    from manual_bp import GradientDescent, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
    from manual_bp.training.data import Batches, mnist5k
    from manual_bp.training.progress import Progress
    from manual_bp.training.step import ManualEngine, accuracy, threads_for

    dtype = {"float32": torch.float32, "float64": torch.float64}[args.dtype]
    try:
        torch.empty(1, device=args.device).add_(1).item()
    except (RuntimeError, AssertionError) as error:  # torch raises the one or the other, by device
        return refuse("--device", f"torch cannot use {args.device!r} here", error)

    # data
    digits, test_digits = mnist5k()
    batches = Batches(digits, args.batch_size, standard=digits, dtype=dtype, device=args.device)
    test_batches = Batches(test_digits, len(test_digits), standard=digits, dtype=dtype, device=args.device)

    # network
    activations: dict[str, Layer] = {"sigmoid": Sigmoid(), "tanh": Tanh(), "relu": ReLU()}
    losses: dict[str, Loss] = {"cross-entropy": SoftmaxCrossEntropy(), "squared-error": SquaredError()}
    sizes = [batches.pixels.shape[1], *args.hidden, digits.classes]
    try:
        network = mlp(
            sizes,
            activation=activations[args.activation],
            loss=losses[args.loss],
            generator=torch.Generator().manual_seed(args.seed),
            dtype=dtype,
            device=args.device,
        )
    except RuntimeError as error:
        return refuse("--hidden", f"a network {'-'.join(map(str, sizes))} does not fit into memory here", error)
    torch.set_num_threads(args.threads or threads_for(network, args.batch_size))
    nesterov = args.nesterov and args.momentum > 0
    descent = GradientDescent(
        network, lr=args.lr, momentum=args.momentum, nesterov=nesterov, weight_decay=args.weight_decay
    )
    engines: list[Engine] = []
    if args.engine != "autograd":
        engines.append(ManualEngine(network, descent))
    if args.engine != "manual":
        from torch_ref.engine import AutogradEngine  # takes a second to import: only where it trains

        engines.append(AutogradEngine(network, descent))

    # loop
    steps, step = args.epochs * len(batches), 0
    epoch_losses: list[float] = []
    accuracies: list[float] = []
    began = time.perf_counter()
    with torch.inference_mode(mode=args.engine == "manual"), Progress(steps) as progress:
        progress.line(
            f"{'-'.join(map(str, sizes))}, {args.activation}, {args.loss}, {args.dtype} on {args.device}, "
            f"engine {args.engine}\n{len(digits):,} training digits, {len(test_digits):,} test digits"
        )
        for epoch in range(1, args.epochs + 1):
            loss_sum = 0.0
            for x, t in batches.shuffled(args.seed, epoch):
                descent.lr = scheduled(args.lr_schedule, args.lr, step / steps)
                loss, *_ = (engine.step(x, t).item() for engine in engines)
                step += 1
                if not math.isfinite(loss):
                    progress.line(f"stopped: the loss is {loss} in epoch {epoch}, step {step}; try a smaller --lr")
                    return 1
                loss_sum += loss * len(x)
                progress.advance()
            if args.engine == "autograd":
                network.load_state_dict(engines[0].parameters())
            epoch_losses.append(loss_sum / len(digits))
            accuracies.append(accuracy(network, test_batches.in_order()))
            line = f"epoch {epoch:2}  loss {epoch_losses[-1]:.4f}  test {accuracies[-1]:.2%}"
            if args.engine == "both":
                line += f"  by hand and autograd at most {largest_difference(engines)} ulp apart"
            progress.line(line)
        now = time.perf_counter()
        progress.line(f"test accuracy {accuracies[-1]:.4f}  training {now - began:.1f} s, in all {now - START:.1f} s")
    if args.plot:
        from manual_bp.training.plots import plot_curves

        plot_curves(args.plot, epoch_losses, accuracies)
        print(f"curves in {args.plot}")
    return 0


def refuse(argument: str, message: str, error: Exception) -> int:
    """Say why an argument cannot be used on this machine; return the exit code."""
    reason = str(error).splitlines()[0]
    print(f"train.py: error: argument {argument}: {message}: {reason}", file=sys.stderr)
    return 2


def largest_difference(engines: list[Engine]) -> int:
    """Return the largest difference of the engines' parameters, in units in the last place."""
    from torch_ref import ulp_distance

    mine, others = (engine.parameters() for engine in engines)
    return max(int(ulp_distance(mine[name], others[name]).max()) for name in mine)


def scheduled(schedule: str, lr: float, progress: float) -> float:
    """Return the learning rate when a share ``progress`` of all steps is done."""
    return lr * 0.5 * (1 + math.cos(math.pi * progress)) if schedule == "cosine" else lr


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    args = parse_arguments(argv)
    try:
        return train(args)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:  # a data file that is missing or damaged, a picture that cannot be written
        print(f"train.py: error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
