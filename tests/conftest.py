from collections.abc import Callable

import pytest
import torch

Inside = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def seed() -> None:
    """The one owner of the seed: every test draws the same numbers, alone or in any order."""
    torch.manual_seed(20240)
    torch.set_num_threads(1)  # small products: threads that wait for each other on a busy machine cost a factor of ten
    torch.set_flush_denormal(False)


@pytest.fixture
def inside(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inside:
    """Run train.py's main in this process, which spares an import of torch; give exit code, output and errors.

    Without pictures, which take a second a run; ``test_train_runs.kept_run`` has them.
    """
    import train  # not above: a mutant of manual_bp that cannot be imported must fail a test, not this file

    monkeypatch.setattr(train, "draw", lambda session, folder: None)

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            code = train.main(list(map(str, arguments)))
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run
