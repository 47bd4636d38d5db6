"""The checker on trial: planted faults that it must find, and random correct networks that it must accept.

Four figures come out: of the planted faults, how many are rejected, how many are blamed on exactly the right formula
and layer, how many get the right cause; and how many correct networks raise a false alarm.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from manual_bp import (
    RNN,
    GradientDescent,
    Layer,
    Linear,
    Loss,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    mlp,
)
from manual_bp.initial import random_rnn
from manual_bp.layer import parameters
from torch_ref.check.network import crosscheck
from torch_ref.known import FAULTS, KNOWN, Fault
from torch_ref.trial.images import IMAGE, KINDS, network_of_images, random_network_of_images
from torch_ref.trial.processes import Each

DTYPES = (torch.float64, torch.float32)
ROWS, SIZES = 13, (6, 7, 7, 7, 4)
DEPTH = len(SIZES) - 1
STEPS = 4  # of a sequence
NEEDED = {"rejected": 1.0, "placed": 0.98, "explained": 0.90}
"""Shares of the planted faults."""


def initial(network: Network) -> None:
    """Leave the weights as they were drawn."""


def trained(network: Network) -> None:
    """Take 50 steps of gradient descent on one random batch."""
    x, t = batch(network, ROWS, torch.Generator().manual_seed(1))
    descent = GradientDescent(network, lr=0.05)
    for _ in range(50):
        trace = network.forward(x)
        network.loss(trace, t)
        descent.update(network.backward(trace))


def saturated(network: Network) -> None:
    """Make the weights so large that sigmoids answer almost 0 or 1 and their δ all but vanishes."""
    network.buffer.mul_(30)


WEIGHTS: tuple[Callable[[Network], None], ...] = (initial, trained, saturated)


@dataclass(frozen=True)
class FaultOutcome:
    """What the checker said of one planted fault at one kind of weights, in one dtype."""

    fault: str
    formula: str
    """The type that owns it, what it makes, and the lecture's number."""
    weights: str
    dtype: str
    expected: str
    guilty: tuple[str, ...]
    cause: str
    code: str
    """Of the cause that was found."""
    rejected: bool
    placed: bool
    explained: bool


@dataclass(frozen=True)
class Trial:
    """The outcomes of all planted faults, and what was said of the correct networks."""

    outcomes: tuple[FaultOutcome, ...]
    correct: int
    alarms: tuple[str, ...]

    def share(self, figure: str) -> float:
        """Return the share of outcomes that are rejected, placed or explained."""
        return sum(bool(getattr(outcome, figure)) for outcome in self.outcomes) / len(self.outcomes)

    @property
    def passed(self) -> bool:
        """Tell whether every figure is as good as it has to be."""
        return not self.alarms and all(self.share(figure) >= needed for figure, needed in NEEDED.items())

    def to_dict(self) -> dict[str, Any]:
        """Return the trial in terms that JSON knows."""
        figures = {figure: self.share(figure) for figure in NEEDED}
        head = {"passed": self.passed, "faults": len({o.fault for o in self.outcomes}), **figures}
        outcomes = [vars(outcome) | {"guilty": list(outcome.guilty)} for outcome in self.outcomes]
        return head | {"correct_networks": self.correct, "false_alarms": list(self.alarms), "outcomes": outcomes}


Planned = tuple[str, Callable[[Network], None], torch.dtype]


def plan(*, whole: bool) -> list[Planned]:
    """Return what is tried: every fault once, at one kind of weights in one dtype in turn; with ``whole`` in all."""
    settings = list(product(WEIGHTS, DTYPES))
    if whole:
        return [(name, *setting) for name in FAULTS for setting in settings]
    return [(name, *settings[i % len(settings)]) for i, name in enumerate(FAULTS)]


def run_trial(
    planned: list[Planned], correct: int = 500, advance: Callable[[], None] = lambda: None, each: Each = map
) -> Trial:
    """Try the faults that are planned, and ``correct`` random networks."""
    outcomes, said = [], []
    for outcome in each(_try_planned, planned):
        outcomes.append(outcome)
        advance()
    for alarm in each(_try_correct, range(correct)):
        said.append(alarm)
        advance()
    return Trial(tuple(outcomes), correct, tuple(alarm for alarm in said if alarm))


def _try_planned(planned: Planned) -> FaultOutcome:
    name, weights, dtype = planned
    return try_fault(FAULTS[name], weights, dtype)


def _try_correct(seed: int) -> str:
    """Return what is said against a correct network; '' where it is accepted."""
    network, x, t, what = random_network(seed)
    report = crosscheck(network, x, t, power=False)
    return "" if report.ok else f"{what}: {report.verdict}"


def try_fault(fault: Fault, weights: Callable[[Network], None], dtype: torch.dtype) -> FaultOutcome:
    """Plant one fault and read the report."""
    network, l = trial_network(fault, dtype)
    weights(network)
    x, t = batch(network, ROWS, torch.Generator().manual_seed(2))
    x = 3 * x  # large enough for units that switch from sample to sample
    report = crosscheck(fault.plant(network, l), x, t, power=False)
    expected = fault.quantity(network, l)
    guilty = tuple(row.quantity for row in report.guilty)
    found = next((row for row in report.guilty if row.quantity == expected), None)
    return FaultOutcome(
        fault.name,
        f"{fault.of.__name__} {fault.makes} ({KNOWN[fault.of].formulas[fault.makes].number})",
        weights.__name__,
        str(dtype).removeprefix("torch."),
        expected,
        guilty,
        found.cause if found else "",
        found.code if found else "",
        rejected=not report.ok,
        placed=guilty == (expected,),
        explained=found is not None and found.code == fault.code,
    )


def trial_network(fault: Fault, dtype: torch.dtype, seed: int = 0) -> tuple[Network, int]:
    """Return a correct network that has the formula of a fault in its layer l, and l."""
    generator = torch.Generator().manual_seed(seed)
    if fault.is_of_loss:
        loss = _made(fault, generator, dtype)
        return mlp(SIZES, loss=loss, dtype=dtype, generator=generator), 3 if loss == SquaredError() else DEPTH
    if issubclass(fault.of, KINDS):
        return network_of_images(fault.of, dtype, generator)
    if fault.of is RNN:
        return network_of_sequences(dtype, generator)
    if fault.of is Linear:
        return mlp(SIZES, dtype=dtype, generator=generator), 3
    layer = _made(fault, generator, dtype)
    if not parameters(layer):
        return mlp(SIZES, activation=layer, dtype=dtype, generator=generator), 3
    network = mlp(SIZES, dtype=dtype, generator=generator)
    below = network.index_of_x(3)  # it begins a layer of its own between the lecture's layers 3 and 4
    return Network((*network.layers[:below], layer, *network.layers[below:]), network.loss_function), DEPTH


def network_of_sequences(dtype: torch.dtype, generator: torch.Generator) -> tuple[Network, int]:
    """Return a network of two recurrent layers, which gives sequences, and 2: as many units in the second as below."""
    layers = tuple(random_rnn(n_in, 5, dtype=dtype, generator=generator) for n_in in (6, 5))
    return Network(layers, SquaredError()), 2


def _made(fault: Fault, generator: torch.Generator, dtype: torch.dtype) -> Any:
    """Return the layer or loss that a fault is for, without the fault, as wide as the trial's layers."""
    make = KNOWN[fault.of].make
    return fault.of() if make is None else make(SIZES[3], dtype, generator)


def random_network(seed: int) -> tuple[Network, Tensor, Tensor, str]:
    """Return a correct network of depth 1 to 8 and widths 1 to 300, a batch of 1 to 257, and what they are.

    Every fourth one is a network of images.
    """
    draw = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    sizes = [_up_to(draw, 300) for _ in range(draw.randint(2, 9))]
    activations: list[Layer] = [Sigmoid(), Tanh(), ReLU()]
    activation = draw.choice(activations)
    losses: list[Loss] = [
        SquaredError("mean"),
        SquaredError("sum"),
        SoftmaxCrossEntropy("mean"),
        SoftmaxCrossEntropy("sum"),
    ]
    loss = draw.choice(losses)
    dtype, scale, rows = draw.choice(DTYPES), draw.choice([0.1, 1.0, 1.0, 3.0, 30.0]), _up_to(draw, 257)
    if seed % 4 == 0:
        network, x = random_network_of_images(draw, activation, loss, rows, dtype, generator)
    else:
        network = mlp(sizes, activation=activation, loss=loss, dtype=dtype, generator=generator)
        x, _ = batch(network, rows, generator)
    t = _targets(network, x, generator)
    network.buffer.mul_(scale)
    if draw.random() < 0.5:
        t = t.argmax(1)
    layers = ", ".join(map(repr, network.layers))
    return network, x, t, f"seed {seed}: {layers}, {rows} samples, {loss}, {dtype}, weights times {scale:g}"


def _up_to(draw: random.Random, largest: int) -> int:
    """Return a whole number from 1; every size is as likely as its double."""
    return round(float(largest ** draw.random()))


def batch(network: Network, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return random x and t for a network that begins with a linear layer or, for a fault, with a convolution."""
    first = next(iter(network.parameters().values()))
    of_sample: tuple[int, ...] = IMAGE if first.ndim == 4 else (first.shape[1],)
    if isinstance(network.layers[0], RNN):
        of_sample = STEPS, first.shape[1]
    x = torch.randn(rows, *of_sample, dtype=first.dtype, generator=generator)
    return x, _targets(network, x, generator)


def _targets(network: Network, x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.softmax(torch.randn(network.forward(x).y.shape, dtype=x.dtype, generator=generator), 1)
