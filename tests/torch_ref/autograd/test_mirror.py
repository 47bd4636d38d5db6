"""The mirror is plain PyTorch with copied parameters, and says what it cannot mirror."""

from dataclasses import dataclass

import pytest
import torch
from cases import assert_identical
from torch import Tensor, nn

from manual_bp import Linear, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
from torch_ref import crosscheck, loss_of, mirror, module_of


def test_the_model_is_plain_pytorch_with_the_same_names() -> None:
    network = mlp([5, 4, 4, 3], activation=Tanh(), loss=SoftmaxCrossEntropy())
    model, _ = mirror(network)
    assert [type(module) for module in model] == [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh, nn.Linear]
    assert model.state_dict().keys() == network.state_dict().keys()
    assert all(parameter.requires_grad for parameter in model.parameters())
    x = torch.randn(2, 5)
    assert_identical(model(x).detach(), network.forward(x).net(3))


def test_parameters_are_copied() -> None:
    network = mlp([5, 3])
    model, _ = mirror(network)
    before = network.state_dict()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    for name, parameter in network.parameters().items():
        assert_identical(parameter, before[name])


def test_mirroring_draws_no_random_numbers() -> None:
    network = mlp([5, 3])
    before = torch.get_rng_state()
    mirror(network)
    assert_identical(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_layers_without_bias_and_both_dtypes(dtype: torch.dtype) -> None:
    network = Network(
        (Linear(torch.randn(3, 5, dtype=dtype)), Sigmoid(), Linear(torch.randn(2, 3, dtype=dtype)), ReLU()),
        SquaredError(),
    )
    model, loss = mirror(network)
    assert model[0].bias is None
    x, t = torch.randn(4, 5, dtype=dtype), torch.rand(4, 2, dtype=dtype)
    assert_identical(loss(model(x), t).detach(), network.loss(network.forward(x), t))


@pytest.mark.parametrize("loss", [SquaredError(), SoftmaxCrossEntropy("sum")])
def test_class_indices_are_targets_too(loss) -> None:
    network = mlp([5, 3], loss=loss)
    model, loss_module = mirror(network)
    x, labels = torch.randn(4, 5), torch.tensor([2, 0, 1, 1])
    assert_identical(loss_module(model(x), labels).detach(), network.loss(network.forward(x), labels))


@dataclass(frozen=True)
class Softsign:
    """A layer that nobody registered."""

    def forward(self, x: Tensor, out=None):
        return x / (1 + x.abs()), x

    def backward(self, error: Tensor, saved: Tensor, out=None):
        return error / (1 + saved.abs()) ** 2, {}


def test_a_layer_without_a_module_is_named() -> None:
    network = Network((Linear(torch.randn(3, 5)), Softsign()), SquaredError())
    with pytest.raises(
        TypeError, match=r"mirror has no nn.Module for the layer Softsign: register one with @torch_ref.module_of"
    ):
        mirror(network)


def test_a_registered_layer_is_mirrored() -> None:
    @dataclass(frozen=True)
    class Registered(Softsign):
        pass

    module_of.register(Registered, lambda layer: nn.Softsign())
    model, _ = mirror(Network((Linear(torch.randn(3, 5)), Registered()), SquaredError()))
    assert isinstance(model[1], nn.Softsign)


def test_a_loss_without_a_module_is_named() -> None:
    with pytest.raises(
        TypeError, match=r"mirror has no module for the loss object: register one with @torch_ref.loss_of"
    ):
        loss_of(object())


@pytest.mark.parametrize("loss", [SquaredError(), SoftmaxCrossEntropy("sum")], ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize(
    ("t", "error", "message"),
    [
        (torch.zeros(2, 1), ValueError, r"{} expects t of shape \(N, 3\), got \(2, 1\)"),
        (torch.zeros(1, 3), ValueError, "{} expects one row of t for each of the 2 samples, got 1"),
        (torch.zeros(3), ValueError, r"{} expects t of shape \(N, 3\), got \(3,\)"),
        (torch.zeros(2, 3).double(), TypeError, "{} expects t of dtype torch.float32, got torch.float64"),
        (torch.zeros(2, 3).long(), TypeError, "{} expects t of dtype torch.float32, got torch.int64"),
    ],
)
def test_a_target_that_torch_would_broadcast_is_refused(loss, t: Tensor, error: type[Exception], message: str) -> None:
    """Here a warning is an error: none of torch's comes first."""
    network, x = mlp([5, 4, 3], loss=loss), torch.randn(2, 5)
    model, module = mirror(network)
    for call in (lambda: module(model(x), t), lambda: crosscheck(network, x, t)):
        with pytest.raises(error, match=message.format(type(loss).__name__)):
            call()
