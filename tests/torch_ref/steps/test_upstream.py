"""The upstream gradients that a formula is tried with: two, not of mean zero, one of them large."""

import pytest
import torch

from torch_ref.steps.upstream import drawn, random_like


def wanting(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.ones(shape, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize(
    ("dtype", "large"),
    [
        (torch.float16, 8),
        (torch.bfloat16, 64),
        (torch.float32, 1e3),
        (torch.float64, 1e3),
        (torch.complex64, 1e3),
        (torch.complex128, 1e3),
    ],
)
def test_the_second_is_as_much_larger_as_the_dtype_allows(dtype: torch.dtype, large: float) -> None:
    y = wanting(50, 40, dtype=dtype)
    (first,), (second,) = drawn((y,)), drawn((y,), 1)
    for error, size in ((first, 1.0), (second, large)):
        assert error.dtype == dtype
        assert error.shape == y.shape
        numbers = error.to(torch.complex128) if dtype.is_complex else error.double()
        assert float(numbers.mean().real) / size == pytest.approx(-0.75, abs=0.1)
        assert float(numbers.std()) / size == pytest.approx(1.0, abs=0.1)
    assert not torch.equal(first * large, second), "not the same numbers again"


def test_they_are_the_same_each_time_and_nobody_s_data() -> None:
    y = wanting(7, 3)
    state = torch.get_rng_state()
    (first,) = drawn((y,))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(0)
    data = torch.randn(7, 3, dtype=torch.float64)
    assert torch.equal(drawn((y,))[0], first)
    assert not torch.equal(first + 0.75, data)


def test_several_outputs_have_one_each() -> None:
    first, second = drawn((wanting(4), wanting(4)))
    assert not torch.equal(first, second)
    assert all(bool(error.any()) for error in (first, second))


def test_that_of_a_loss_is_minus_one_and_then_another() -> None:
    loss = wanting()
    assert drawn((loss,))[0].tolist() == -1.0
    assert drawn((wanting(1, 1),))[0].tolist() == [[-1.0]]
    assert drawn((loss,), 1)[0].tolist() not in (-1.0, 0.0)
    assert not drawn((loss,), 1)[0].requires_grad
    assert not drawn((loss,))[0].requires_grad
    beside = drawn((loss, wanting(3)))
    assert beside[0].tolist() != -1.0, "one of two outputs is no loss"
    assert random_like(loss, 0).tolist() != -1.0


def test_an_output_without_a_gradient_has_zeros() -> None:
    whole = torch.arange(3)
    assert torch.equal(drawn((whole,))[0], torch.zeros(3, dtype=torch.int64))
    constant = torch.ones(3)
    assert torch.equal(drawn((constant, wanting(3)))[0], torch.zeros(3))
    assert torch.equal(random_like(whole, 0), torch.zeros(3))
    assert bool(random_like(constant, 0).all())


def test_a_seed_names_one_of_many() -> None:
    y = wanting(5)
    assert torch.equal(random_like(y, 0), drawn((y,))[0])
    assert torch.equal(random_like(y, 3), random_like(y, 3))
    assert not torch.equal(random_like(y, 3), random_like(y, 4))
    many = random_like(wanting(2000), 3)
    assert float(many.mean()) == pytest.approx(-0.75, abs=0.1)
    assert float(many.std()) == pytest.approx(1.0, abs=0.1)
