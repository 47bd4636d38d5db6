"""Dropout: its mask, that of PyTorch's own layer bit for bit, anew in every step, and off in tests."""

import copy
import pickle
import random
from math import sqrt

import pytest
import torch
from cases import DTYPES, assert_identical
from torch import Tensor, nn

from manual_bp import (
    Conv2d,
    Dropout,
    Flatten,
    GradientDescent,
    Linear,
    Network,
    ReLU,
    SoftmaxCrossEntropy,
    draw_masks,
    in_tests,
    mlp,
    one_hot,
)
from manual_bp.training.engine.step import ManualEngine
from manual_bp.training.run.evaluation import answers, evaluate
from torch_ref import crosscheck, mirror, module_of
from torch_ref.autograd.engine import AutogradEngine


def with_dropout(p: float = 0.5) -> Network:
    """Return 6 → 9 → 8 → 4 with a dropout behind both activations."""
    plain = mlp([6, 9, 8, 4], activation=ReLU(), loss=SoftmaxCrossEntropy(), dtype=torch.float64)
    layers = list(plain.layers)
    return Network((*layers[:2], Dropout(p), *layers[2:4], Dropout(p, seed=1), *layers[4:]), plain.loss_function)


def mask_of(layer: Dropout, *shape: int) -> Tensor:
    return layer.forward(torch.ones(shape))[0]


@pytest.mark.long(but=2)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_bits_are_those_of_nn_dropout_after_manual_seed(dtype: torch.dtype, threads: int) -> None:
    draw, before = random.Random(5), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for _ in range(30):
            p, seed = draw.choice([0.0, 0.1, 0.5, 0.9, draw.random()]), draw.randint(0, 2**63 - 1)
            x = torch.randn(draw.randint(1, 40), *draw.choice([(), (3,), (2, 5)]), draw.randint(1, 300), dtype=dtype)
            y, saved = Dropout(p, seed).forward(x)
            error, leaf = torch.randn_like(y), x.clone().requires_grad_()
            torch.manual_seed(seed)
            expected = nn.Dropout(p)(leaf)
            expected.backward(-error)
            assert_identical(y, expected.detach(), f"y at {tuple(x.shape)}")
            assert_identical(Dropout(p, seed).backward(error, saved)[0], -leaf.grad, f"error of x at {tuple(x.shape)}")
    finally:
        torch.set_num_threads(before)


def test_by_plain_arithmetic() -> None:
    """D1 to D3 entry by entry: what is kept is divided by 1 − p, in both directions, and nothing else is there."""
    layer, x, e = Dropout(0.2, 3), torch.randn(40, 50).double(), torch.randn(40, 50).double()
    y, saved = layer.forward(x)
    error_of_x, gradients = layer.backward(e, saved)
    kept = [[number != 0 for number in row] for row in y.tolist()]
    for given, found in ((x, y), (e, error_of_x)):
        expected = [
            [number / 0.8 if k else 0 for number, k in zip(*rows, strict=True)]
            for rows in zip(given.tolist(), kept, strict=True)
        ]
        assert torch.allclose(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-15, atol=0)
    share = sum(map(sum, kept)) / 2000
    assert abs(share - 0.8) < 4 * sqrt(0.8 * 0.2 / 2000)
    assert gradients == {}


def test_a_mask_belongs_to_its_seed() -> None:
    layer = Dropout(0.5, seed=4)
    first = mask_of(layer, 8, 30)
    assert_identical(mask_of(layer, 8, 30), first)
    layer.draw(5)
    assert not torch.equal(mask_of(layer, 8, 30), first)
    layer.draw(4)
    assert_identical(mask_of(layer, 8, 30), first)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))], ids=["copy", "file"])
def test_a_network_has_seeds_of_its_own(copied) -> None:
    """Whoever draws for one network draws for no other."""
    given = Dropout(0.5, seed=4)
    network = Network((Linear(torch.randn(5, 5)), given), SoftmaxCrossEntropy())
    other = copied(network)
    draw_masks(network, 0, 1)
    seeds = [int(layer.seed) for layer in (given, other.layers[1], network.layers[1])]
    assert seeds[:2] == [4, 4] != seeds[1:]


def test_masks_are_those_of_the_step_and_of_the_layer() -> None:
    network, other = with_dropout(), with_dropout()
    seen = set()
    for seed, step in ((0, 0), (0, 1), (1, 0)):
        draw_masks(network, seed, step)
        draw_masks(other, seed, step)
        masks = [mask_of(made.layers[i], 9, 8) for made in (network, other) for i in (2, 5)]
        assert_identical(masks[0], masks[2])
        assert_identical(masks[1], masks[3])
        seen |= {str(mask.tolist()) for mask in masks}
    assert len(seen) == 6


def test_several_processes_draw_what_one_would() -> None:
    network = with_dropout()
    draw_masks(network, 3, 7)
    whole = mask_of(network.layers[2], 9, 9)
    for first, rows in ((0, 4), (4, 3), (7, 2)):
        draw_masks(network, 3, 7, first)
        assert_identical(mask_of(network.layers[2], rows, 9), whole[first : first + rows])
        assert crosscheck(network, torch.randn(rows, 6).double(), torch.arange(rows) % 4, power=False).ok


def test_the_mirror_leaves_the_global_generator_where_it_was() -> None:
    before = torch.get_rng_state()
    module_of(Dropout(0.5, 3))(torch.ones(4, 5))
    assert_identical(torch.get_rng_state(), before)


def test_a_repeated_step_draws_anew_and_trains_as_autograd_does() -> None:
    network = with_dropout()
    descent = {"lr": 0.1, "momentum": 0.9}
    by_hand = ManualEngine(network, GradientDescent(network, **descent))
    twin = AutogradEngine(network, GradientDescent(network, **descent))
    x = torch.randn(16, 6).double()
    t, masks = one_hot(torch.arange(16) % 4, 4, like=x), set()
    for step in range(12):
        draw_masks(network, 0, step)
        by_hand.step(x, t)
        twin.step(x, t)
        masks.add(str(by_hand._room.trace.saved(2).tolist()))
        for name, p in twin.parameters().items():
            assert_identical(network.parameters()[name], p, f"{name} after step {step}")
    assert by_hand._room.parts.ready is not None
    assert len(masks) == 12


def test_in_tests_nothing_is_left_out() -> None:
    network, x, t = with_dropout(), torch.randn(30, 6).double(), torch.eye(4).double()[torch.arange(30) % 4]
    model = mirror(network).model.eval()
    with torch.no_grad():
        y = torch.softmax(model(x), 1)
        loss, accuracy = evaluate(network, [(x, t)])
    assert torch.allclose(answers(network, [(x, t)]), y, rtol=1e-14)
    assert loss == pytest.approx(-(t * y.log()).sum(1).mean().item(), rel=1e-13)
    assert accuracy == (y.argmax(1) == t.argmax(1)).double().mean().item()
    assert not torch.allclose(network.forward(x).y, y)
    assert [repr(layer) for layer in network.layers if isinstance(layer, Dropout)] == ["Dropout(0.5)"] * 2


def test_a_network_without_masks_is_tested_as_it_is() -> None:
    plain = mlp([3, 2])
    assert in_tests(plain) is plain
    draw_masks(plain, 0, 0)


def test_a_layer_of_somebody_else_that_draws_is_given_seeds_and_left_out_in_tests() -> None:
    class Noise:
        def __init__(self):
            self.drawn = []

        def draw(self, seed, first=0):
            self.drawn.append((seed, first))

        def in_tests(self):
            return ReLU()

        def forward(self, x):
            return x + 1, None

        def backward(self, error, saved):
            return error, {}

    network = Network((Linear(torch.randn(2, 3)), Noise()), SoftmaxCrossEntropy())
    draw_masks(network, 1, 2, 3)
    ((seed, first),) = network.layers[1].drawn
    assert (seed > 2**32, first) == (True, 3)
    assert isinstance(in_tests(network).layers[1], ReLU)


def test_parameters_load_into_a_plain_sequential() -> None:
    torch.manual_seed(0)
    layers = Conv2d(torch.randn(2, 1, 3, 3)), Dropout(0.3), Flatten(), Linear(torch.randn(4, 8))
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), nn.Dropout(0.3), nn.Flatten(), nn.Linear(8, 4, bias=False)
    ).eval()
    network = Network(layers, SoftmaxCrossEntropy())
    model.load_state_dict(network.state_dict())
    x = torch.randn(5, 1, 4, 4)
    assert torch.allclose(in_tests(network).forward(x).values[-1], model(x), atol=1e-5)


def test_works_on_the_meta_device() -> None:
    assert Dropout().forward(torch.empty(4, 5, device="meta"))[0].shape == (4, 5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"p": 1.0}, "a probability p from 0 to below 1, got 1.0"),
        ({"p": -0.1}, "a probability p from 0 to below 1, got -0.1"),
        ({"p": float("nan")}, "a probability p from 0 to below 1, got nan"),
        ({"p": True}, "a probability p from 0 to below 1, got True"),
        ({"p": "half"}, "a probability p from 0 to below 1, got 'half'"),
        ({"seed": -1}, r"seed as a whole number from 0 to 2\^63 - 1, got -1"),
        ({"seed": 2**63}, "seed as a whole number"),
        ({"seed": 0.5}, r"seed as a whole number from 0 to 2\^63 - 1, got 0.5"),
        ({"seed": True}, "seed as a whole number .*, got True"),
        ({"seed": torch.zeros(2, dtype=torch.int64)}, "seed as a whole number"),
        ({"first": -3}, "first as a whole number .*, got -3"),
    ],
)
def test_names_wrong_settings(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"Dropout expects {message}"):
        Dropout(**given)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([[1.0]], TypeError, "x as a torch.Tensor, got list"),
        (torch.ones(3, 4, dtype=torch.int64), TypeError, "x of floating-point numbers, got torch.int64"),
        (torch.ones(3), ValueError, r"x of shape \(N, ...\) with at least one number, got \(3,\)"),
        (torch.ones(0, 3), ValueError, r"x of shape .* with at least one number, got \(0, 3\)"),
    ],
)
def test_names_wrong_input(x: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"Dropout expects {message}"):
        Dropout().forward(x)


def test_an_error_of_another_shape_never_broadcasts() -> None:
    _, saved = Dropout().forward(torch.ones(4, 5))
    with pytest.raises(ValueError, match=r"Dropout expects the error of y of shape \(4, 5\), got \(5,\)"):
        Dropout().backward(torch.ones(5), saved)
    with pytest.raises(ValueError, match="Dropout expects seed as a whole number"):
        Dropout().draw(-1)
