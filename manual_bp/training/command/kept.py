"""Settings that come back from a run's config.json or a checkpoint, perhaps from elsewhere: every value is checked.

A value has to be of its setting's kind as it stands: no text in a number's place, no number in that of yes and no.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from manual_bp.training.command.settings import FIELDS, KEPT, KINDS, LARGEST, RATES
from manual_bp.training.command.usage import nearest, option
from manual_bp.training.command.words import EXPECTED

SEEDS = "seed-*"
"""The folder of each of several runs in that of all, a seed in the place of the star."""


def with_config(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of --config, if any, replaced by those that were given.

    Its rates are left out where another optimizer is given: they would not suit that one.
    """
    if "config" not in given:
        return dict(given)
    config = read_config(given["config"])
    if given.get("optimizer", config.get("optimizer")) != config.get("optimizer"):
        config = {name: value for name, value in config.items() if name not in RATES}
    return config | dict(given)


def of_seed(given: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return what was given for one of several runs: its seed, and its own folder in --out-dir."""
    folder = {"out_dir": given["out_dir"] / SEEDS.replace("*", str(seed))} if "out_dir" in given else {}
    return {**given, "seed": seed, **folder}


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings in a run's config.json."""
    try:
        config = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise OSError(f"argument --config: expected a run's config.json at {path}: {error.strerror}") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"expected JSON in {path}: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"expected a JSON object of settings in {path}, got {type(config).__name__}")
    return read_kept(config, path)


def read_kept(config: Mapping[str, Any], origin: Path | str) -> dict[str, Any]:
    """Return the settings that a run kept in ``origin``; ValueError for a name or a value that no run keeps."""
    if unknown := sorted(config.keys() - set(KEPT)):
        hint = nearest(unknown[0], KEPT)
        raise ValueError(f"expected settings of a run in {origin}, got {', '.join(map(repr, unknown))}{hint}")
    return {name: _checked(name, value, origin) for name, value in config.items()}


def _checked(name: str, value: object, origin: Path | str) -> Any:
    try:
        return read(name, value)
    except msgspec.ValidationError as error:
        raise ValueError(f"argument {option(name)}: {complaint(KINDS[name], value)} in {origin}") from error


def read(name: str, value: object) -> Any:
    """Return the value of a setting, a path as such; ValidationError where it is of another kind or out of range."""
    return msgspec.convert(value, FIELDS[name].type, dec_hook=_as_path)


def _as_path(kind: type, value: object) -> object:
    return Path(value) if kind is Path and isinstance(value, str) else value


def complaint(kind: inspect.Type, value: object) -> str:
    """Return what was expected of a setting, and what came."""
    if isinstance(kind, inspect.LiteralType) and isinstance(value, str):
        names = list(map(str, kind.values))
        return f"invalid choice: {value!r} (choose from {', '.join(names)}){nearest(value, names)}"
    return f"expected {_described(kind)}, got {reprlib.repr(value)}"


def _described(kind: inspect.Type) -> str:
    match kind:
        case inspect.IntType(ge=least, le=most):
            return f"a whole number {f'of at least {least}' if most == LARGEST else f'from {least} to {most}'}"
        case inspect.FloatType(ge=least, lt=below):
            return f"a finite number of at least {least}" + ("" if below is None else f" and below {below}")
        case inspect.ListType(item_type=item):
            return f"a list, each entry {_described(item)}"
        case inspect.LiteralType(values=names):
            return f"one of {', '.join(map(str, names))}"
        case inspect.StrType(pattern=str()):
            return EXPECTED
        case inspect.BoolType():
            return "true or false"
        case _:
            return "text"
