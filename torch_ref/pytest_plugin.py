"""The pytest plugin: a failing ``assert_gradients_match`` shows its verdict and table in a section of its own.

``--gradient-report=DIR`` writes every report that was asserted, failed or not, as JSON: one file for each, named
after the test. Importing this module does not import torch: a test session that checks no gradients never pays for it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from torch_ref.verdict.report import Report

DIRECTORY = pytest.StashKey[Path]()
WRITTEN = pytest.StashKey[set[Path]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--gradient-report``."""
    group = parser.getgroup("gradients", "gradient checks (torch_ref)")
    group.addoption("--gradient-report", metavar="DIR", help="write each report of assert_gradients_match as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder, or say at once why it cannot be made."""
    given = config.getoption("--gradient-report")
    if given:
        directory = Path(given)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise pytest.UsageError(
                f"--gradient-report expects a folder that can be written, got {given}: {error}"
            ) from None
        config.stash[DIRECTORY], config.stash[WRITTEN] = directory, set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Listen to the assertions of one test and its fixtures, where their reports are wanted."""
    directory = item.config.stash.get(DIRECTORY, None)
    if directory is None:
        return (yield)
    from torch_ref.verdict.assertion import LISTENERS

    written = item.config.stash[WRITTEN]

    def write(report: Report) -> None:
        name = re.sub(r"[^\w.-]+", "_", item.nodeid).strip("_")
        paths = (directory / f"{name}-{number}.json" for number in count(1))
        path = next(path for path in paths if path not in written)
        text = json.dumps({"test": item.nodeid} | report.to_dict(), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        written.add(path)

    LISTENERS.append(write)
    try:
        return (yield)
    finally:
        LISTENERS.remove(write)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put verdict and table of a failed assertion into a section of the test's report."""
    outcome = yield
    module = sys.modules.get("torch_ref.verdict.assertion")  # not imported: then no gradient was asserted
    if module is None or call.excinfo is None:
        return outcome
    mismatch = next((e for e in _chain(call.excinfo.value) if isinstance(e, module.GradientMismatchError)), None)
    if mismatch is not None:
        outcome.sections.append(("gradients", str(mismatch.report)))
    if mismatch is call.excinfo.value:
        outcome.longrepr = f"{_place(call.excinfo)}: gradients differ (see the section 'gradients')"
    return outcome


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # one may be raised from itself
        yield error
        seen.add(id(error))
        error = error.__cause__


def _place(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """Return file and line of the test's own assertion: the last one outside of this package."""
    here = str(Path(__file__).parent)
    outside = [entry for entry in excinfo.traceback if not str(entry.path).startswith(here)]
    last = (outside or list(excinfo.traceback))[-1]
    return f"{last.path}:{last.lineno + 1}"
