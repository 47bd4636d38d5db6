"""The steps of one pass and one update, one for each single number, in the lecture's order, each with its formula.

forward      net^l_i (E1), x^l_i or y_i (E2); after a softmax all net^L_i, then all y_k (E5)
loss         L (E6, E8)
backward     e^L_i (E13, its t − y), δ^L_i (E15), or δ^L_i alone (E17);
             then e^l_i (E14, its sum), δ^l_i (E15) for l = L−1 ... 1
gradients    ∂L/∂W^l_ij, ∂L/∂b^l_i (E12)
update       W^l_ij after, b^l_i after (E9)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from manual_bp import Linear, Network, SoftmaxCrossEntropy
from torch_ref.lesson.walk.activations import activation_of
from torch_ref.lesson.walk.expression import (
    HALF,
    Difference,
    Expression,
    Negative,
    Product,
    Quotient,
    Ref,
    Square,
    Sum,
)
from torch_ref.lesson.walk.functions import EXP, LN, Apply
from torch_ref.lesson.walk.phases import Phase, phase_of
from torch_ref.lesson.walk.size import sizes_of
from torch_ref.verdict.judge import quantity


@dataclass(frozen=True)
class WalkStep:
    """One number of the pass: its name, the lecture's number of its equation, and the formula that makes it."""

    name: str
    equation: str
    formula: Expression

    @property
    def phase(self) -> Phase:
        """Return the part of the pass that it belongs to."""
        return phase_of(self.name)


def walk(network: Network) -> list[WalkStep]:
    """Return every step for a network that is small enough: see ``is_walkable``."""
    return list(_Walk(network).steps())


class _Walk:
    """The walk through one network; its methods follow the order of the steps."""

    def __init__(self, network: Network) -> None:
        self.sizes, self.depth = sizes_of(network), network.depth
        self.linears = [layer for layer in network.layers if isinstance(layer, Linear)]
        self.loss_function, self.activation = network.loss_function, activation_of(network)
        self.softmax = isinstance(network.loss_function, SoftmaxCrossEntropy)

    def steps(self) -> Iterator[WalkStep]:
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

    def forward(self, l: int) -> Iterator[WalkStep]:
        softmax_here = self.softmax and l == self.depth
        for i in self.units(l):
            yield WalkStep(f"net^{l}_{i}", equation(self.linears[l - 1], "forward"), self.net(l, i))
            if not softmax_here:
                output = Apply(self.activation.function, Ref(f"net^{l}_{i}"))
                yield WalkStep(self.x(l, i).name, equation(self.activation.layer, "forward"), output)
        if softmax_here:
            powers = tuple(Apply(EXP, Ref(f"net^{l}_{k}")) for k in self.units(l))
            for k in self.units(l):
                share = Quotient(powers[k - 1], Sum(powers))
                yield WalkStep(f"y_{k}", equation(self.loss_function, "output"), share)

    def loss(self) -> WalkStep:
        outputs, number = self.units(self.depth), equation(self.loss_function, "forward")
        if self.softmax:
            terms = tuple(Product((Ref(f"t_{k}"), Apply(LN, Ref(f"y_{k}")))) for k in outputs)
            return WalkStep("L", number, Negative(_added(terms)))
        squares = tuple(Square(_t_minus_y(k)) for k in outputs)
        return WalkStep("L", number, Product((HALF, _added(squares))))

    def error(self, l: int, i: int) -> Iterator[WalkStep]:
        if l == self.depth:
            name = f"δ^{l}_{i}" if self.softmax else f"e^{l}_{i}"
            yield WalkStep(name, equation(self.loss_function, "error"), _t_minus_y(i))
            if self.softmax:
                return
        else:
            back = tuple(Product((self.w(l + 1, k, i), Ref(f"δ^{l + 1}_{k}"))) for k in self.units(l + 1))
            yield WalkStep(f"e^{l}_{i}", equation(self.linears[l], "error"), _added(back))
        slope = self.activation.slope(self.x(l, i), Ref(f"net^{l}_{i}"))
        delta = Product((*slope, Ref(f"e^{l}_{i}")))
        yield WalkStep(f"δ^{l}_{i}", equation(self.activation.layer, "error"), delta)

    def gradients(self, l: int) -> Iterator[WalkStep]:
        linear = self.linears[l - 1]
        for i in self.units(l):
            for j in self.units(l - 1):
                gradient = Negative(Product((Ref(f"δ^{l}_{i}"), self.x(l - 1, j))))
                yield WalkStep(f"∂L/∂W^{l}_{i}{j}", equation(linear, "weight"), gradient)
        for b in self.biases(l):
            yield WalkStep(f"∂L/∂{b}", equation(linear, "bias"), Negative(Ref(b.replace("b", "δ"))))

    def update(self, l: int) -> Iterator[WalkStep]:
        weights = [self.w(l, i, j).name for i in self.units(l) for j in self.units(l - 1)]
        for name in (*weights, *self.biases(l)):
            descended = Difference(Ref(name), Product((Ref("η"), Ref(f"∂L/∂{name}"))))
            yield WalkStep(f"{name} after", "E9", descended)

    # -------------------------------------------------------------------------------------------------- the parts

    def net(self, l: int, i: int) -> Expression:
        terms = [Product((self.w(l, i, j), self.x(l - 1, j))) for j in self.units(l - 1)]
        return _added((*terms, *(Ref(b) for b in self.biases(l)[i - 1 : i])))

    def units(self, l: int) -> range:
        return range(1, self.sizes[l] + 1)

    def biases(self, l: int) -> list[str]:
        return [f"b^{l}_{i}" for i in self.units(l)] if self.linears[l - 1].bias is not None else []

    def x(self, l: int, j: int) -> Ref:
        return Ref(f"y_{j}" if l == self.depth else f"x^{l}_{j}")

    def w(self, l: int, i: int, j: int) -> Ref:
        return Ref(f"W^{l}_{i}{j}")


def equation(owner: object, makes: str) -> str:
    """Return the lecture's number of a formula: 'E12' for what a Linear makes as 'weight'."""
    return quantity("", owner, makes).formula


def _t_minus_y(k: int) -> Expression:
    return Difference(Ref(f"t_{k}"), Ref(f"y_{k}"))


def _added(terms: tuple[Expression, ...]) -> Expression:
    """Return the sum, or the one term itself: no brackets around a single one."""
    return Sum(terms) if len(terms) > 1 else terms[0]
