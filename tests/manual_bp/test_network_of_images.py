"""Networks with convolutions and poolings: every quantity, many updates, recorded steps, and checkpoints in PyTorch."""

import pytest
import torch
from cases import DTYPES, assert_identical, targets
from torch import Tensor, nn

from manual_bp import (
    AvgPool2d,
    Conv2d,
    Flatten,
    GradientDescent,
    Loss,
    MaxPool2d,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    Unflatten,
)
from manual_bp.initial import random_conv2d, random_linear
from manual_bp.training.engine.step import ManualEngine
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import mnist5k
from torch_ref import crosscheck
from torch_ref.autograd.engine import AutogradEngine

every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])
every_number_of_threads = pytest.mark.parametrize("threads", [1, 2])
SETTINGS = {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}


def reader(dtype: torch.dtype, loss: Loss | None = None) -> Network:
    """Return a network that reads rows of 144 numbers as images of 12 × 12."""
    layers = (
        Unflatten((1, 12, 12)),
        random_conv2d(1, 4, 5, padding=2, dtype=dtype),
        ReLU(),
        MaxPool2d(2),
        random_conv2d(4, 6, (3, 2), stride=(1, 2), dtype=dtype),
        Tanh(),
        AvgPool2d((3, 2), stride=1),
        Flatten(),
        random_linear(24, 10, dtype=dtype),
    )
    return Network(layers, SoftmaxCrossEntropy() if loss is None else loss)


def image_to_image(dtype: torch.dtype) -> Network:
    """Return a network whose answer is an image."""
    layers = random_conv2d(2, 3, 3, padding=1, dtype=dtype), Sigmoid(), random_conv2d(3, 1, 3, padding=1, dtype=dtype)
    return Network(layers, SquaredError())


def trained(engine, x: Tensor, t: Tensor, updates: int) -> Tensor:
    """Take updates on batches that come in the same two tensors; return the losses."""
    draw = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(updates):
        x.copy_(torch.randn(x.shape, generator=draw, dtype=x.dtype))
        losses.append(engine.step(x, t).clone())
    return torch.stack(losses)


@pytest.mark.long(but=("1-float",))
@every_dtype
@every_number_of_threads
def test_every_quantity_equals_autograd_s_to_the_last_bit(dtype: torch.dtype, threads: int) -> None:
    torch.set_num_threads(threads)
    report = crosscheck(reader(dtype), torch.randn(33, 144, dtype=dtype), targets(33, 10, dtype), power=False)
    assert report.identical, str(report)
    x = torch.randn(7, 2, 9, 5, dtype=dtype)
    report = crosscheck(image_to_image(dtype), x, torch.rand(7, 1, 9, 5, dtype=dtype), power=False)
    assert report.identical, str(report)


@pytest.mark.long(but=("float32",))
@every_dtype
def test_300_updates_leave_the_parameters_of_autograd_s(dtype: torch.dtype) -> None:
    """With two threads, which wait for each other on a busy machine, ``tests/bits.py`` has them."""
    by_hand, reference = reader(dtype), reader(dtype)
    reference.load_state_dict(by_hand.state_dict())
    engine = ManualEngine(by_hand, GradientDescent(by_hand, **SETTINGS))
    other = AutogradEngine(reference, GradientDescent(reference, **SETTINGS))
    x, t = torch.empty(8, 144, dtype=dtype), targets(8, 10, dtype)
    assert_identical(trained(engine, x, t, 300), trained(other, x, t, 300), "L")
    for name, parameter in other.model.named_parameters():
        assert_identical(by_hand.parameters()[name], parameter.detach(), name)
    assert all(room.parts.ready for room in engine._rooms.values()), "no step was repeated: what stood in the way?"


def test_a_checkpoint_loads_into_plain_pytorch_under_the_same_names() -> None:
    made = reader(torch.float64)
    plain = nn.Sequential(
        nn.Unflatten(1, (1, 12, 12)),
        nn.Conv2d(1, 4, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, (3, 2), stride=(1, 2)),
        nn.Tanh(),
        nn.AvgPool2d((3, 2), stride=1),
        nn.Flatten(),
        nn.Linear(24, 10),
    ).double()
    x = torch.randn(5, 144, dtype=torch.float64)
    assert not torch.allclose(plain(x), made.forward(x).values[-1])
    plain.load_state_dict(made.state_dict())
    torch.testing.assert_close(plain(x).detach(), made.forward(x).values[-1], rtol=1e-13, atol=1e-13)
    back = reader(torch.float64)
    back.load_state_dict(plain.state_dict())
    assert_identical(back.buffer, made.buffer)


def test_digits_in_batches_become_images_without_a_copy_and_are_learned() -> None:
    training, _ = mnist5k()
    batches = Batches(training, 100, standard=training, dtype=torch.float32, device="cpu")
    layers = Unflatten((1, 28, 28)), random_conv2d(1, 4, 5, stride=2), ReLU(), MaxPool2d(2), Flatten()
    made = Network((*layers, random_linear(144, 10)), SoftmaxCrossEntropy())
    engine = ManualEngine(made, GradientDescent(made, lr=0.1, momentum=0.9))
    losses = []
    for x, t in batches.shuffled(0, 1):
        engine.forward(x)
        assert engine._room.trace.value(1).data_ptr() == x.data_ptr()
        losses.append(engine.loss(t).item())
        for gradients in engine.backward():
            engine.update(gradients)
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    assert isinstance(made.layers[1], Conv2d)
