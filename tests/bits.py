"""Count in how many shapes each layer by hand is equal to autograd's to the last bit, by dtype and number of threads.

    python tests/bits.py                      1,000 random shapes a layer
    python tests/bits.py --shapes 50          fewer, for a quick look
    python tests/bits.py --only Conv2d        one layer

Equal means all of it: the output, the error of the input and every gradient. The last row trains whole networks, 300
updates with momentum, and compares the parameters. Each row is a function that draws a layer and an input for it: for
another layer, add one to LAYERS. The exit code is 0 where every number is the same.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from manual_bp import (
    AvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    GradientDescent,
    LastStep,
    Layer,
    LayerNorm,
    Linear,
    MaxPool2d,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    Unflatten,
    mlp,
)
from manual_bp.initial import random_rnn
from manual_bp.layer import parameters
from manual_bp.training.engine.step import ManualEngine
from torch_ref import module_of
from torch_ref.autograd.engine import AutogradEngine
from torch_ref.trial.images import random_network_of_images

DTYPES, THREADS = (torch.float32, torch.float64), (1, 2)
UPDATES = 300

Draw = random.Random
Drawn = tuple[Layer, Tensor]

# ------------------------------------------------------------------------------------------------------- the layers


def linear(draw: Draw, dtype: torch.dtype) -> Drawn:
    rows, n_in, n_out = draw.choice([1, 2, 7, 33, 128]), draw.randint(1, 100), draw.randint(1, 100)
    bias = torch.randn(n_out, dtype=dtype) if draw.random() < 0.8 else None
    return Linear(torch.randn(n_out, n_in, dtype=dtype), bias), torch.randn(rows, n_in, dtype=dtype)


def rows_into(kind: Callable[[], Layer]) -> Callable[[Draw, torch.dtype], Drawn]:
    def drawn(draw: Draw, dtype: torch.dtype) -> Drawn:
        return kind(), 3 * torch.randn(draw.choice([1, 2, 7, 33, 128]), draw.randint(1, 300), dtype=dtype)

    return drawn


def convolution(draw: Draw, dtype: torch.dtype) -> Drawn:
    kernel, padding = _two(draw, [1, 2, 3, 5]), _two(draw, [0, 1, 2])
    stride = draw.choice([1, 2, 3]), draw.choice([1, 2])
    c_in, c_out = draw.choice([1, 2, 3, 16]), draw.choice([1, 2, 5, 8])
    size = [draw.randint(max(1, k - 2 * around), 12) for k, around in zip(kernel, padding, strict=True)]
    bias = torch.randn(c_out, dtype=dtype) if draw.random() < 0.8 else None
    layer = Conv2d(torch.randn(c_out, c_in, *kernel, dtype=dtype), bias, stride, padding)
    return layer, torch.randn(draw.choice([1, 2, 3, 16, 33]), c_in, *size, dtype=dtype)


def pooling(kind: type[MaxPool2d | AvgPool2d]) -> Callable[[Draw, torch.dtype], Drawn]:
    def drawn(draw: Draw, dtype: torch.dtype) -> Drawn:
        kernel, stride = _two(draw, [1, 2, 3, 4]), draw.choice([None, _two(draw, [1, 2, 3, 4])])
        size = draw.randint(kernel[0], 11), draw.randint(kernel[1], 11)
        x = torch.randn(draw.choice([1, 2, 5, 33]), draw.choice([1, 3, 8]), *size, dtype=dtype)
        return kind(kernel, stride), x.round() if draw.random() < 0.5 else x  # rounded, there are ties

    return drawn


def flatten(draw: Draw, dtype: torch.dtype) -> Drawn:
    return Flatten(), torch.randn([draw.randint(1, 6) for _ in range(draw.randint(2, 5))], dtype=dtype)


def layer_norm(draw: Draw, dtype: torch.dtype) -> Drawn:
    n, more = draw.choice([1, 2, 3, 16, 33, 128]), draw.choice([(), (3,), (2, 4)])
    layer = LayerNorm(torch.randn(n, dtype=dtype), torch.randn(n, dtype=dtype))
    return layer, torch.randn(draw.choice([1, 2, 5, 33]), *more, n, dtype=dtype)


def recurrent(draw: Draw, dtype: torch.dtype) -> Drawn:
    n_in, n = draw.choice([1, 2, 7, 16, 50]), draw.choice([1, 2, 5, 16, 50])
    return random_rnn(n_in, n, dtype=dtype), torch.randn(
        draw.choice([1, 2, 5, 33]), draw.choice([1, 2, 5, 9]), n_in, dtype=dtype
    )


def last_step(draw: Draw, dtype: torch.dtype) -> Drawn:
    return LastStep(), torch.randn([draw.randint(1, 9) for _ in range(3)], dtype=dtype)


def dropout(draw: Draw, dtype: torch.dtype) -> Drawn:
    more = draw.choice([[], [draw.randint(1, 9)], [draw.randint(1, 5), draw.randint(1, 9)]])
    layer = Dropout(
        draw.choice([0.0, 0.1, 0.25, 0.5, 0.9, draw.random()]), draw.randint(0, 2**63 - 1), draw.choice([0, 0, 3])
    )
    return layer, torch.randn(draw.choice([1, 2, 7, 33, 128]), *more, draw.randint(1, 300), dtype=dtype)


def unflatten(draw: Draw, dtype: torch.dtype) -> Drawn:
    c, h, w = (draw.randint(1, 6) for _ in range(3))
    return Unflatten((c, h, w)), torch.randn(draw.randint(1, 33), c * h * w, dtype=dtype)


def _two(draw: Draw, numbers: list[int]) -> tuple[int, int]:
    return draw.choice(numbers), draw.choice(numbers)


LAYERS: dict[str, Callable[[Draw, torch.dtype], Drawn]] = {
    "Linear": linear,
    "Sigmoid": rows_into(Sigmoid),
    "Tanh": rows_into(Tanh),
    "ReLU": rows_into(ReLU),
    "Conv2d": convolution,
    "MaxPool2d": pooling(MaxPool2d),
    "AvgPool2d": pooling(AvgPool2d),
    "Flatten": flatten,
    "Unflatten": unflatten,
    "Dropout": dropout,
    "LayerNorm": layer_norm,
    "RNN": recurrent,
    "LastStep": last_step,
}

NETWORKS = f"networks, {UPDATES} updates"
IN_THE_WHOLE = 40
"""Of the shapes: one network in so many, since each is trained."""

# ------------------------------------------------------------------------------------------------------ the counting


def drawn_layers(name: str, dtype: torch.dtype, count: int, seed: int = 0) -> Iterator[Drawn]:
    """Yield layers of a row, each with an input; the same for every number of threads."""
    draw = Draw(f"{name} {seed}")
    torch.manual_seed(seed)
    for _ in range(count):
        yield LAYERS[name](draw, dtype)


def is_equal(layer: Layer, x: Tensor) -> bool:
    """Tell whether all that a layer makes is autograd's, for a random error of y."""
    y, saved = layer.forward(x)
    error = torch.randn_like(y)
    error_of_x, gradients = layer.backward(error, saved)
    module, leaf = module_of(layer), x.clone().requires_grad_()
    expected = module(leaf)
    expected.backward(-error)
    pairs = [(y, expected.detach()), (error_of_x, -leaf.grad)]
    theirs = dict(module.named_parameters())
    assert gradients.keys() == theirs.keys() == parameters(layer).keys()
    return all(torch.equal(a, b) for a, b in [*pairs, *((gradients[name], p.grad) for name, p in theirs.items())])


def is_equal_after_updates(seed: int, dtype: torch.dtype, updates: int) -> bool:
    """Tell whether a random network, of images or of rows in turn, has autograd's parameters after so many updates."""
    draw, generator = Draw(f"network {seed}"), torch.Generator().manual_seed(seed)
    activation, rows, loss = draw.choice([Sigmoid(), Tanh(), ReLU()]), draw.choice([1, 5, 16]), SoftmaxCrossEntropy()
    if seed % 2:
        made, x = random_network_of_images(draw, activation, loss, rows, dtype, generator)
    else:
        sizes = [draw.randint(1, 40), draw.randint(2, 40), 10]
        made = mlp(sizes, activation=activation, loss=loss, dtype=dtype, generator=generator)
        x = torch.randn(rows, sizes[0], dtype=dtype, generator=generator)
    t = torch.softmax(torch.randn(made.forward(x).y.shape, dtype=dtype, generator=generator), 1)
    settings = {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-4}
    twin = Network(made.layers, made.loss_function)
    by_hand, other = (
        ManualEngine(made, GradientDescent(made, **settings)),
        AutogradEngine(twin, GradientDescent(twin, **settings)),
    )
    for _ in range(updates):
        x.copy_(torch.randn(x.shape, dtype=dtype, generator=generator))
        by_hand.step(x, t)
        other.step(x, t)
    return all(torch.equal(made.parameters()[name], p.detach()) for name, p in other.model.named_parameters())


def counted(name: str, dtype: torch.dtype, threads: int, shapes: int, updates: int = UPDATES) -> tuple[int, int]:
    """Return in how many cases of a row all is equal, and how many there are."""
    torch.set_num_threads(threads)
    if name == NETWORKS:
        found = [is_equal_after_updates(seed, dtype, updates) for seed in range(max(2, shapes // IN_THE_WHOLE))]
    else:
        found = [is_equal(layer, x) for layer, x in drawn_layers(name, dtype, shapes)]
    return sum(found), len(found)


def main() -> int:
    """Print the table; return 0 where all is equal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shapes", type=int, default=1000, metavar="N", help="random shapes a layer (default 1000)")
    parser.add_argument("--only", choices=[*LAYERS, "networks"], help="one row")
    given = parser.parse_args()
    names = [name for name in (*LAYERS, NETWORKS) if given.only in (None, name, name.partition(",")[0])]
    columns = list(product(DTYPES, THREADS))
    heads = [f"{str(dtype)[6:]}, {threads} thread{'s' * (threads > 1)}" for dtype, threads in columns]
    print(f"{'equal to the last bit':24}" + "".join(f"{head:>20}" for head in heads), flush=True)
    missed = 0
    for name in names:
        print(f"{name:24}", end="", flush=True)
        for dtype, threads in columns:
            equal, of = counted(name, dtype, threads, given.shapes)
            missed += of - equal
            print(f"{f'{equal} of {of}':>20}", end="", flush=True)
        print()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
