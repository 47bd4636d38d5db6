"""Where a run begins: from nothing, or from a checkpoint with the settings that were kept with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from manual_bp.extras import missing
from manual_bp.training.command.kept import SEEDS, read_kept
from manual_bp.training.command.products import check_products
from manual_bp.training.command.settings import FASTEST, LARGEST, LOOSE, NOT, OPTIONS, OWN, Settings
from manual_bp.training.command.usage import UsageError, option
from manual_bp.training.engine.processes import Processes
from manual_bp.training.images.data import Images
from manual_bp.training.images.distortions import AFFINE, ELASTIC
from manual_bp.training.images.held_out import held_out
from manual_bp.training.run.checkpoint import Checkpoint
from manual_bp.training.run.run import Run
from manual_bp.training.run.run_folder import BEST, LAST, RunFolder, holds_a_run, load, logged_epoch

SHIFT = 2  # pixels
AUGMENT: dict[str, dict[str, Any]] = {
    "none": {},
    "shift": {"shift": SHIFT},
    "affine": {"distortion": AFFINE},
    "elastic": {"distortion": ELASTIC},
}
"""What the batches are told, by --augment."""
GO_ON = "--resume {} --out-dir NEW goes on from it in a new folder"


@contextmanager
def beginning(
    given: Mapping[str, Any], processes: Processes
) -> Iterator[tuple[Settings, Checkpoint | None, RunFolder | None]]:
    """Give the settings of a run, the checkpoint that it goes on from, and the folder that the first process locks."""
    settings = Settings(**given)
    path = folder_of(settings)
    folder: RunFolder | None = None
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, torch.get_num_threads())  # another run after this one has its own

        def begin() -> Checkpoint | None:
            nonlocal folder
            if path is not None and not settings.eval_only and not settings.dry_run:
                folder = stack.enter_context(RunFolder(path))  # first, so that nobody else begins there meanwhile
            return starting_point(settings, path)

        start = processes.from_main(begin)
        if start is None and settings.eval_only:
            raise UsageError("argument --eval-only: there is no run yet to test")
        settings = settings if start is None else continued(given, start)
        if settings.patience and not settings.validation:
            raise UsageError("argument --patience: expected --validation N too, images held out to judge each epoch by")
        if settings.test_root is not None and settings.test_dataset == OWN:
            raise UsageError("argument --test-root: expected --test-dataset too, the data set that is there")
        yield settings, start, folder


def folder_of(settings: Settings) -> Path | None:
    """Return the folder that the run writes to, if any: --out-dir, or that of the last.pt to go on from."""
    if settings.resume in (None, "auto"):
        if settings.resume == "auto" and settings.out_dir is None:
            raise UsageError("argument --resume: auto expects --out-dir, the folder to go on in")
        return settings.out_dir
    path = _file_of(settings.resume)
    return path.parent if settings.out_dir is None and path.name == LAST else settings.out_dir


def folders_of(settings: Settings) -> list[Path]:
    """Return the folders where checkpoints of the run may be: its own, and that of the part of it before this one."""
    before = None if settings.resume in (None, "auto") else _file_of(settings.resume).parent
    return [folder for folder in (folder_of(settings), before) if folder is not None]


def starting_point(settings: Settings, folder: Path | None) -> Checkpoint | None:
    """Return the checkpoint to go on from, if any; UsageError where the run's folder holds another run."""
    if settings.resume == "auto" and folder is not None and (folder / LAST).exists():
        return load(folder / LAST, GO_ON)
    if settings.resume == "auto":
        _refuse_a_run_without_its_last(folder)
        return None
    path = None if settings.resume is None else _file_of(settings.resume)
    is_own = path is not None and folder is not None and path.resolve() == (folder / LAST).resolve()
    if folder is not None and not is_own and not settings.eval_only and holds_a_run(folder):
        hint = "go on with it by --resume auto, or choose another folder"
        raise UsageError(f"argument --out-dir: {folder} holds a run already: {hint}")
    return None if path is None else load(path, "--resume {} tests that" if settings.eval_only else GO_ON)


def _file_of(resume: str) -> Path:
    """Return the checkpoint at a path, or that of the run in a folder; UsageError for a folder of several seeds."""
    path = Path(resume)
    if not path.is_dir():
        return path
    if not (path / LAST).exists() and (seeds := sorted(path.glob(f"{SEEDS}/{LAST}"))):
        every = f"--seeds N --resume auto --out-dir {path} goes on with each"
        raise UsageError(f"argument --resume: {path} holds several seeds: name one, {seeds[0].parent}; {every}")
    return path / LAST


def _refuse_a_run_without_its_last(folder: Path | None) -> None:
    """Refuse to begin anew where a run was past its first epoch: only within that one there is no last.pt yet."""
    if folder is not None and (epoch := logged_epoch(folder)) > 1:
        hint = f"choose another --out-dir; --resume {folder / BEST} goes on from the best epoch"
        raise UsageError(f"argument --resume: the run of {folder} was in epoch {epoch}, but its {LAST} is gone; {hint}")


def continued(given: Mapping[str, Any], start: Checkpoint) -> Settings:
    """Return the settings of a run that goes on: its own, but for those that may change."""
    own = Settings(**read_kept(start.config, "the checkpoint"))
    if given.get("products") == FASTEST:  # it was measured when the run began
        given = {name: value for name, value in given.items() if name != "products"}
    for name in sorted(given):
        before = getattr(own, name)
        if OPTIONS[name].kept not in (LOOSE, NOT) and given[name] != before:
            hint = "leave it out to go on with that run, or begin a new one"
            raise UsageError(f"argument {option(name)}: the checkpoint's run has {before}, got {given[name]}; {hint}")
    return own.replaced(given)


def check_together(settings: Settings, processes: int = 1) -> None:
    """Raise UsageError where settings do not fit each other, the number of processes, or this machine."""
    if processes > 1 and settings.engine != "manual":
        raise UsageError(f"argument --engine: several processes train by hand, got {settings.engine!r}")
    if settings.eval_only and settings.resume is None:
        raise UsageError("argument --eval-only: expected --resume too, the network to test")
    if settings.tensorboard and folder_of(settings) is None:
        raise UsageError("argument --tensorboard: expected --out-dir too, the folder to write to")
    if settings.tensorboard and (line := missing("tensorboard")):
        raise UsageError(f"argument --tensorboard: {line}")
    published = {
        name: each
        for name, each in (("dataset", settings.dataset), ("test_dataset", settings.test_dataset))
        if each not in (OWN, "mnist5k", "folder")
    }
    if settings.download and not published and "folder" in (settings.dataset, settings.test_dataset):
        raise UsageError("argument --download: the pictures of a folder are your own; put them into --data-root")
    if published and (line := missing("datasets")):
        raise UsageError(f"argument {option(next(iter(published)))}: {line}")
    if settings.augment == "shift" and settings.image_size is not None and settings.image_size <= SHIFT:
        raise UsageError(f"argument --augment: images of {settings.image_size} pixels cannot shift by {SHIFT}")
    if settings.augment in ("affine", "elastic") and settings.image_size == 1:
        raise UsageError("argument --augment: images of 1 pixel cannot be distorted; expected --image-size 2 or more")
    if settings.seeds > 1 and settings.resume not in (None, "auto"):
        hint = "--resume auto goes on with each"
        raise UsageError(f"argument --seeds: several runs cannot go on from one checkpoint; {hint}")
    if settings.ensemble and (settings.seeds == 1 or settings.dry_run):
        what = "--dry-run trains no networks" if settings.dry_run else "expected --seeds N too, N networks to ask"
        raise UsageError(f"argument --ensemble: {what}")
    if (last := settings.seed + settings.seeds - 1) > LARGEST:
        raise UsageError(f"argument --seeds: expected seeds of at most {LARGEST}, got {last} as the last one")
    try:
        torch.empty(1, device=settings.device).add_(1).item()
    except (RuntimeError, AssertionError, ImportError) as error:  # by device, torch raises one of them
        reason = str(error).splitlines()[0][:200]
        raise UsageError(f"argument --device: torch cannot use {settings.device!r} here: {reason}") from error
    check_products(settings, processes)


def divided(settings: Settings, training: Images) -> tuple[Images, Images]:
    """Return the images to train with and those of --validation; UsageError unless some of both are left."""
    if settings.validation > (most := len(training) - 2):
        expected = f"expected at most {most:,} of the {len(training):,} training images"
        raise UsageError(f"argument --validation: {expected}, got {settings.validation:,}")
    return held_out(training, settings.validation)


def check_length(settings: Settings, run: Run) -> None:
    """Raise UsageError unless the run has steps left, or is just at its end, and more of them than the warm-up."""
    epochs, warmup = settings.epochs, settings.warmup_epochs
    if run.step > epochs * run.batches:
        done = f"the run has {run.step // run.batches} whole epochs already"
        raise UsageError(f"argument --epochs: {done}, got {epochs}")
    if warmup >= epochs or round(warmup * run.batches) >= epochs * run.batches:
        raise UsageError(f"argument --warmup-epochs: expected less than --epochs, {epochs}, got {warmup}")
