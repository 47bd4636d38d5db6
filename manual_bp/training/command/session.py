"""A run while it trains: everything it consists of, and what it writes and says."""

from __future__ import annotations

import logging
import math
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from torch import Tensor

from manual_bp.masks import draw_masks
from manual_bp.network import Network
from manual_bp.training.command.ending import STOPPED, Ending, leave_output, out_of_memory
from manual_bp.training.command.networks import described
from manual_bp.training.command.settings import Settings
from manual_bp.training.engine.finite import first_not_finite, seems_finite
from manual_bp.training.engine.processes import Processes
from manual_bp.training.engine.protocol import Engine, Optimizer
from manual_bp.training.engine.schedule import learning_rate
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import Images
from manual_bp.training.images.held_out import held_out
from manual_bp.training.run.checkpoint import DataFacts
from manual_bp.training.run.evaluation import answers, evaluate
from manual_bp.training.run.run import Run, StoppedError
from manual_bp.training.run.run_folder import LAST, RunFolder


@dataclass
class Session:
    """All that a run needs; the first engine's loss and parameters count."""

    settings: Settings
    processes: Processes
    training_images: Images
    held_out_images: Images
    test_images: Images
    batches: Batches
    test_batches: Batches
    facts: DataFacts
    network: Network
    optimizer: Optimizer
    engines: list[Engine]
    run: Run
    folder: RunFolder | None = None

    @property
    def steps(self) -> int:
        """Return the steps of the whole run."""
        return self.settings.epochs * self.run.batches

    def begin_step(self) -> None:
        """Give the next step what belongs to it alone, in any run: η and the masks."""
        self.optimizer.lr = self.learning_rate()
        first = self.batches.first_row(self.run.rows)
        draw_masks(self.network, self.settings.seed, self.run.step, first)

    def learning_rate(self) -> float:
        """Return η of the next step."""
        settings, batches = self.settings, self.run.batches
        return learning_rate(
            settings.lr_schedule,
            cast("float", settings.lr),  # its optimizer's own where it was not given
            self.run.step,
            self.steps,
            warmup=round(settings.warmup_epochs * batches),
            drop_every=settings.lr_drop_every * batches if settings.lr_schedule == "step" else None,
            drop_factor=settings.lr_drop_factor,
        )

    @property
    def checks_gradients(self) -> bool:
        """Return whether the gradients of the next step are to be checked."""
        every = self.settings.check_gradients
        return every > 0 and self.run.step % every == 0

    def count(self, loss: float) -> None:
        """Count a step with its loss: stop where a number is not finite, log and save where it is time."""
        run, settings, epoch = self.run, self.settings, self.run.epoch
        run.add(loss)
        if not seems_finite(loss, self._watched) and (what := first_not_finite(self.engines[0].values())):
            raise StoppedError(f"in epoch {epoch} after step {run.step}: {what}; {self.remedy()}")
        if settings.log_interval and run.step % settings.log_interval == 0:
            self.log("step", step=run.step, epoch=epoch, loss=loss, lr=self.optimizer.lr)
        if settings.save_interval and run.step % settings.save_interval == 0 and run.within:
            self.save()

    @cached_property
    def _samples(self) -> dict[str, Batches]:
        """Return the images besides the test images that are answered after every epoch, by what they are.

        Of the training images they are as many as there are test images: all would take as long as a third of an epoch.
        """
        count = min(len(self.test_images), len(self.training_images) - 1)
        kept = {"training": held_out(self.training_images, count)[1], "validation": self.held_out_images}
        dtype, device = self.network.buffer.dtype, self.processes.device
        return {
            name: Batches(images, 1000, standard=self.training_images, dtype=dtype, device=device)
            for name, images in kept.items()
            if len(images)
        }

    def measured(self) -> dict[str, float]:
        """Test the network: return its loss and accuracy on the test images, and the other accuracies."""
        network = self.trained()
        others = {
            f"{name}_accuracy": evaluate(network, each.in_order()).accuracy for name, each in self._samples.items()
        }
        loss, accuracy = evaluate(network, self.test_batches.in_order())
        return {"test_loss": loss, **others, "test_accuracy": accuracy}

    @property
    def shows_progress(self) -> bool:
        """Return whether this process prints a line an epoch."""
        return self.is_main and not self.settings.quiet

    @cached_property
    def _watched(self) -> list[Tensor]:
        """Return all parameters that the first engine trains; by hand they lie in one tensor."""
        is_autograd = self.settings.engine == "autograd"
        return list(self.engines[0].parameters().values()) if is_autograd else [self.network.buffer]

    @property
    def is_main(self) -> bool:
        """Return whether this process is the one that prints, logs and saves."""
        return self.processes.is_main

    def trained(self) -> Network:
        """Return the network with the parameters that the engine has now: autograd trains a copy."""
        self.network.load_state_dict(self.engines[0].parameters())
        return self.network

    def log(self, event: str, **record: float) -> None:
        """Add a line to the log, where the run has a folder."""
        if self.folder is not None:
            self.folder.log(event, record)

    def save(self, *, best: bool = False) -> None:
        """Save a checkpoint, where the run has a folder."""
        if self.folder is not None:
            self.folder.save(self.run.checkpoint(self.engines[0], self.settings.kept(), self.facts), best=best)

    def keep_in(self, folder: RunFolder | None) -> None:
        """Begin the run's files in a folder, if it has one in this process."""
        if folder is not None:
            folder.begin(self.settings.kept(), self.run, tensorboard=self.settings.tensorboard)
            self.folder = folder

    def test(self) -> Ending:
        """Test the network and print how good it is."""
        loss, accuracy = evaluate(self.trained(), self.test_batches.in_order())
        if not math.isfinite(loss):
            reason = "the numbers of its network are too large: it is damaged, or its training went astray"
            raise ValueError(f"expected a finite test loss, got {loss} for {self.settings.resume}: {reason}")
        self.say(f"test accuracy {accuracy:.4f}  test loss {loss:.4f}")
        return Ending(0, accuracy)

    def try_out(self) -> Ending:
        """Take one step and print what a run would do."""
        x, t = next(self.batches.shuffled(self.settings.seed, 1))
        self.begin_step()
        loss, *_ = (engine.step(x, t).item() for engine in self.engines)
        steps = f"{self.steps:,} steps in {self.settings.epochs} epochs"
        parameters = sum(p.numel() for p in self.network.parameters().values())
        if not self.settings.quiet:
            self.say(self.title())
            self.say(f"dry run: {steps}, {parameters:,} parameters, first loss {loss:.4f}; nothing was written")
        return Ending(0)

    def draw(self) -> None:
        """Draw the pictures of a run that has ended, whether of itself or by an interruption."""
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # no word on where its cache is, or on its fonts
        from manual_bp.training.run.plots import draw_run  # matplotlib takes a second to import

        if self.folder is not None and self.run.history:
            y = answers(self.trained(), self.test_batches.in_order())
            draw_run(self.folder.path, self.run.history, y, self.test_images)

    def remedy(self) -> str:
        """Return what to try where numbers grow without end."""
        settings = self.settings
        if (settings.momentum or 0) >= 1:
            return f"a momentum of {settings.momentum:g} only ever grows: try a --momentum below 1"
        if (settings.lr or 0) <= 1 <= (settings.lr or 0) * (settings.weight_decay or 0):
            return "each step's pull to 0 goes beyond 0: try a smaller --weight-decay or --lr"
        return "try a smaller --lr"

    def stopped(self, error: Exception) -> Ending:
        """Say why the run cannot go on, and what is left of it; raise errors that are not of this kind."""
        if isinstance(error, BrokenPipeError):
            leave_output()
            self.complain(f"stopped after step {self.run.step} of {self.steps}: nobody reads the output any more")
        elif isinstance(error, StoppedError):
            self.complain(f"stopped {error}")
        elif what := out_of_memory(error):
            self.complain(f"stopped in epoch {self.run.epoch} after step {self.run.step}: {what}")
        else:
            raise error
        return Ending(STOPPED)

    def finish(self, ending: Ending, seconds: float) -> None:
        """Print the last line of a run that came to its end, so many seconds after the program began.

        Before it stands a remark where the network answers no better than one that always names one class.
        """
        count, labels = len(self.test_images), self.test_images.labels
        share = torch.bincount(labels).max().item() / count
        if ending.accuracy <= share + 3 * math.sqrt(share * (1 - share) / count) and self.is_main:
            chance = f"the test accuracy is at the level of chance, {share:.1%}: the network has learnt nothing"
            print(f"{chance}; try another --lr, more --epochs, or --activation relu", file=sys.stderr)
        trained, before = self.run.seconds, self.run.seconds_before
        parts = f" ({before:.1f} s of it before this start)" if before else ""
        epoch = f"{trained / self.settings.epochs:.2g} s an epoch"
        whole = f"this start {seconds:.1f} s in all" if before else f"in all {seconds:.1f} s"
        self.say(f"test accuracy {ending.accuracy:.4f}  training {trained:.1f} s{parts}, {epoch}, {whole}")

    def say(self, what: str) -> None:
        """Print what only one of several processes should."""
        if self.is_main:
            print(what)

    def complain(self, what: str) -> None:
        """Say why the run ends early, and what is left of it."""
        if self.is_main:
            is_saved = self.folder is not None and (self.folder.path / LAST).exists()
            left = f"{self.folder.path / LAST} is saved" if self.folder and is_saved else "nothing is saved"
            hint = "--resume goes on from it" if is_saved else "--out-dir would keep checkpoints"
            print(f"{what}\n{left}: {hint}", file=sys.stderr)

    def title(self) -> str:
        """Return the first lines of a run: what trains on what."""
        settings, facts, count = self.settings, self.facts, self.processes.count
        network = described(settings, facts.side, len(facts.names))
        held = f"{settings.validation:,} held out, " if settings.validation else ""
        who = f"{count} processes" if count > 1 else f"engine {settings.engine}"
        lines = [
            f"{network}, {settings.loss}, {settings.dtype} on {self.processes.device}, {who}",
            f"{self.run.images:,} training images, {held}{len(self.test_images):,} test images of {settings.dataset}",
        ]
        if settings.dataset != "mnist5k":
            lines.append(self.test_images.source)
        if self.run.step:
            lines.append(f"goes on after step {self.run.step} of {self.steps}")
        return "\n".join(lines)
