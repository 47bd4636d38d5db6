"""A run while it trains: everything it consists of, and what it writes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

from torch import Tensor

from manual_bp.masks import draw_masks
from manual_bp.network import Network
from manual_bp.training.command.ending import Answers, remedy
from manual_bp.training.command.settings import Settings
from manual_bp.training.command.start import folders_of
from manual_bp.training.engine.average import Average
from manual_bp.training.engine.finite import first_not_finite, seems_finite
from manual_bp.training.engine.processes import Processes
from manual_bp.training.engine.protocol import Engine, Optimizer
from manual_bp.training.engine.schedule import learning_rate
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import Images
from manual_bp.training.images.held_out import held_out
from manual_bp.training.run.checkpoint import Checkpoint, DataFacts
from manual_bp.training.run.evaluation import answers, evaluate
from manual_bp.training.run.run import Run, StoppedError
from manual_bp.training.run.run_folder import RunFolder, best_of


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
    average: Average | None = field(init=False)
    """What is tested in the place of the parameters that are trained, if anything."""
    _best: Network | None = field(init=False, default=None)
    """With --patience, in the first process: the network of the best epoch, once there is one."""
    _best_before: Checkpoint | None = field(init=False, default=None)
    """The checkpoint that it was read from, where an earlier part of the run trained it."""

    def __post_init__(self) -> None:
        """Begin the average, where the settings ask for one."""
        self.average = Average(self.network, self.settings.average) if self.settings.average else None

    def go_on_from(self, start: Checkpoint) -> None:
        """Stand where the run of a checkpoint stood; ValueError where it is one of other data, or does not fit."""
        start.expect(self.facts)
        self.run.go_on_from(start, self.engines, self.average)
        settings, history = self.settings, self.run.history
        if settings.patience and history and self.is_main and not (settings.eval_only or settings.dry_run):
            epoch = int(self.run.best["epoch"])
            is_start = epoch == start.epoch and not self.run.within
            self._best_before = start if is_start else best_of(folders_of(settings), epoch)
            self._best = copy(self.network)
            self._best.load_state_dict(self._best_before.tested)

    @property
    def steps(self) -> int:
        """Return the steps of the whole run."""
        return self.settings.epochs * self.run.batches

    @property
    def has_stopped(self) -> bool:
        """Return whether the run stopped before its last step: --patience epochs brought nothing better."""
        run, patience = self.run, self.settings.patience
        return 0 < patience <= run.without_better and not run.within and run.step < self.steps

    def is_over(self) -> bool:
        """Return whether no step is left, or the run has stopped in any of the processes."""
        return self.run.step >= self.steps or (self.settings.patience > 0 and self.processes.any(self.has_stopped))

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
            raise StoppedError(f"in epoch {epoch} after step {run.step}: {what}; {remedy(settings)}")
        if self.average is not None:
            self.average.add(self._buffer(), run.step)
        if settings.log_interval and run.step % settings.log_interval == 0:
            self.log("step", step=run.step, epoch=epoch, loss=loss, lr=self.optimizer.lr)
        if settings.save_interval and run.step % settings.save_interval == 0 and run.within:
            self.save()

    @cached_property
    def _samples(self) -> dict[str, Batches]:
        """Return the images besides the test images that are answered after every epoch, by what they are.

        Of the training images they are as many as there are test images: all would take as long as a third of an epoch.
        Where there are no more than that, they are all of them.
        """
        trained, count = self.training_images, len(self.test_images)
        sample = held_out(trained, count)[1] if count < len(trained) else trained
        kept = {"training": sample, "validation": self.held_out_images}
        dtype, device = self.network.buffer.dtype, self.processes.device
        return {
            name: Batches(images, 1000, standard=self.training_images, dtype=dtype, device=device)
            for name, images in kept.items()
            if len(images)
        }

    def measured(self) -> dict[str, float]:
        """Test the network: return its loss and accuracy on the test images, and the other accuracies."""
        network = self.tested()
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

    def _buffer(self) -> Tensor:
        """Return the parameters that the first engine has now, in the one tensor of the network."""
        if self.settings.engine == "autograd":
            own = self.network.parameters()
            for name, parameter in self.engines[0].parameters().items():
                own[name].copy_(parameter)
        return self.network.buffer

    def tested(self) -> Network:
        """Return the network that is tested: that which is trained, or the average of its parameters."""
        return self.trained() if self.average is None else self.average.network

    @property
    def reported(self) -> dict[str, float]:
        """Return the epoch whose accuracy the run reports: its last one, or with --patience its best one."""
        return self.run.best if self.settings.patience else self.run.history[-1]

    def reported_network(self) -> Network:
        """Return the network of that epoch; ask the first process."""
        return self._best or self.tested()

    def trained(self) -> Network:
        """Return the network with the parameters that the engine has now: autograd trains a copy."""
        self.network.load_state_dict(self.engines[0].parameters())
        return self.network

    def log(self, event: str, **record: float) -> None:
        """Add a line to the log, where the run has a folder."""
        if self.folder is not None:
            self.folder.log(event, record)

    def save(self, *, best: bool = False) -> None:
        """Save a checkpoint, where the run has a folder; with --patience, keep the best network in memory too."""
        if best and self.settings.patience:
            self._best = copy(self.tested())
        if self.folder is not None:
            settings = self.settings.kept()
            self.folder.save(self.run.checkpoint(self.engines[0], settings, self.facts, self.average), best=best)

    def keep_in(self, folder: RunFolder | None) -> None:
        """Begin the run's files in a folder, if it has one in this process."""
        if folder is not None:
            folder.begin(self.settings.kept(), self.run, tensorboard=self.settings.tensorboard)
            if self._best_before is not None:
                folder.keep_best(self._best_before)
            self.folder = folder

    def answers(self, chosen: Callable[[], Network]) -> Answers | None:
        """Return the answers of the chosen network to the test images: in the first process, for an ensemble."""
        if not self.settings.ensemble or not self.is_main:
            return None
        return Answers(answers(chosen(), self.test_batches.in_order()), self.test_images.labels)

    def draw(self) -> None:
        """Draw the pictures of a run that has ended, whether of itself or by an interruption."""
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # no word on where its cache is, or on its fonts
        from manual_bp.training.run.plots import EXAMPLES, INK, LIGHT, draw_run  # matplotlib takes a second to import

        if self.folder is not None and self.run.history:
            y = answers(self.reported_network(), self.test_batches.in_order())
            distorted = self.batches.distorted(self.settings.seed, EXAMPLES)
            is_smoothed = self.settings.label_smoothing > 0
            shades = LIGHT if self.settings.dataset == "folder" else INK  # pictures of one's own as they are
            path, history, tests = self.folder.path, self.run.history, self.test_images
            draw_run(path, history, y, tests, distorted, is_smoothed=is_smoothed, shades=shades)
