"""What ``train.py`` does with a network in the place of training it: test it, or try one step."""

from __future__ import annotations

import math

from manual_bp.training.command.ending import Ending
from manual_bp.training.command.session import Session
from manual_bp.training.command.telling import say, title
from manual_bp.training.run.evaluation import evaluate


def test(session: Session) -> Ending:
    """Test the network of --resume and print how good it is."""
    loss, accuracy = evaluate(session.tested(), session.test_batches.in_order())
    if not math.isfinite(loss):
        reason = "the numbers of its network are too large: it is damaged, or its training went astray"
        raise ValueError(f"expected a finite test loss, got {loss} for {session.settings.resume}: {reason}")
    say(session, f"test accuracy {accuracy:.4f}  test loss {loss:.4f}")
    return Ending(0, accuracy, answers=session.answers(session.tested))


def try_out(session: Session) -> Ending:
    """Take one step and print what a run would do."""
    x, t = next(session.batches.shuffled(session.settings.seed, 1))
    session.begin_step()
    loss, *_ = (engine.step(x, t).item() for engine in session.engines)
    steps = f"{session.steps:,} steps in {session.settings.epochs} epochs"
    parameters = sum(p.numel() for p in session.network.parameters().values())
    if not session.settings.quiet:
        say(session, title(session))
        say(session, f"dry run: {steps}, {parameters:,} parameters, first loss {loss:.4f}; nothing was written")
    return Ending(0)
