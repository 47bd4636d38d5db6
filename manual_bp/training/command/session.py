"""A run while it trains: everything it consists of, and what it writes and says."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import dataclass

from manual_bp.network import Network
from manual_bp.training.command.settings import kept
from manual_bp.training.engine.processes import Processes
from manual_bp.training.engine.protocol import Engine, Optimizer
from manual_bp.training.engine.schedule import learning_rate
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import Images
from manual_bp.training.run.checkpoint import DataFacts
from manual_bp.training.run.run import Run
from manual_bp.training.run.run_folder import LAST, RunFolder


@dataclass
class Session:
    """All that a run needs; the first engine's loss and parameters count."""

    args: Namespace
    processes: Processes
    test: Images
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
        return int(self.args.epochs) * self.run.batches

    def learning_rate(self) -> float:
        """Return η of the next step."""
        args, batches = self.args, self.run.batches
        return learning_rate(
            args.lr_schedule,
            args.lr,
            self.run.step,
            self.steps,
            warmup=round(args.warmup_epochs * batches),
            drop_every=args.lr_drop_every * batches if args.lr_schedule == "step" else None,
            drop_factor=args.lr_drop_factor,
        )

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
            self.folder.save(self.run.checkpoint(self.engines[0], kept(self.args), self.facts), best=best)

    def complain(self, what: str) -> None:
        """Say why the run ends early, and what is left of it."""
        if self.is_main:
            is_saved = self.folder is not None and (self.folder.path / LAST).exists()
            left = f"{self.folder.path / LAST} is saved" if self.folder and is_saved else "nothing is saved"
            hint = "--resume goes on from it" if is_saved else "--out-dir would keep checkpoints"
            print(f"{what}\n{left}: {hint}", file=sys.stderr)

    def title(self) -> str:
        """Return the first lines of a run: what trains on what."""
        args, facts, count = self.args, self.facts, self.processes.count
        sizes = "-".join(map(str, [facts.side**2, *args.hidden, len(facts.names)]))
        who = f"{count} processes" if count > 1 else f"engine {args.engine}"
        lines = [
            f"{sizes}, {args.activation}, {args.loss}, {args.dtype} on {self.processes.device}, {who}",
            f"{self.run.images:,} training images, {len(self.test):,} test images of {args.dataset}",
        ]
        if args.dataset != "mnist5k":
            lines.append(self.test.source)
        if self.run.step:
            lines.append(f"goes on after step {self.run.step} of {self.steps}")
        return "\n".join(lines)
