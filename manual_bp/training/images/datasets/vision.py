"""torchvision.datasets, also where torchvision's compiled half does not fit torch.

Beside a CPU build of torch, torchvision from the package index cannot load its compiled operators, and its import
then fails because it describes two of them, which no data set uses (pytorch/vision#9337). On exactly that error the
operator that it names is declared, without any code behind it, and the import tried again. Once the import works as
it comes (pytorch/vision#9649), nothing here does anything, and this file can go.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType

from torch.library import define

from manual_bp import extras

declared: set[str] = set()  # operators: each at most once, since a second time would not help


def torchvision_datasets() -> ModuleType:
    """Import and return torchvision.datasets.

    Raises whatever the import raises, but for an operator of torchvision that is missing and was not declared yet.
    """
    while True:
        try:
            from torchvision import datasets
        except ModuleNotFoundError as error:
            if error.name != "torchvision":
                raise
            raise ModuleNotFoundError(extras.missing("datasets"), name=error.name) from error
        except RuntimeError as error:
            missing = re.fullmatch(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None or missing[1] in declared:
                raise
            _declare(missing[1])
            _forget_torchvision()
        else:
            return datasets  # type: ignore[no-any-return]  # torchvision comes without types


def _declare(operator: str) -> None:
    """Let torch know an operator of torchvision by its name; to call it fails, for it has no code."""
    declared.add(operator)
    define(f"torchvision::{operator}", "() -> ()")


def _forget_torchvision() -> None:
    """Drop the modules of an import that failed half-way: the next one would take them for whole."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
