"""A layer of somebody else says what is known of it: reports, verdicts and the trial then know it too."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from manual_bp import Layer, Linear, Network, Sigmoid, SquaredError, mlp
from torch_ref import check_layer, crosscheck, module_of
from torch_ref.known import (
    FAULTS,
    KNOWN,
    Addition,
    Candidate,
    Code,
    Fault,
    Formula,
    Known,
    Scene,
    codes,
    formula_of,
    register,
)
from torch_ref.trial import trial


@dataclass(frozen=True)
class Softplus:
    """ln(1 + e^net), an activation of somebody else."""

    def forward(self, x: Tensor, out=None) -> tuple[Tensor, Tensor]:
        return torch.nn.functional.softplus(x), x

    def backward(self, error: Tensor, saved: Tensor, out=None) -> tuple[Tensor, dict[str, Tensor]]:
        return error * torch.sigmoid(saved), {}


@dataclass(frozen=True, eq=False)
class Shift:
    """x + a: a layer with a parameter, which has no gradients of its own."""

    a: Tensor

    def forward(self, x: Tensor, out=None) -> tuple[Tensor, None]:
        return x + self.a, None

    def backward(self, error: Tensor, saved: None, out=None) -> tuple[Tensor, dict[str, Tensor]]:
        return error, {"a": -error.sum(0)}


class ShiftModule(nn.Module):
    def __init__(self, a: Tensor) -> None:
        super().__init__()
        self.a = nn.Parameter(a.clone())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.a


@module_of.register
def _(layer: Softplus) -> nn.Module:
    return nn.Softplus()


@module_of.register
def _(layer: Shift) -> nn.Module:
    return ShiftModule(layer.a)


def squared(s: Scene) -> Iterator[Candidate | Addition]:
    yield Candidate("sigmoid-squared", "σ² in place of σ", s.error * torch.sigmoid(s.x) ** 2)
    yield Addition("constant-added", "{share:.3g} times net is added", s.x)


SOFTPLUS = Known(
    Softplus,
    {
        "forward": Formula("-", "x^{l} = ln(1 + e^net^{l})", "x"),
        "error": Formula("-", "δ^{l} = σ(net^{l}) e^{l}", "δ"),
    },
    causes={"error": squared},
    faults=(
        Fault(
            "softplus-error-squared",
            Softplus,
            "error",
            "sigmoid-squared",
            "σ² in place",
            lambda layer, e, net, x: e / (1 + torch.exp(-net)) ** 2,
        ),
    ),
    codes={"sigmoid-squared": Code("The slope is squared.", "delta = error * s**2", "Do not square it.")},
)
SHIFT = Known(
    Shift,
    {
        "forward": Formula("-", "net^{l} = x^{below} + a^{l}", "net"),
        "error": Formula("-", "e^{below} = δ^{l}", "e"),
        "a": Formula("-", "∂L/∂a^{l} = −Σ δ^{l}", "∂L/∂a"),
    },
    faults=(Fault("shift-a-sign", Shift, "a", "wrong-sign", "the sign is wrong", lambda layer, e, x, y: e.sum(0)),),
    make=lambda n, dtype, generator: Shift(torch.randn(n, dtype=dtype, generator=generator)),
)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    before = dict(KNOWN), dict(FAULTS), dict(codes.CODES)
    register(SOFTPLUS)
    register(SHIFT)
    yield
    for table, content in zip((KNOWN, FAULTS, codes.CODES), before, strict=True):
        table.clear()
        table.update(content)


def test_a_verdict_names_its_formula_and_its_cause() -> None:
    good = mlp([5, 4, 4, 3], activation=Softplus(), dtype=torch.float64)
    x, t = torch.randn(6, 5).double(), torch.rand(6, 3).double()
    assert crosscheck(good, x, t).ok
    report = crosscheck(FAULTS["softplus-error-squared"].plant(good, 2), x, t)
    (row,) = report.guilty
    assert (row.quantity, row.code, row.cause) == ("δ^2", "sigmoid-squared", "σ² in place of σ")
    assert report.verdict.startswith("Wrong: δ^2 = σ(net^2) e^2, layer 2, Softplus.backward at ")
    assert row.to_dict()["code"] == "sigmoid-squared"


def test_an_addition_of_its_own_is_found_with_its_share() -> None:
    plus = replace(SOFTPLUS.faults[0], wrong=lambda layer, e, net, x: e * torch.sigmoid(net) + 0.25 * net)
    good = mlp([5, 4, 3], activation=Softplus(), dtype=torch.float64)
    (row,) = crosscheck(plus.plant(good, 1), torch.randn(6, 5).double(), torch.rand(6, 3).double()).guilty
    assert (row.code, row.cause) == ("constant-added", "0.25 times net is added")
    assert row.why.numbers["share"] == pytest.approx(0.25)


@pytest.mark.long(but=2)
@pytest.mark.parametrize("name", ["softplus-error-squared", "shift-a-sign"])
@pytest.mark.parametrize("dtype", trial.DTYPES)
def test_the_trial_plants_its_faults(name: str, dtype: torch.dtype) -> None:
    assert name in trial.FAULTS
    for weights in trial.WEIGHTS[:2]:
        found = trial.try_fault(FAULTS[name], weights, dtype)
        assert found.rejected, found
        assert found.placed, found
        assert found.explained, found
    assert found.formula.endswith("(-)")


def test_a_fault_of_a_layer_with_parameters_is_named_by_the_parameter() -> None:
    network, l = trial.trial_network(FAULTS["shift-a-sign"], torch.float64)
    assert [type(layer).__name__ for layer in network.layers].count("Shift") == 1
    assert FAULTS["shift-a-sign"].quantity(network, l) == "∂L/∂a^4"


def test_a_subclass_has_what_is_known_of_its_parent() -> None:
    class Mine(Sigmoid):
        pass

    assert formula_of(Mine, "error") == KNOWN[Sigmoid].formulas["error"]
    assert formula_of(Mine, "nothing") is None
    assert formula_of(object, "error") is None


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (SOFTPLUS, "a type that is not known yet, got Softplus again"),
        (replace(SOFTPLUS, kind=Network, causes={"output": squared}, faults=()), r"causes of .* got 'output'"),
        (replace(SOFTPLUS, kind=Network), "faults in the formulas of Network, got softplus-error-squared"),
        (
            Known(Layer, SHIFT.formulas, faults=(replace(SHIFT.faults[0], of=Layer),)),
            "faults with names of their own, got shift-a-sign again",
        ),
        (
            Known(Layer, SHIFT.formulas, faults=(replace(SHIFT.faults[0], of=Layer, name="new", code="no-such"),)),
            "faults with a code that is known, got 'no-such' of new",
        ),
    ],
)
def test_what_does_not_fit_is_named_and_changes_nothing(known: Known, said: str) -> None:
    before = dict(KNOWN), dict(FAULTS), dict(codes.CODES)
    with pytest.raises(ValueError, match=said):
        register(known)
    assert before == (KNOWN, FAULTS, codes.CODES)


def test_what_is_no_type_is_named() -> None:
    with pytest.raises(TypeError, match="register expects the type of a layer or loss, got a Softplus"):
        register(replace(SOFTPLUS, kind=Softplus()))


def test_other_braces_in_a_formula_are_named_and_nothing_is_added() -> None:
    class Rectified(Softplus):
        pass

    before = dict(KNOWN)
    for text in ("x = {net | net > 0}", "x = {", "x = {}"):
        with pytest.raises(
            ValueError, match=r"text of Rectified's forward with {l}, {below}, {mean} and {error} alone"
        ):
            register(Known(Rectified, {"forward": Formula("-", text, "x")}))
    assert before == KNOWN
    register(Known(Rectified, {"forward": Formula("-", "x^{l} = {{net | net > 0}}", "x")}))
    report = crosscheck(mlp([5, 4, 3], activation=Rectified()), torch.randn(6, 5), torch.rand(6, 3))
    assert next(row.of.text for row in report.rows if row.quantity == "x^1") == "x^1 = {net | net > 0}"


def test_a_fault_names_its_quantity_as_the_network_does() -> None:
    layers = mlp([5, 4, 4, 3]).layers
    made = Network((layers[0], Shift(torch.randn(4)), layers[2]), SquaredError())
    assert FAULTS["shift-a-sign"].quantity(made, 2) == "∂L/∂a^2"
    assert replace(SHIFT.faults[0], makes="error").quantity(made, 2) == "δ^1"
    assert FAULTS["linear-error-sign"].quantity(made, 3) == "δ^2"
    assert FAULTS["linear-error-sign"].quantity(mlp([5, 4, 3]), 2) == "e^1"


def test_an_heir_for_other_shapes_gets_a_verdict_too() -> None:
    class OfSequences(Linear):
        """y = x Wᵀ for x (N, T, n_in): the mistakes that are known of a Linear are those of rows."""

        def forward(self, x, out=None):
            return 2 * x @ self.weight.t(), x

        def backward(self, error, saved, out=None):
            return -error @ self.weight, self.gradients(error, saved)

        def gradients(self, error, saved, out=None):
            return {"weight": -torch.einsum("nti,ntj->ij", error, saved) + 1}

    report = check_layer(OfSequences(torch.randn(3, 5)), torch.randn(4, 6, 5), nn.functional.linear)
    assert [row.code for row in report.guilty] == ["factor", "wrong-sign", "constant-added"]
