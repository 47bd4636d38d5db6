"""What a run says: its first lines, its last one, and why it ended early."""

from __future__ import annotations

import math
import sys

import torch

from manual_bp.training.command.ending import STOPPED, Ending, leave_output, out_of_memory
from manual_bp.training.command.networks import described
from manual_bp.training.command.session import Session
from manual_bp.training.command.settings import OWN
from manual_bp.training.command.usage import tell_torchrun
from manual_bp.training.run.run import StoppedError
from manual_bp.training.run.run_folder import LAST


def say(session: Session, what: str) -> None:
    """Print what only one of several processes should."""
    if session.is_main:
        print(what)


def title(session: Session) -> str:
    """Return the first lines of a run: what trains on what."""
    settings, facts, count = session.settings, session.facts, session.processes.count
    network = described(settings, facts.side, len(facts.names))
    held = f"{settings.validation:,} held out, " if settings.validation else ""
    who = f"{count} processes" if count > 1 else f"engine {settings.engine}"
    who += f", products of {settings.products}" * (settings.products != "torch" and settings.engine != "autograd")
    images, tests = session.run.images, len(session.test_images)
    is_own = settings.test_dataset == OWN
    trained, tested = ("", settings.dataset) if is_own else (f" of {settings.dataset}", settings.test_dataset)
    lines = [
        f"{network}, {settings.loss}, {settings.dtype} on {session.processes.device}, {who}",
        f"{images:,} training images{trained}, {held}{tests:,} test images of {tested}",
    ]
    sources = {settings.dataset: session.training_images.source, tested: session.test_images.source}
    lines += [source for name, source in sources.items() if name != "mnist5k"]
    if session.has_stopped:
        lines.append(f"{why_stopped(session)}; a --patience above {session.run.without_better} goes on")
    elif session.run.step:
        lines.append(f"goes on after step {session.run.step} of {session.steps}")
    return "\n".join(lines)


def why_stopped(session: Session) -> str:
    """Return after which epoch the run stopped before its last one, and why."""
    run = session.run
    done, best = len(run.history), run.best
    last = f"none of the last {run.without_better}" if run.without_better > 1 else "it"
    was = "was" if run.without_better > 1 else "was not"
    better = f"{last} {was} better than epoch {best['epoch']} on the held-out images"
    return f"stopped after epoch {done} of {session.settings.epochs}: {better}, {best['validation_accuracy']:.2%}"


def is_chance(accuracy: float, share: float, count: int) -> bool:
    """Return whether an accuracy on ``count`` test images is that of always naming the class with this share of them.

    Three standard deviations above are luck still. Of a few images that reaches beyond 100 %, so a quarter of the way
    from the share to there is the most.
    """
    return accuracy <= share + min(3 * math.sqrt(share * (1 - share) / count), (1 - share) / 4)


def finish(session: Session, ending: Ending, seconds: float) -> None:
    """Print the last line of a run that came to its end, so many seconds after the program began.

    Before it stands a remark where the network answers no better than one that always names one class.
    """
    count, labels = len(session.test_images), session.test_images.labels
    share = torch.bincount(labels).max().item() / count
    if session.is_main and is_chance(ending.accuracy, share, count):
        chance = f"the test accuracy is at the level of chance, {share:.1%}: the network has learnt nothing"
        print(f"{chance}; try another --lr, more --epochs, or --activation relu", file=sys.stderr)
    trained, before = session.run.seconds, session.run.seconds_before
    parts = f" ({before:.1f} s of it before this start)" if before else ""
    epoch = f"{trained / len(session.run.history):.2g} s an epoch"
    which = (
        f" of epoch {session.reported['epoch']}, the best on the held-out images" if session.settings.patience else ""
    )
    whole = f"this start {seconds:.1f} s in all" if before else f"in all {seconds:.1f} s"
    say(session, f"test accuracy {ending.accuracy:.4f}{which}  training {trained:.1f} s{parts}, {epoch}, {whole}")


def stopped(session: Session, error: Exception) -> Ending:
    """Say why the run cannot go on, and what is left of it; raise errors that are not of this kind."""
    run = session.run
    if isinstance(error, BrokenPipeError):
        leave_output()
        complain(session, f"stopped after step {run.step} of {session.steps}: nobody reads the output any more")
    elif isinstance(error, StoppedError):
        complain(session, f"stopped {error}")
    elif what := out_of_memory(error):
        complain(session, f"stopped in epoch {run.epoch} after step {run.step}: {what}")
    else:
        raise error
    return Ending(STOPPED)


def complain(session: Session, what: str) -> None:
    """Say why the run ends early, and what is left of it."""
    if session.is_main:
        folder = session.folder
        is_saved = folder is not None and (folder.path / LAST).exists()
        left = f"{folder.path / LAST} is saved" if folder and is_saved else "nothing is saved"
        hint = "--resume goes on from it" if is_saved else "--out-dir would keep checkpoints"
        print(f"{what}\n{left}: {hint}", file=sys.stderr)
    tell_torchrun(what)
