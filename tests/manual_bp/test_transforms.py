"""torch.func, forward-mode AD, autocast and the meta device: a clear error or the right answer, never silent zeros."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, func
from torch.autograd import forward_ad

from manual_bp import Conv2d, LayerNorm, Linear, Network, Sigmoid, SoftmaxCrossEntropy, Tanh, mlp, one_hot
from torch_ref import crosscheck, mirror

X = torch.rand(5, 4, generator=torch.Generator().manual_seed(1))
T = one_hot(torch.tensor([0, 1, 1, 0, 1]), 2, like=X)


def network(**kind: torch.dtype) -> Network:
    generator = torch.Generator().manual_seed(0)
    return mlp([4, 3, 2], activation=Tanh(), loss=SoftmaxCrossEntropy(), generator=generator, **kind)


NETWORK = network()


def loss(x: Tensor) -> Tensor:
    return NETWORK.loss(NETWORK.forward(x), T)


def along(f: Callable[[Tensor], Tensor]) -> Tensor:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(f(forward_ad.make_dual(X, torch.ones_like(X)))).tangent


DERIVATIVES: dict[str, Callable[[Callable[[Tensor], Tensor]], object]] = {
    "grad": lambda f: func.grad(f)(X),
    "vjp": lambda f: func.vjp(f, X),
    "jvp": lambda f: func.jvp(f, (X,), (X,)),
    "jacrev": lambda f: func.jacrev(f)(X),
    "jacfwd": lambda f: func.jacfwd(f)(X),
    "hessian": lambda f: func.hessian(f)(X),
    "forward-mode AD": along,
    "grad of each row": lambda f: func.vmap(func.grad(lambda row: f(row.expand(5, 4))))(X),
    "grad of all rows": lambda f: func.grad(lambda x: func.vmap(lambda row: f(row.expand(5, 4)))(x).sum())(X),
    "jvp of all rows": lambda f: func.jvp(lambda x: func.vmap(lambda row: f(row.expand(5, 4)))(x).sum(), (X,), (X,)),
}


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own forward_ad uses it
@pytest.mark.parametrize("name", DERIVATIVES)
def test_a_derivative_through_the_pass_by_hand_is_refused(name: str) -> None:
    with pytest.raises(RuntimeError, match=r"expects x without a transform of torch.func.*Network.backward"):
        DERIVATIVES[name](loss)


@pytest.mark.parametrize(
    "holder",
    [
        lambda w: Linear(w),
        lambda w: Linear(torch.rand(3, 4), w[0, :3]),
        lambda w: LayerNorm(w[0], torch.zeros(4)),
        lambda w: Conv2d(w.view(1, 1, 5, 4), torch.zeros(1)),
    ],
    ids=["weight", "bias", "norm", "convolution"],
)
def test_a_derivative_by_a_parameter_is_refused(holder: Callable[[Tensor], object]) -> None:
    def of(w: Tensor) -> Tensor:
        holder(w)
        return w.sum()

    with pytest.raises(RuntimeError, match=r"without a transform of torch.func"):
        func.grad(of)(X)


def test_a_derivative_by_a_parameter_of_somebody_s_layer_is_refused() -> None:
    class Scale:
        def __init__(self, factor: Tensor) -> None:
            self.factor = factor

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x * self.factor, x

        def backward(self, error: Tensor, saved: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            return error * self.factor, {"factor": -(error * saved).sum(0)}

    def of(factor: Tensor) -> Tensor:
        return Network((Scale(factor),), SoftmaxCrossEntropy()).buffer.sum()

    with pytest.raises(RuntimeError, match=r"Network expects 0.factor without a transform"):
        func.grad(of)(torch.ones(4))


def test_a_derivative_by_the_targets_is_refused() -> None:
    net = network()
    trace = net.forward(X)
    with pytest.raises(RuntimeError, match=r"SoftmaxCrossEntropy expects t without a transform"):
        func.grad(lambda t: net.loss(trace, t))(T)


def test_vmap_takes_each_row_through_the_pass() -> None:
    net = network()
    rows = func.vmap(lambda row: net.forward(row[None]).values[-1][0])(X)
    assert torch.allclose(rows, net.forward(X).values[-1], atol=1e-6)


def test_a_layer_that_is_made_inside_a_transform_is_no_matter() -> None:
    """Everything is wrapped there, and nothing of it is what the derivative is taken by."""
    first, y = func.grad_and_value(lambda x: (Linear(torch.ones(2, 4)).forward(X)[0] * x).sum())(torch.ones(5, 2))
    assert torch.equal(first, X @ torch.ones(4, 2))
    assert y == first.sum()


def test_a_network_is_made_outside_of_a_transform() -> None:
    with pytest.raises(RuntimeError, match="Network expects to be made outside of a transform"):
        func.grad(lambda x: (network().forward(X).values[-1] * x).sum())(torch.ones(5, 2))


def test_a_layer_that_holds_plain_tensors_is_differentiated_rightly() -> None:
    layer = Linear(torch.rand(2, 4))
    expected = layer.weight.sum(0).expand_as(X)
    assert torch.allclose(func.grad(lambda x: layer.forward(x)[0].sum())(X), expected)


def test_the_mirror_can_be_transformed() -> None:
    net = network()
    model, its_loss = mirror(net)
    trace = net.forward(X)
    net.loss(trace, T)
    error = net.input_error(trace, net.backward(trace))
    assert torch.allclose(func.grad(lambda x: its_loss(model(x), T))(X), -error, atol=1e-6)


def test_autocast_is_refused() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.raises(RuntimeError, match=r"Network.forward expects no torch.autocast"):
            network().forward(X)
        with pytest.raises(RuntimeError, match="autocast"):
            Network((Linear(torch.rand(2, 4)), Sigmoid()), SoftmaxCrossEntropy()).forward(X)


def test_on_the_meta_device_shapes_flow_through_both_passes() -> None:
    held = [Linear(torch.empty(3, 4, device="meta"), torch.empty(3, device="meta")), Tanh()]
    net = Network((*held, Linear(torch.empty(2, 3, device="meta"))), SoftmaxCrossEntropy())
    trace = net.forward(X.to("meta"))
    assert net.loss(trace, T.to("meta")).shape == ()
    assert {name: tuple(d.shape) for name, d in net.backward(trace).items()} == {
        "0.weight": (3, 4),
        "0.bias": (3,),
        "2.weight": (2, 3),
    }


def test_the_meta_device_and_another_do_not_mix() -> None:
    with pytest.raises(ValueError, match="expects x on device cpu, got meta"):
        network().forward(X.to("meta"))


def test_a_check_wants_numbers() -> None:
    with pytest.raises(TypeError, match="expects dense tensors with numbers, got x, which is on the meta device"):
        crosscheck(network(), X.to("meta"), T.to("meta"))
