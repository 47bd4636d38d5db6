from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def seed() -> Iterator[None]:
    """The one owner of the seed: every test draws the same numbers, alone or in any order."""
    torch.manual_seed(20240)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)  # what a test changes of the process, it leaves behind no longer
    torch.set_flush_denormal(False)
