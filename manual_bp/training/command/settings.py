"""The settings of a run: where they come from, which of them are kept with it, and where it begins.

Kept settings (a run's config.json, a checkpoint) may come from elsewhere. They are read as if the command line had
given them, so the same rules check them; what the command line itself says goes first.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from manual_bp.training.run import checkpoint
from manual_bp.training.run.checkpoint import Checkpoint
from manual_bp.training.run.run_folder import BEST, LAST, holds_a_run, logged_epoch

OF_A_SESSION = {
    *("config", "device", "download", "dry_run", "eval_only", "out_dir", "quiet", "resume", "seeds", "tensorboard"),
}
"""Settings that are not the run's: they are not kept with it."""
MAY_CHANGE = {"check_gradients", "data_root", "engine", "epochs", "log_interval", "save_interval", "threads"}
"""Settings of a run that may be others when it goes on; so may all of a session's."""


class UsageError(Exception):
    """Arguments that do not fit each other, or this machine."""


class Parser(Protocol):
    """What reads a command line."""

    def given(self, words: list[str]) -> dict[str, Any]:
        """Return what the command line says, without defaults; SystemExit after a message where it is wrong."""

    def defaults(self) -> dict[str, Any]:
        """Return every setting as it is where nothing is given."""


def settings(parser: Parser, *layers: Mapping[str, Any]) -> Namespace:
    """Return all settings: the defaults, overruled by each layer in turn."""
    return Namespace(**parser.defaults() | {name: value for layer in layers for name, value in layer.items()})


def kept(args: Namespace) -> dict[str, Any]:
    """Return the settings that a run keeps, as JSON has them."""
    named = {name: value for name, value in vars(args).items() if name not in OF_A_SESSION}
    return {name: str(value) if isinstance(value, Path) else value for name, value in named.items()}


def read_config(parser: Parser, path: Path) -> dict[str, Any]:
    """Return the settings in a run's config.json."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected JSON in {path}: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"expected a JSON object of settings in {path}, got {type(config).__name__}")
    return as_given(parser, config, path)


def as_given(parser: Parser, config: Mapping[str, Any], origin: Path | str) -> dict[str, Any]:
    """Return kept settings as if the command line had given them."""
    known = parser.defaults().keys() - OF_A_SESSION
    if unknown := sorted(config.keys() - known):
        raise ValueError(f"expected settings of a run in {origin}, got {', '.join(map(repr, unknown))}")
    words = [word for name, value in config.items() for word in _words(name, value)]
    try:
        given = parser.given(words)
    except SystemExit:
        raise ValueError(f"expected settings that can be given as options in {origin}: see the line above") from None
    read = kept(Namespace(**given))
    for name, value in config.items():
        if value is not None and read[name] != value:  # a list in a number's place, true in a list's
            raise ValueError(f"expected {name} as {read[name]!r} would be kept in {origin}, got {value!r}")
    return given


def _words(name: str, value: object) -> list[str]:
    """Return a setting as words of a command line."""
    option = name.replace("_", "-")
    match value:
        case None:
            return []
        case bool():
            return [f"--{option}" if value else f"--no-{option}"]
        case list() if all(isinstance(each, (str, int, float)) for each in value):
            return [f"--{option}", *map(str, value)]
        case str() | int() | float():
            return [f"--{option}={value}"]
        case _:
            raise ValueError(f"expected a plain value for the setting {name}, got {type(value).__name__}")


def folder_of(args: Namespace) -> Path | None:
    """Return the folder that the run writes to, if any: --out-dir, or that of the last.pt to go on from."""
    if args.resume in (None, "auto"):
        if args.resume == "auto" and args.out_dir is None:
            raise UsageError("argument --resume: auto expects --out-dir, the folder to go on in")
        return args.out_dir  # type: ignore[no-any-return]  # argparse does not know its types
    path = _file_of(args.resume)
    return path.parent if args.out_dir is None and path.name == LAST else args.out_dir


def starting_point(args: Namespace, folder: Path | None) -> Checkpoint | None:
    """Return the checkpoint to go on from, if any; UsageError where the run's folder holds another run."""
    if args.resume == "auto" and folder is not None and (folder / LAST).exists():
        return checkpoint.load(folder / LAST)
    if args.resume == "auto":
        _refuse_a_run_without_end(folder)
        return None
    path = None if args.resume is None else _file_of(args.resume)
    is_own = path is not None and folder is not None and path.resolve() == (folder / LAST).resolve()
    if folder is not None and not is_own and not args.eval_only and holds_a_run(folder):
        hint = "go on with it by --resume auto, or choose another folder"
        raise UsageError(f"argument --out-dir: {folder} holds a run already: {hint}")
    return None if path is None else checkpoint.load(path)


def _file_of(resume: str) -> Path:
    path = Path(resume)
    return path / LAST if path.is_dir() else path


def _refuse_a_run_without_end(folder: Path | None) -> None:
    """Refuse to begin again what was further than its first epoch, the only one that has no last.pt yet."""
    if folder is not None and (epoch := logged_epoch(folder)) > 1:
        hint = f"choose another --out-dir; --resume {folder / BEST} goes on from the best epoch"
        raise UsageError(f"argument --resume: the run of {folder} was in epoch {epoch}, but its {LAST} is gone; {hint}")


def continued(parser: Parser, given: Mapping[str, Any], start: Checkpoint) -> Namespace:
    """Return the settings of a run that goes on: its own, but for those that may change."""
    own = settings(parser, as_given(parser, start.config, "the checkpoint"))
    for name in sorted(given.keys() & vars(own).keys() - MAY_CHANGE - OF_A_SESSION):
        if given[name] != (before := getattr(own, name)):
            hint = "leave it out to go on with that run, or begin a new one"
            option = name.replace("_", "-")
            raise UsageError(f"argument --{option}: the checkpoint's run has {before}, got {given[name]}; {hint}")
    return settings(parser, vars(own), given)
