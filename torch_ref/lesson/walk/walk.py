"""The steps of one pass and one update, one for each single number, in the lecture's order, each with its formula.

forward      net^l_i (E1), x^l_i or y_i (E2); after a softmax all net^L_i, then all y_k (E5)
loss         L (E6, E8)
backward     e^L_i (E13), δ^L_i (E16, E15), or δ^L_i alone (E17); then e^l_i (E14), δ^l_i for l = L−1 ... 1
gradients    ∂L/∂W^l_ij, ∂L/∂b^l_i (E12)
update       W^l_ij after, b^l_i after (E9)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from manual_bp import Linear, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, Tanh
from torch_ref.lesson.walk.expression import (
    EXP,
    HALF,
    LN,
    ONE,
    RELU,
    SIGMOID,
    TANH,
    Apply,
    Difference,
    Expression,
    Function,
    Negative,
    Product,
    Quotient,
    Ref,
    Square,
    StepSlope,
    Sum,
)

Phase = Literal["forward", "loss", "backward", "gradients", "update"]

FUNCTION_OF: dict[type, Function] = {Sigmoid: SIGMOID, Tanh: TANH, ReLU: RELU}

PHASES: dict[str, Phase] = {
    "n": "forward", "x": "forward", "y": "forward", "e": "backward", "δ": "backward", "∂": "gradients",
}  # fmt: skip
"""By the first letter of a quantity: net, x, y, e, δ, ∂L/∂W."""

MOST_UNITS, MOST_STEPS = 9, 200
"""What can be walked through number by number. In a wider layer W^1_111 could be of unit 11 from unit 1, or the other
way round; a longer walk nobody reads."""


@dataclass(frozen=True)
class Step:
    """One number of the pass: its name, its equation in the lecture, and the formula that makes it."""

    name: str
    equation: str
    formula: Expression

    @property
    def phase(self) -> Phase:
        """Return the part of the pass that it belongs to."""
        return phase_of(self.name)


def phase_of(name: str) -> Phase:
    """Return the part of a pass in which a quantity is computed, from its name: 'backward' of δ^2_1, or of δ^2."""
    if name.endswith(" after"):
        return "update"
    return "loss" if name == "L" else PHASES[name[0]]


def sizes_of(network: Network) -> list[int]:
    """Return the numbers of units, n^0 to n^L, of a network whose layers with parameters are all Linear."""
    linears = [layer for layer in network.layers if isinstance(layer, Linear)]
    return [linears[0].weight.shape[1], *(linear.weight.shape[0] for linear in linears)]


def is_walkable(sizes: Sequence[int], *, bias: bool) -> bool:
    """Tell whether a network with layers of these sizes is small enough to be walked through number by number."""
    units, weights = sum(sizes[1:]), sum(a * b for a, b in pairwise(sizes))
    steps = 4 * units + 1 + 2 * (weights + bias * units)
    return max(sizes) <= MOST_UNITS and steps <= MOST_STEPS


def walk(network: Network) -> list[Step]:
    """Return every step for a network of at most ``MOST_UNITS`` units in a layer."""
    return list(_Walk(network).steps())


class _Walk:
    """The walk through one network; its methods follow the order of the steps."""

    def __init__(self, network: Network) -> None:
        self.sizes, self.depth = sizes_of(network), network.depth
        self.linears = [layer for layer in network.layers if isinstance(layer, Linear)]
        self.softmax = isinstance(network.loss_function, SoftmaxCrossEntropy)
        activations = (kind for layer in network.layers for kind in FUNCTION_OF if isinstance(layer, kind))
        self.activation = next(activations, Sigmoid)

    def steps(self) -> Iterator[Step]:
        for l in range(1, self.depth + 1):
            yield from self.forward(l)
        yield self.loss()
        for l in range(self.depth, 0, -1):
            for i in self.units(l):
                yield from self.error(l, i)
        for l in range(1, self.depth + 1):
            yield from self.gradients(l)
        for l in range(1, self.depth + 1):
            yield from self.update(l)

    # ------------------------------------------------------------------------------------------------- the phases

    def forward(self, l: int) -> Iterator[Step]:
        softmax_here = self.softmax and l == self.depth
        for i in self.units(l):
            yield Step(f"net^{l}_{i}", "E1", self.net(l, i))
            if not softmax_here:
                output = Apply(FUNCTION_OF[self.activation], Ref(f"net^{l}_{i}"))
                yield Step(self.x(l, i).name, "E2", output)
        if softmax_here:
            powers = tuple(Apply(EXP, Ref(f"net^{l}_{k}")) for k in self.units(l))
            for k in self.units(l):
                yield Step(f"y_{k}", "E5", Quotient(powers[k - 1], Sum(powers)))

    def loss(self) -> Step:
        outputs = self.units(self.depth)
        if self.softmax:
            terms = tuple(Product((Ref(f"t_{k}"), Apply(LN, Ref(f"y_{k}")))) for k in outputs)
            return Step("L", "E8", Negative(_added(terms)))
        squares = tuple(Square(_t_minus_y(k)) for k in outputs)
        return Step("L", "E6", Product((HALF, _added(squares))))

    def error(self, l: int, i: int) -> Iterator[Step]:
        if self.softmax and l == self.depth:
            yield Step(f"δ^{l}_{i}", "E17", _t_minus_y(i))
            return
        if l == self.depth:
            yield Step(f"e^{l}_{i}", "E13", _t_minus_y(i))
        else:
            back = tuple(Product((self.w(l + 1, k, i), Ref(f"δ^{l + 1}_{k}"))) for k in self.units(l + 1))
            yield Step(f"e^{l}_{i}", "E14", _added(back))
        delta = Product((*self.slope(l, i), Ref(f"e^{l}_{i}")))
        yield Step(f"δ^{l}_{i}", "E16" if self.activation is Sigmoid else "E15", delta)

    def gradients(self, l: int) -> Iterator[Step]:
        for i in self.units(l):
            for j in self.units(l - 1):
                gradient = Negative(Product((Ref(f"δ^{l}_{i}"), self.x(l - 1, j))))
                yield Step(f"∂L/∂W^{l}_{i}{j}", "E12", gradient)
        for b in self.biases(l):
            yield Step(f"∂L/∂{b}", "E12", Negative(Ref(b.replace("b", "δ"))))

    def update(self, l: int) -> Iterator[Step]:
        weights = [self.w(l, i, j).name for i in self.units(l) for j in self.units(l - 1)]
        for name in (*weights, *self.biases(l)):
            descended = Difference(Ref(name), Product((Ref("η"), Ref(f"∂L/∂{name}"))))
            yield Step(f"{name} after", "E9", descended)

    # -------------------------------------------------------------------------------------------------- the parts

    def net(self, l: int, i: int) -> Expression:
        terms = [Product((self.w(l, i, j), self.x(l - 1, j))) for j in self.units(l - 1)]
        return _added((*terms, *(Ref(b) for b in self.biases(l)[i - 1 : i])))

    def slope(self, l: int, i: int) -> tuple[Expression, ...]:
        x = self.x(l, i)
        if self.activation is Sigmoid:
            return x, Difference(ONE, x)
        return (Difference(ONE, Square(x)),) if self.activation is Tanh else (StepSlope(Ref(f"net^{l}_{i}")),)

    def units(self, l: int) -> range:
        return range(1, self.sizes[l] + 1)

    def biases(self, l: int) -> list[str]:
        return [f"b^{l}_{i}" for i in self.units(l)] if self.linears[l - 1].bias is not None else []

    def x(self, l: int, j: int) -> Ref:
        return Ref(f"y_{j}" if l == self.depth else f"x^{l}_{j}")

    def w(self, l: int, i: int, j: int) -> Ref:
        return Ref(f"W^{l}_{i}{j}")


def _t_minus_y(k: int) -> Expression:
    return Difference(Ref(f"t_{k}"), Ref(f"y_{k}"))


def _added(terms: tuple[Expression, ...]) -> Expression:
    """Return the sum, or the one term itself: no brackets around a single one."""
    return Sum(terms) if len(terms) > 1 else terms[0]
