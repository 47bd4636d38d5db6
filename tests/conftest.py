import pytest
import torch


@pytest.fixture(autouse=True)
def seed() -> None:
    """The one owner of the seed: every test draws the same numbers, alone or in any order."""
    torch.manual_seed(20240)
    torch.set_num_threads(1)  # small products: threads that wait for each other on a busy machine cost a factor of ten
    torch.set_flush_denormal(False)
