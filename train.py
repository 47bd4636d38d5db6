"""Train a small network on images with backpropagation by hand, by autograd, or by both in lockstep.

python train.py                                            5,000 real digits, the handwritten engine
python train.py --out-dir runs/first                       keeps settings, log, checkpoints and pictures there
python train.py --resume runs/first --epochs 60            goes on, bit for bit
python train.py --engine both --epochs 3                   largest difference to autograd after every epoch
python train.py predict photo.png                          reads a digit with the newest run's best network
torchrun --standalone --nproc-per-node=2 train.py          two processes share every batch
"""

from __future__ import annotations

import signal
import time

START = time.perf_counter()  # before torch is imported, which takes a second
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # imports swallow a KeyboardInterrupt or end in a traceback

import io
import math
import sys
from argparse import BooleanOptionalAction, Namespace
from collections.abc import Mapping
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import torch
from torch import Tensor

from manual_bp import GradientDescent, Network
from manual_bp.extras import exit_without, missing

if __name__ == "__main__":
    exit_without("train", "train.py")  # before what needs it is imported

from manual_bp.training.command.arguments import HelpFormatter, Parser, choice, nearest, number, whole
from manual_bp.training.command.networks import ACTIVATIONS, LOSSES, new_network
from manual_bp.training.command.predict import predict
from manual_bp.training.command.session import Session
from manual_bp.training.command.settings import (
    UsageError,
    continued,
    folder_of,
    kept,
    read_config,
    settings,
    starting_point,
)
from manual_bp.training.engine.finite import first_not_finite, seems_finite
from manual_bp.training.engine.processes import DataParallelEngine, Processes
from manual_bp.training.engine.schedule import SCHEDULES
from manual_bp.training.engine.step import Engine, ManualEngine, Optimizer, threads_for
from manual_bp.training.images import datasets
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import Images
from manual_bp.training.run.checkpoint import Checkpoint, DataFacts
from manual_bp.training.run.evaluation import answers, evaluate
from manual_bp.training.run.interruption import Interruption
from manual_bp.training.run.progress import Progress
from manual_bp.training.run.run import Run, StoppedError
from manual_bp.training.run.run_folder import RunFolder

# -------------------------------------------------------------------------------------------------------- arguments

DESCENT = {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 4e-3}
"""What our gradient descent takes where nothing is given. An optimizer of torch takes its own defaults."""
SHIFT = 2  # pixels
STOPPED, INTERRUPTED = 1, 130
"""Exit codes."""


@lru_cache
def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        prog="train.py",
        usage="%(prog)s [options]\n       %(prog)s predict IMAGE ...",
        description="Train a small network on images: 5,000 real MNIST digits that come along, or a larger data set.",
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    flag: dict[str, Any] = {"action": BooleanOptionalAction}
    rate = number(0, below=1e38)  # float32 holds it

    add = parser.add_argument_group("data").add_argument
    add("--dataset", **choice(*datasets.NAMES), default="mnist5k", help="mnist5k comes along")
    add("--data-root", type=Path, default=Path("data"), metavar="DIR", help="where the other data sets are")
    add("--download", **flag, default=False, help="fetch the data set to there if it is missing")
    add("--image-size", type=whole(1, 64), metavar="N", help="scale images to N x N; 16 gives the lecture's 256 inputs")
    add("--augment", **choice("none", "shift"), default="none", help="shift every image by up to 2 pixels")

    add = parser.add_argument_group("network").add_argument
    add("--hidden", type=whole(1), nargs="*", default=[256, 128], metavar="N", help="units of each hidden layer")
    add("--activation", **choice(*ACTIVATIONS), default="relu", help="σ of E2")
    add("--loss", **choice(*LOSSES), default="cross-entropy", help="E8 of a softmax, or E6")
    add("--label-smoothing", type=number(0, below=1), default=0.0, metavar="A", help="share of t given to all classes")

    add = parser.add_argument_group("training").add_argument
    add("--engine", **choice("manual", "autograd", "both"), default="manual", help="who computes")
    add("--epochs", type=whole(1), default=30, metavar="N", help="passes over the training images")
    add("--batch-size", type=whole(1), default=50, metavar="N", help="images per update")
    optimizers = "gradient-descent (E9), or by name any of torch.optim, fed with the same gradients"
    add("--optimizer", default="gradient-descent", metavar="NAME", help=optimizers)
    add("--lr", type=rate, metavar="ETA", help="learning rate, η of E9 (default: 0.05, or torch.optim's)")
    add("--momentum", type=rate, metavar="M", help="0 is plain E9 (default: 0.9, or torch.optim's)")
    add("--nesterov", **flag, help="Nesterov's form of the momentum, if any (default: yes, or torch.optim's)")
    add("--weight-decay", type=rate, metavar="W", help="pull to 0 (default: 0.004, or torch.optim's)")
    add("--lr-schedule", **choice(*SCHEDULES), default="cosine", help="cosine and linear fall to 0 at the end")
    add("--lr-drop-every", type=whole(1), default=10, metavar="N", help="step: it drops every N epochs")
    add("--lr-drop-factor", type=number(1, below=1e38), default=10.0, metavar="F", help="step: by a factor of F")
    add("--warmup-epochs", type=number(0), default=0.0, metavar="N", help="it climbs to there for so long first")
    add("--seed", type=whole(0), default=0, metavar="S", help="fixes the first weights, every order and every shift")
    add("--seeds", type=whole(1), default=1, metavar="N", help="train with N seeds from --seed on; mean and deviation")

    add = parser.add_argument_group("the run's files").add_argument
    add("--out-dir", type=Path, metavar="DIR", help="keep settings, log, checkpoints and pictures in this new folder")
    add("--resume", metavar="PATH", help="go on from a checkpoint or a run's folder, or auto: from --out-dir if it can")
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


# ------------------------------------------------------------------------------------------------------------- data


def load_images(args: Namespace, processes: Processes) -> tuple[Images, Images]:
    """Return the training and the test images; of several processes, none downloads what the others would too."""
    training, test = datasets.load(args.dataset, args.data_root, download=args.download and processes.count == 1)
    if args.image_size is not None:
        training, test = (datasets.resized(images, args.image_size) for images in (training, test))
    return training, test


def make_batches(args: Namespace, training: Images, test: Images, processes: Processes) -> tuple[Batches, Batches]:
    """Return the batches to train with, this process's share of each, and those to test with."""
    kind: dict[str, Any] = {"standard": training, "dtype": getattr(torch, args.dtype), "device": processes.device}
    batches = Batches(
        training,
        args.batch_size,
        shift=SHIFT if args.augment == "shift" else 0,
        label_smoothing=args.label_smoothing,
        part=(processes.rank, processes.count),
        **kind,
    )
    return batches, Batches(test, 1000, **kind)


# ---------------------------------------------------------------------------------------------------------- network


def build_optimizer(args: Namespace, network: Network) -> Optimizer:
    """Return what updates the network; settings that were not given are the optimizer's own, and noted in ``args``."""
    if args.optimizer == "gradient-descent":
        fill_in(args, DESCENT)
        nesterov = args.nesterov and args.momentum > 0
        return GradientDescent(
            network, lr=args.lr, momentum=args.momentum, nesterov=nesterov, weight_decay=args.weight_decay
        )
    from torch_ref.autograd import optimizer  # torch_ref takes a second to import: only where it trains

    names = ["gradient-descent", *optimizer.names()]
    if args.optimizer not in names:
        why = optimizer.NOT_FED.get(args.optimizer)
        hint = f": {why}" if why else nearest(args.optimizer, names)
        raise UsageError(f"argument --optimizer: expected one of {', '.join(names)}, got {args.optimizer!r}{hint}")
    own = {name: value for name, value in optimizer.settings_of(args.optimizer).items() if name in DESCENT}
    if unknown := [name for name in DESCENT if name not in own and getattr(args, name) is not None]:
        option = unknown[0].replace("_", "-")
        raise UsageError(f"argument --{option}: {args.optimizer} has no such setting; leave it out")
    fill_in(args, own)
    try:
        chosen = {name: getattr(args, name) for name in own}
        return optimizer.TorchOptimizer(args.optimizer, network.parameters(), **chosen)
    except ValueError as error:
        raise UsageError(f"argument --optimizer: {args.optimizer} refuses its settings: {error}") from error


def fill_in(args: Namespace, defaults: Mapping[str, Any]) -> None:
    """Set what was not given."""
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)


def build_engines(args: Namespace, network: Network, optimizer: Optimizer, processes: Processes) -> list[Engine]:
    """Return who computes the steps; the first one's loss and parameters count."""
    if processes.count > 1:
        if args.engine != "manual":
            raise UsageError(f"argument --engine: several processes train by hand, got {args.engine!r}")
        return [DataParallelEngine(network, optimizer, processes)]
    engines: list[Engine] = [] if args.engine == "autograd" else [ManualEngine(network, optimizer)]
    if args.engine != "manual":
        from torch_ref.autograd.engine import AutogradEngine

        engines.append(AutogradEngine(network, optimizer))
    return engines


# -------------------------------------------------------------------------------------------------------------- run


def prepare(args: Namespace, start: Checkpoint | None, processes: Processes) -> Session:
    """Make everything that the settings name, and go on from ``start``, if any."""
    training, test = load_images(args, processes)
    batches, test_batches = make_batches(args, training, test, processes)
    side = training.pixels.shape[1]
    sha256, names = datasets.checksum(training, test), list(training.names)
    facts = DataFacts(args.dataset, sha256, side, batches.mean, batches.deviation, names)
    network = new_network(args, side * side, len(names), processes.device)
    optimizer = build_optimizer(args, network)
    engines = build_engines(args, network, optimizer, processes)
    run = Run(len(training), args.batch_size)
    if start is not None:
        start.expect(facts)
        run.go_on_from(start, engines)
    check_length(args, run)
    torch.set_num_threads(args.threads or threads_for(network, args.batch_size // processes.count))
    return Session(args, processes, test, batches, test_batches, facts, network, optimizer, engines, run)


def check_length(args: Namespace, run: Run) -> None:
    """Raise unless the run has steps left, or is just at its end, and more of them than the warm-up."""
    if run.step > args.epochs * run.batches:
        done = f"the run has {run.step // run.batches} whole epochs already"
        raise UsageError(f"argument --epochs: {done}, got {args.epochs}")
    if round(args.warmup_epochs * run.batches) >= args.epochs * run.batches:
        raise UsageError(
            f"argument --warmup-epochs: expected fewer than the {args.epochs} epochs, got {args.warmup_epochs}"
        )


class Outcome(NamedTuple):
    """How a run ended: the exit code, the test accuracy where it came to its end, and whether no other may follow."""

    code: int
    accuracy: float = math.nan
    is_interrupted: bool = False


def train(session: Session) -> Outcome:
    """Take the steps that are left; test and save after every epoch."""
    run, is_interrupted = session.run, False
    with (
        torch.inference_mode(mode=session.args.engine == "manual"),
        Interruption() as interruption,
        Progress(session.steps, done=run.step, shown=session.is_main and not session.args.quiet) as progress,
    ):
        progress.line(session.title())
        try:
            while run.step < session.steps and not is_interrupted:
                with run.clock():
                    is_interrupted = train_epoch(session, progress, interruption)
                if run.within:
                    session.save()
                else:
                    progress.line(finish_epoch(session))
        except StoppedError as error:
            session.complain(f"stopped {error}")
            return Outcome(STOPPED)
    if run.step < session.steps:
        session.complain(f"interrupted after step {run.step} of {session.steps}")
        return Outcome(interruption.exit_code or INTERRUPTED)
    return Outcome(0, run.history[-1]["test_accuracy"], interruption.asked is not None)


def train_epoch(session: Session, progress: Progress, interruption: Interruption) -> bool:
    """Take the steps of the epoch under way, to its end or an interruption; return whether it is interrupted."""
    args, run, engines, epoch = session.args, session.run, session.engines, session.run.epoch
    parameters = list(engines[0].parameters().values()) if args.engine == "autograd" else [session.network.buffer]
    for x, t in session.batches.shuffled(args.seed, epoch, start=run.within):
        session.optimizer.lr = session.learning_rate()
        if args.check_gradients and run.step % args.check_gradients == 0 and len(x):
            check_gradients(session, x, t)
        loss, *_ = (engine.step(x, t).item() for engine in engines)
        run.add(loss)
        if not seems_finite(loss, parameters) and (what := first_not_finite(engines[0].values())):
            raise StoppedError(f"in epoch {epoch} after step {run.step}: {what}; try a smaller --lr")
        if args.log_interval and run.step % args.log_interval == 0:
            session.log("step", step=run.step, epoch=epoch, loss=loss, lr=session.optimizer.lr)
        if args.save_interval and run.step % args.save_interval == 0 and run.within:
            session.save()
        progress.advance()
        if session.processes.any(interruption.asked is not None):
            return True
    return False


def check_gradients(session: Session, x: Tensor, t: Tensor) -> None:
    """Cross-check the network, as it is now, with autograd on a batch; stop the run where a gradient is wrong."""
    from torch_ref import crosscheck

    report = crosscheck(session.trained(), x, t)
    if not report.ok:
        raise StoppedError(f"before step {session.run.step + 1}: the gradients are wrong\n{report.verdict}")


def finish_epoch(session: Session) -> str:
    """Test the network, log and save; return the epoch's line."""
    run, engines = session.run, session.engines
    test_loss, test_accuracy = evaluate(session.trained(), session.test_batches.in_order())
    if not math.isfinite(test_loss):
        raise StoppedError(f"after epoch {run.epoch - 1}: the test loss is {test_loss}; try a smaller --lr")
    measured = {"test_loss": test_loss, "test_accuracy": test_accuracy, "lr": session.optimizer.lr}
    is_best = run.finish_epoch(measured)
    session.log("epoch", **run.history[-1])
    session.save(best=is_best)
    done = run.history[-1]
    line = f"epoch {done['epoch']:2}  loss {done['loss']:.4f}  test {test_accuracy:.2%}"
    if len(engines) == 2:
        line += f"  by hand and autograd at most {largest_difference(engines)} ulp apart"
    return line


def largest_difference(engines: list[Engine]) -> int:
    """Return the largest difference of the engines' parameters, in units in the last place."""
    from torch_ref import ulp_distance

    mine, others = (engine.parameters() for engine in engines)
    return max(int(ulp_distance(mine[name], others[name]).max()) for name in mine)


# --------------------------------------------------------------------------------------------------------- commands


def run_one(given: Mapping[str, Any], processes: Processes) -> Outcome:
    """Train once; or test, or try, where that is asked for."""
    args = settings(parser(), given)
    path, writes = folder_of(args), processes.is_main and not args.eval_only and not args.dry_run
    with ExitStack() as stack:
        folder: RunFolder | None = None

        def begin() -> Checkpoint | None:
            nonlocal folder
            if path is not None and writes:
                folder = stack.enter_context(RunFolder(path))  # first, so that nobody else begins there meanwhile
            return starting_point(args, path)

        start = processes.from_main(begin)
        if start is not None:
            args = continued(parser(), given, start)
        elif args.eval_only:
            raise UsageError("argument --eval-only: there is no run yet to test")
        session = prepare(args, start, processes)
        if args.eval_only:
            return test(session)
        if args.dry_run:
            return try_out(session)
        if folder is not None:
            folder.begin(kept(args), session.run, tensorboard=args.tensorboard)
            session.folder = folder
        outcome = train(session)
        if folder is not None and outcome.code != STOPPED:
            draw(session, folder.path)
    if outcome.code == 0 and processes.is_main:
        seconds = f"training {session.run.seconds:.1f} s, in all {time.perf_counter() - START:.1f} s"
        print(f"test accuracy {outcome.accuracy:.4f}  {seconds}")
    return outcome


def draw(session: Session, folder: Path) -> None:
    """Draw the pictures of a run that has ended, whether of itself or by an interruption."""
    from manual_bp.training.run.plots import draw_run  # matplotlib takes a second to import

    if session.run.history:
        y = answers(session.trained(), session.test_batches.in_order())
        draw_run(folder, session.run.history, y, session.test)


def test(session: Session) -> Outcome:
    """Test the network of a checkpoint."""
    loss, accuracy = evaluate(session.trained(), session.test_batches.in_order())
    if session.is_main:
        print(f"test accuracy {accuracy:.4f}  test loss {loss:.4f}")
    return Outcome(0, accuracy)


def try_out(session: Session) -> Outcome:
    """Take one step and say what a run would do."""
    x, t = next(session.batches.shuffled(session.args.seed, 1))
    loss, *_ = (engine.step(x, t).item() for engine in session.engines)
    parameters = sum(p.numel() for p in session.network.parameters().values())
    if session.is_main:
        steps = f"{session.steps:,} steps in {session.args.epochs} epochs"
        print(session.title())
        print(f"dry run: {steps}, {parameters:,} parameters, first loss {loss:.4f}; nothing was written")
    return Outcome(0)


def run_command(given: dict[str, Any]) -> int:
    """Carry out what the command line asks for, with one seed or several; return the exit code."""
    # Before the first parallel operation, so that worker threads inherit it: products with the tiny delta of
    # saturated units are a hundred times slower when they are denormal numbers.
    torch.set_flush_denormal(True)
    if "config" in given:
        given = with_config(given)
    args = settings(parser(), given)
    check_together(args)
    with Processes.from_environment(args.device) as processes:
        if args.seeds == 1 or args.dry_run:
            return run_one(given, processes).code
        accuracies: list[float] = []
        for seed in range(args.seed, args.seed + args.seeds):
            folder = {} if args.out_dir is None else {"out_dir": args.out_dir / f"seed-{seed}"}
            code, accuracy, is_interrupted = run_one(given | {"seed": seed} | folder, processes)
            if code or is_interrupted:
                return code or INTERRUPTED
            accuracies.append(accuracy)
        if processes.is_main:
            print(f"test accuracy {mean(accuracies):.2%} ± {stdev(accuracies):.2%} (mean ± sd) of {args.seeds} seeds")
    return 0


def with_config(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given over the settings of --config, whose rates are of no use to another optimizer."""
    config = read_config(parser(), given["config"])
    if given.get("optimizer", config.get("optimizer")) != config.get("optimizer"):
        config = {name: value for name, value in config.items() if name not in DESCENT}
    return config | dict(given)


def check_together(args: Namespace) -> None:
    """Raise where arguments do not fit each other, or this machine."""
    if args.eval_only and args.resume is None:
        raise UsageError("argument --eval-only: expected --resume too, the network to test")
    if args.tensorboard and folder_of(args) is None:
        raise UsageError("argument --tensorboard: expected --out-dir too, the folder to write to")
    if args.tensorboard and (line := missing("tensorboard")):
        raise UsageError(f"argument --tensorboard: {line}")
    if args.dataset != "mnist5k" and (line := missing("datasets")):
        raise UsageError(f"argument --dataset: {line}")
    if args.augment == "shift" and args.image_size is not None and args.image_size <= SHIFT:
        raise UsageError(f"argument --augment: images of {args.image_size} pixels cannot shift by {SHIFT}")
    if args.seeds > 1 and args.resume not in (None, "auto"):
        hint = "--resume auto goes on with each"
        raise UsageError(f"argument --seeds: several runs cannot go on from one checkpoint; {hint}")
    try:
        torch.empty(1, device=args.device).add_(1).item()
    except (RuntimeError, AssertionError, ImportError) as error:  # by device, torch raises one of them
        reason = str(error).splitlines()[0][:200]
        raise UsageError(f"argument --device: torch cannot use {args.device!r} here: {reason}") from error


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ± or ∂ shows a question mark
    words = sys.argv[1:] if argv is None else argv
    try:
        if words[:1] == ["predict"]:
            return predict(words[1:], parser())
        return run_command(parser().given(words))
    except UsageError as error:
        print(f"train.py: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (OSError, ValueError) as error:  # data, checkpoints and settings from elsewhere; folders, disks, networks
        print(f"train.py: error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
