"""Operations are recorded once, and can be run again with some of them computed otherwise."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from torch_ref.steps.program import Program
from torch_ref.steps.taken_apart import APART, taken_apart


def recorded(function: Callable[..., Tensor], *inputs: Tensor) -> tuple[Program, list[Tensor], Tensor]:
    leaves = [x.clone().requires_grad_() for x in inputs]
    program = Program()
    with program:
        y = function(*leaves)
    return program, leaves, y


def written_in_place(x: Tensor) -> Tensor:
    total = torch.zeros(3, dtype=x.dtype)
    total[0] = x[0].sin()
    total += x
    return total.square()


@pytest.mark.parametrize("function", [lambda x: (x.sin() * x).sum(), written_in_place, lambda x: torch.stack([x, -x])])
def test_run_again_it_gives_the_same(function: Callable[[Tensor], Tensor]) -> None:
    program, (x,), y = recorded(function, torch.randn(3, dtype=torch.float64))
    (again,) = program.run({0: lambda call, args, kwargs: call.function(*args, **kwargs)}, [y])
    mine, right = (torch.autograd.grad(t.sum(), x, retain_graph=True)[0] for t in (again, y))
    assert torch.equal(again, y)
    assert torch.equal(mine, right)


def test_an_operation_is_computed_otherwise() -> None:
    program, (x,), y = recorded(lambda x: x.sin().exp(), torch.randn(3, dtype=torch.float64))
    (other,) = program.run({0: lambda call, args, kwargs: args[0].cos()}, [y])
    assert torch.equal(other, x.cos().exp())


def test_the_rounds_of_a_loop_stand_in_one_place() -> None:
    def loop(x: Tensor) -> Tensor:
        for _ in range(4):
            x = torch.tanh(x) * 2
        return x

    program, *_ = recorded(loop, torch.randn(3))
    assert [len(indices) for indices in program.sites()] == [4, 4]


def test_what_writes_into_a_tensor_from_elsewhere_is_not_run_again() -> None:
    kept = torch.zeros(3)

    def forward(x: Tensor) -> Tensor:
        kept.add_(1)
        return x * 2

    program, *_ = recorded(forward, torch.randn(3))
    assert not program.is_complete


def test_what_somebody_s_own_function_makes_is_not_run_again() -> None:
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, d):
            return 2 * d

    program, *_ = recorded(lambda x: Double.apply(x).sin(), torch.randn(3))
    assert not program.is_complete


X, Y = torch.randn(4, 6, dtype=torch.float64), torch.randn(4, 6, dtype=torch.float64)
IMAGES = torch.randn(2, 4, 3, 3, dtype=torch.float64)
F = torch.nn.functional


@pytest.mark.parametrize(
    "function",
    [
        lambda: X.var(1),
        lambda: X.var(1, unbiased=False, keepdim=True),
        lambda: X.std((0, 1)),
        lambda: X.norm(),
        lambda: X.norm(dim=1, keepdim=True),
        lambda: torch.linalg.norm(X, dim=0),
        lambda: torch.linalg.vector_norm(X, dim=1),
        lambda: F.layer_norm(X, (6,), X[0], X[1]),
        lambda: F.group_norm(IMAGES, 2, X[:, 0], X[:, 1]),
        lambda: F.batch_norm(IMAGES, None, None, X[:, 0], X[:, 1], training=True),
        lambda: F.cross_entropy(X, torch.tensor([1, 0, 5, 2])),
        lambda: F.mse_loss(X, Y, reduction="sum"),
        lambda: F.smooth_l1_loss(X, Y, beta=0.5),
        lambda: F.huber_loss(X, Y, delta=0.5),
        lambda: F.normalize(X, dim=0),
        lambda: F.cosine_similarity(X, Y),
        lambda: torch.cdist(X, Y),
        lambda: F.scaled_dot_product_attention(X, Y, Y, is_causal=True),
        lambda: F.kl_div(X.log_softmax(1), Y.softmax(1), reduction="batchmean"),
    ],
)
def test_a_function_of_several_operations_is_taken_apart(function: Callable[[], Tensor]) -> None:
    program = Program()
    with program:
        found = function()
    torch.testing.assert_close(found, function(), rtol=1e-9, atol=1e-12)
    assert len(program.calls) > 1
    assert not {call.name for call in program.calls} & APART.keys()


def test_what_cannot_be_taken_apart_stays_whole() -> None:
    assert taken_apart("norm", (X, 1), {}) is None
    program = Program()
    with program:
        found = X.norm(1)
    assert torch.equal(found, X.norm(1))
    assert [call.name for call in program.calls] == ["norm"]


def test_of_what_stays_whole_no_operation_is_kept_that_was_tried_before() -> None:
    program = Program()
    with program:
        found = F.kl_div(X, torch.eye(*X.shape), reduction="sum")
    assert torch.equal(found, F.kl_div(X, torch.eye(*X.shape), reduction="sum"))
    assert [call.name for call in program.calls][-1] == "kl_div"
    assert not {call.name for call in program.calls} & {"le", "any", "log"}
