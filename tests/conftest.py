import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

Inside = Callable[..., tuple[int, str, str]]
TESTS = Path(__file__).parent


def pytest_configure() -> None:
    """Heed Ctrl-C, which tests send themselves: a shell that starts pytest in the background has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the trials too: the tests that are marked long")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is not in this run: trials, and the page's tests in a browser."""
    header = []
    if not config.getoption("long"):
        marked = [p for p in TESTS.rglob("test_*.py") if re.search(r"mark\.long\b", p.read_text(encoding="utf-8"))]
        header.append(f"trials: the long tests of {len(marked)} files are not in this run, pytest --long runs all")
    if not any("browser" in str(argument) for argument in config.args):
        header.append("the lesson's page in a browser: not in this run, pytest tests/browser")
    return header


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the trials out unless ``--long`` asks for them, or the command names their file or themselves.

    Of a test with many cases some stay in every run: ``mark.long(but=3)`` keeps three, spread over all of them, and
    ``mark.long(but=("Linear", "ReLU"))`` those with one of these in their ids.
    """
    files = {(config.invocation_params.dir / str(argument).partition("::")[0]).resolve() for argument in config.args}
    cases: dict[object, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("long"):
            cases.setdefault((item.path, getattr(item, "originalname", "")), []).append(item)
    left_out = set()
    for test in cases.values():
        if not any("::" in str(argument) for argument in config.args):
            _check_parts(test)
        for item, is_kept in zip(test, kept(test), strict=True):
            if is_kept:
                item.own_markers = [mark for mark in item.own_markers if mark.name != "long"]  # `-m long` is without it
            elif not config.getoption("long") and item.path not in files:
                left_out.add(item)
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def _check_parts(cases: list[pytest.Item]) -> None:
    """Raise UsageError where a part of an id is that of no case: it would keep nothing."""
    mark = cases[0].get_closest_marker("long")
    but = mark.kwargs.get("but", ()) if mark else ()
    ids = [item.name[item.name.find("[") :] for item in cases]
    unknown = [] if isinstance(but, int) else [part for part in but if not any(part in each for each in ids)]
    if unknown:
        raise pytest.UsageError(f"{cases[0].nodeid}: mark.long(but=...) expects parts of the ids of cases: {unknown}")


def kept(cases: list[pytest.Item]) -> list[bool]:
    """Tell for each case of a test whether it stays in every run."""
    marks = [item.get_closest_marker("long") for item in cases]
    but = marks[0].kwargs.get("but", ()) if marks[0] else ()
    if isinstance(but, int):
        places = {(2 * i + 1) * len(cases) // (2 * but) for i in range(but)}
        return [i in places for i in range(len(cases))]
    return [any(part in item.name[item.name.find("[") :] for part in but) for item in cases]


@pytest.fixture(autouse=True)
def seed() -> None:
    """The one owner of the seed: every test draws the same numbers, alone or in any order."""
    torch.manual_seed(20240)
    torch.set_num_threads(1)  # small products: threads that wait for each other on a busy machine cost a factor of ten
    torch.set_flush_denormal(False)


def undrawn_session(session: Any) -> None:
    """Draw no pictures."""


@contextmanager
def undrawn() -> Iterator[None]:
    """Let runs inside ``with`` draw no pictures: a fixture of a whole module has no ``inside``."""
    import train

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.Session, "draw", undrawn_session)
        yield


@pytest.fixture
def inside(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inside:
    """Run train.py's main in this process, which spares an import of torch; give exit code, output and errors.

    Without pictures, which take a second a run; ``test_train_runs.kept_run`` has them.
    """
    import train  # not above: a mutant of manual_bp that cannot be imported must fail a test, not this file

    monkeypatch.setattr(train.Session, "draw", undrawn_session)

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            code = train.main(list(map(str, arguments)))
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def kept_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of three epochs, with pictures: not to be written to."""
    import train

    folder = tmp_path_factory.mktemp("runs") / "kept"
    settings = "--hidden", "8", "--lr-schedule", "constant", "--epochs", "3", "--log-interval", "50"
    assert train.main([*settings, "--out-dir", str(folder)]) == 0
    return folder


@contextmanager
def interrupted_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let runs inside ``with`` get a Ctrl-C while they log this step."""
    from manual_bp.training.run.run_folder import RunFolder  # not above: see inside

    real = RunFolder.log

    def log_and_interrupt(folder: RunFolder, event: str, record: dict[str, float]) -> None:
        real(folder, event, record)
        if record["step"] == step:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "log", log_and_interrupt)
        yield


def log_of(folder: Path) -> list[dict[str, float]]:
    """Return the log of a run."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def lesson_data() -> dict[str, Any]:
    """What the lesson page is made of; its digit's network is trained once."""
    from torch_ref.lesson.page.data import page_data

    return page_data()


@pytest.fixture(params=[False, True], ids=["at once", "layer by layer"])
def each_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every network count as small, then as large."""
    from manual_bp.training.engine import step  # not above: with a mutant in the package this file has to load

    monkeypatch.setattr(step, "ONE_AT_A_TIME", 0 if request.param else 1 << 20)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one whenever a network computes a forward pass by its formulas."""
    from manual_bp import Network

    seen: list[int] = []
    forward = Network.forward

    def counting(*args, **kwargs):
        seen.append(1)
        return forward(*args, **kwargs)

    monkeypatch.setattr(Network, "forward", counting)
    return seen
