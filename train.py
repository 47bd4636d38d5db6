"""Train a small network on images with backpropagation by hand, by autograd, or by both in lockstep.

python train.py                                            5,000 real digits, the handwritten engine
python train.py --out-dir runs/first                       keeps settings, log, checkpoints and pictures there
python train.py --resume runs/first --epochs 60            goes on, bit for bit
python train.py --engine both --epochs 3                   largest difference to autograd after every epoch
python train.py predict photo.png                          reads a digit with the newest run's best network
torchrun --standalone --nproc-per-node=2 train.py          two processes share every batch

From top to bottom: data, network, loop, commands. All settings stand in ``manual_bp/training/command/settings.py``.
"""

from __future__ import annotations

import signal
import sys
import time

START = time.perf_counter()  # before torch is imported, which takes a second
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # imports swallow a KeyboardInterrupt or end in a traceback

from manual_bp.training.command.usage import begin

if __name__ == "__main__":
    begin()  # before what the extra has to bring is imported

from manual_bp.training.command.options import read_words

if __name__ == "__main__":
    read_words(sys.argv[1:])  # --help and typing errors are answered before torch is imported

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from manual_bp import GradientDescent, Network
from manual_bp.training.command import instead
from manual_bp.training.command.ending import INTERRUPTED, Ending, accuracies, remedy, told
from manual_bp.training.command.kept import of_seed, with_config
from manual_bp.training.command.predict import predict
from manual_bp.training.command.products import chosen_network, take_threads
from manual_bp.training.command.seeds import run_seeds
from manual_bp.training.command.session import Session
from manual_bp.training.command.settings import GRADIENT_DESCENT, OWN, Settings, descent_on
from manual_bp.training.command.start import AUGMENT, beginning, check_length, check_together, divided
from manual_bp.training.command.telling import complain, finish, stopped, title, why_stopped
from manual_bp.training.engine.parallel import DataParallelEngine
from manual_bp.training.engine.processes import Processes
from manual_bp.training.engine.protocol import Engine, Optimizer
from manual_bp.training.engine.step import ManualEngine
from manual_bp.training.images import datasets
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import Images
from manual_bp.training.run.checkpoint import Checkpoint, DataFacts
from manual_bp.training.run.interruption import Interruption
from manual_bp.training.run.progress import Progress
from manual_bp.training.run.run import Run, StoppedError

# ------------------------------------------------------------------------------------------------------------- data


def load_images(settings: Settings, processes: Processes) -> tuple[Images, Images]:
    """Return the training and the test images; of several processes, none downloads what the others would too."""
    how: dict[str, Any] = {"download": settings.download and processes.count == 1, "side": settings.image_size}
    training, test = datasets.load(settings.dataset, settings.data_root, **how)
    if settings.test_dataset == OWN:
        return training, test
    others = datasets.load_tests(settings.test_dataset, settings.test_root or settings.data_root, **how)
    return datasets.with_other_tests(training, test, others)


def make_batches(settings: Settings, training: Images, test: Images, processes: Processes) -> tuple[Batches, Batches]:
    """Return the batches to train with, this process's share of each, and those to test with."""
    kind: dict[str, Any] = {"standard": training, "dtype": getattr(torch, settings.dtype), "device": processes.device}
    smoothing, part, own = settings.label_smoothing, (processes.rank, processes.count), AUGMENT[settings.augment]
    mine = Batches(training, settings.batch_size, label_smoothing=smoothing, part=part, **own, **kind)
    return mine, Batches(test, 1000, **kind)


# ---------------------------------------------------------------------------------------------------------- network


def build_optimizer(settings: Settings, network: Network, images: int) -> tuple[Optimizer, Settings]:
    """Return what moves the parameters, and the settings with its own rates in the place of those not given."""
    if settings.optimizer == GRADIENT_DESCENT:  # E9
        settings = settings.with_rates(descent_on(images))
        return GradientDescent(network, **settings.rates()), settings
    from torch_ref.autograd.chosen import chosen_optimizer  # torch_ref takes a second to import

    return chosen_optimizer(settings, network)


def build_engines(settings: Settings, network: Network, optimizer: Optimizer, processes: Processes) -> list[Engine]:
    """Return who computes the steps; the first one's loss and parameters count."""
    if processes.count > 1:
        return [DataParallelEngine(network, optimizer, processes)]
    by_hand: list[Engine] = [] if settings.engine == "autograd" else [ManualEngine(network, optimizer)]
    if settings.engine == "manual":
        return by_hand
    from torch_ref.autograd.engine import AutogradEngine

    return [*by_hand, AutogradEngine(network, optimizer)]


# ------------------------------------------------------------------------------------------------------------- loop


def train_epoch(session: Session, progress: Progress, interruption: Interruption) -> bool:
    """Take the steps of the epoch under way, to its end or an interruption; return whether it is interrupted."""
    for x, t in session.batches.shuffled(session.settings.seed, session.run.epoch, start=session.run.within):
        session.begin_step()  # η, and the masks of dropout
        if session.checks_gradients and len(x):
            check_gradients(session, x, t)
        losses = []
        for engine in session.engines:  # by hand, by autograd, or the one and then the other
            engine.forward(x)  # net^l = W^l x^(l-1) + b^l, x^l = σ(net^l): E1, E2
            losses.append(engine.loss(t))  # L of y = x^L against t: E6, E8
            for gradients in engine.backward():  # δ^l = σ′(net^l) e^l, ∂L/∂W^l = −δ^l x^(l-1): E15, E12
                engine.update(gradients)  # W^l ← W^l − η ∂L/∂W^l: E9
        session.count(losses[0].item())
        progress.advance(loss=losses[0].item(), lr=session.optimizer.lr)
        if session.processes.any(interruption.asked is not None):
            return True
    return False


def finish_epoch(session: Session) -> str:
    """Test the network, log and save; return the epoch's line."""
    run = session.run
    measured = session.measured()
    if not math.isfinite(measured["test_loss"]):
        what = f"the test loss is {measured['test_loss']}"
        raise StoppedError(f"after epoch {run.epoch - 1}: {what}; {remedy(session.settings)}")
    is_best = run.finish_epoch({**measured, "lr": session.optimizer.lr})
    session.log("epoch", **run.history[-1])
    session.save(best=is_best)
    line = f"epoch {run.epoch - 1:2}  loss {run.history[-1]['loss']:.4f}  {accuracies(measured)}"
    if len(session.engines) == 2:
        from torch_ref.autograd.engine import largest_difference

        line += f"  by hand and autograd at most {largest_difference(*session.engines)} ulp apart"
    return f"{line}\n{why_stopped(session)}" if session.has_stopped else line


def check_gradients(session: Session, x: Tensor, t: Tensor) -> None:
    """Cross-check the network, as it is now, with autograd on a batch; stop the run where a gradient is wrong."""
    from torch_ref import crosscheck

    report = crosscheck(session.trained(), x, t, power=False)
    if not report.ok:
        raise StoppedError(f"before step {session.run.step + 1}: the gradients are wrong\n{report.verdict}")


def train(session: Session) -> Ending:
    """Take the steps that are left; test and save after every epoch, and draw at the end."""
    run, is_interrupted = session.run, False
    with (
        torch.inference_mode(mode=session.settings.engine == "manual"),
        Interruption() as interruption,
        Progress(session.steps, done=run.step, shown=session.shows_progress, batch=run.batch_size) as progress,
    ):
        try:
            progress.line(title(session))
            while not is_interrupted and not session.is_over():
                with run.clock():
                    is_interrupted = train_epoch(session, progress, interruption)
                if run.within:  # interrupted inside an epoch
                    session.save()
                else:
                    progress.line(finish_epoch(session))
        except (StoppedError, BrokenPipeError, MemoryError, RuntimeError) as error:
            return stopped(session, error)
    session.draw()
    if is_interrupted and not session.is_over():
        complain(session, f"interrupted after step {run.step} of {session.steps}")
        return Ending(interruption.exit_code or INTERRUPTED)
    accuracy, answers = session.reported["test_accuracy"], session.answers(session.reported_network)
    return Ending(0, accuracy, interruption.asked is not None, answers)


# --------------------------------------------------------------------------------------------------------- commands


def prepare(settings: Settings, start: Checkpoint | None, processes: Processes) -> Session:
    """Make everything that the settings name, and go on from ``start``, if any."""
    whole, test = load_images(settings, processes)
    training, held = divided(settings, whole)
    batches, test_batches = make_batches(settings, training, test, processes)
    side, names, sha256 = training.pixels.shape[1], list(training.names), datasets.checksum(whole, test)
    facts = DataFacts(settings.dataset, sha256, side, batches.mean, batches.deviation, names)
    network, settings = chosen_network(settings, training, processes)
    optimizer, settings = build_optimizer(settings, network, len(training))
    engines = build_engines(settings, network, optimizer, processes)
    run = Run(len(training), settings.batch_size)
    take_threads(settings, network, processes)
    session = Session(
        settings, processes, training, held, test, batches, test_batches, facts, network, optimizer, engines, run
    )
    if start is not None:
        session.go_on_from(start)
    check_length(settings, run)
    return session


def run_one(given: Mapping[str, Any], processes: Processes) -> Ending:
    """Train once; or test, or try, where that is asked for."""
    with beginning(given, processes) as (settings, start, folder):
        session = processes.all_or_none(lambda: prepare(settings, start, processes))
        if settings.eval_only:
            return instead.test(session)
        if settings.dry_run:
            return instead.try_out(session)
        session.keep_in(folder)
        ending = train(session)
    if ending.code == 0:
        finish(session, ending, time.perf_counter() - START)
    return ending


def run_command(given: dict[str, Any]) -> int:
    """Carry out what the command line gives, with one seed or several; return the exit code."""
    if "images" in given:
        return predict(**given)
    # Before the first parallel operation, so that worker threads inherit it: products with the tiny delta of
    # saturated units are a hundred times slower when they are denormal numbers.
    torch.set_flush_denormal(True)
    given = with_config(given)
    settings = Settings(**given)
    processes = Processes.from_environment(settings.device)
    check_together(settings, processes.count)
    with processes:
        if settings.seeds == 1 or settings.dry_run:
            return run_one(given, processes).code
        return run_seeds(settings, processes, lambda seed: run_one(of_seed(given, seed), processes))


def main(argv: list[str] | None = None) -> int:
    """Run a command line; return the exit code."""
    return told(lambda: run_command(read_words(sys.argv[1:] if argv is None else argv)))


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
