"""Somebody's code at the same random numbers at every call, with everything global left as it was."""

import random

import numpy as np
import pytest
import torch

from torch_ref.steps.guarded import as_it_was, generators_kept


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def seeded() -> None:
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)


def test_what_all_code_shares_comes_out_as_it_went_in() -> None:
    seeded()
    before = draws()
    seeded()
    with as_it_was():
        inside = draws()
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32
    assert draws() == before
    with as_it_was():
        assert draws() == inside, "the same numbers at every call"
    with as_it_was(seed=1):
        assert draws() != inside


def test_a_whole_check_puts_the_generators_back_once() -> None:
    seeded()
    before = draws()
    seeded()
    with generators_kept():
        with as_it_was():
            inside = draws()
            torch.set_grad_enabled(False)
        assert torch.is_grad_enabled()
        with as_it_was():
            assert draws() == inside, "the same numbers at every call"
    with as_it_was():
        draws()
    assert draws() == before


def test_code_that_asks_for_a_check_itself_draws_on_after_it() -> None:
    with as_it_was():
        expected = draws(), draws()
    with generators_kept(), as_it_was():
        first = draws()
        with as_it_was():
            draws()
        assert (first, draws()) == expected


def test_what_is_raised_changes_nothing_either() -> None:
    def failing() -> None:
        with as_it_was():
            torch.set_grad_enabled(False)
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        failing()
    assert torch.is_grad_enabled()
