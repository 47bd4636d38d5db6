"""Two modules that do not correspond: what is said, what is compared all the same, and what stays as it was."""

import re
import warnings
from typing import Any

import pytest
import torch
from modules import MLP, NAMES, MeanForSum, Shared, sequential, x_of
from torch import Tensor, nn

from torch_ref import check_module
from torch_ref.steps.views import in_order


class Three(nn.Module):
    """Two layers and tanh, whose sign is turned where it is ``minus``, twice."""

    def __init__(self, act: nn.Module, sign: int = 1, *, is_turned: bool = False) -> None:
        super().__init__()
        self.fc, self.act, self.out = nn.Linear(5, 4), act, nn.Linear(4, 3)
        self.sign, self.is_turned = sign, is_turned

    def forward(self, x: Tensor) -> Tensor:
        h = self.fc(x)
        return self.out(self.act(h.t()).t() if self.is_turned else self.sign * self.act(h))


class Minus(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return -torch.tanh(x)


WHY = "alone it gives other numbers than the reference's, and the whole is right"


def test_another_way_to_cut_the_same_function_is_no_mistake() -> None:
    report = check_module(Three(Minus(), -1), Three(nn.Tanh()), x_of(), power=False)
    assert report.ok
    assert report.not_compared == (("act alone", WHY),)
    report = check_module(Three(nn.Tanh(), is_turned=True), Three(nn.Tanh()), x_of(), power=False)
    assert report.ok
    assert ("act alone", WHY) in report.not_compared
    assert "output of out" in [row.quantity for row in report.rows]


def test_a_submodule_that_is_called_elsewhere_or_gets_no_gradient_is_a_part_of_the_whole() -> None:
    class Twice(Three):
        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.act(torch.cat([self.fc(x[:3]), self.fc(x[3:])])))

    report = check_module(Twice(nn.Tanh()), Three(nn.Tanh()), x_of(), power=False)
    assert report.ok
    assert report.not_compared == (("fc alone", "the reference calls it elsewhere, or another number of times"),)
    assert "gradient of fc.weight" in [row.quantity for row in report.rows]

    class Places(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.order, self.fc = nn.Flatten(0), nn.Linear(5, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x[self.order(torch.arange(len(x)))])

    report = check_module(Places(), Places(), x_of(), power=False)
    assert report.not_compared == (("order alone", "nothing flows back through it"),)


def test_types_of_torch_that_contradict_are_not_paired_by_their_order() -> None:
    mine = nn.Sequential(nn.Linear(5, 4), nn.Sequential(nn.Tanh(), nn.ReLU()))
    reference = nn.ModuleDict({"fc": nn.Linear(5, 4), "relu": nn.ReLU(), "tanh": nn.Tanh()})

    class Reference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = reference

        def forward(self, x: Tensor) -> Tensor:
            return self.parts["relu"](self.parts["tanh"](self.parts["fc"](x)))

    report = check_module(mine, Reference(), x_of(), power=False)
    assert report.outcome == "right, with remarks", "the Sequential inside has no counterpart"
    assert report.not_compared == (("1 alone", "no submodule of the reference corresponds to it"),)
    assert {"output of 1.0", "output of 1.1"} <= {row.quantity for row in report.rows}


@pytest.mark.parametrize(
    ("mine", "reference", "options", "message"),
    [
        (lambda: sequential()[:1], sequential, {}, "Left over are none of Sequential and 2.weight (3, 4), 2.bias (3,)"),
        (lambda: nn.LSTM(5, 5), lambda: nn.Linear(5, 5), {}, "say which is which by mapping={'mine': 'reference'}"),
        (lambda: nn.Linear(5, 4), lambda: nn.Linear(5, 3), {}, "weight to have the same shape, got (4, 5) and (3, 5)"),
        (lambda: MLP().double(), sequential, {}, "to have the same dtype, got torch.float64 and torch.float32"),
        (lambda: MLP().eval(), sequential, {}, "the first in evaluation mode and the reference in training mode"),
        (
            MLP,
            sequential,
            {"mapping": {"on": "0"}},
            "of names that there are, got 'on': the parameters are one.w, one.b",
        ),
        (MLP, sequential, {"mapping": {"one": "7"}}, "got '7': the reference's parameters are 0.weight"),
        (lambda: Shared(is_shared=False), Shared, {}, "embedding.weight and head.weight to be one shared parameter"),
        (MLP, sequential, {"upstream": torch.ones(3)}, "of the outputs' shapes [(7, 3)], got [(3,)]"),
        (lambda: nn.LazyLinear(3), lambda: nn.Linear(5, 3), {}, "got weight, bias of a lazy LazyLinear: call it once"),
    ],
)
def test_what_does_not_fit_is_said(mine: Any, reference: Any, options: Any, message: str) -> None:
    inputs = torch.randint(0, 11, (4, 5)) if reference is Shared else x_of()
    with pytest.raises(ValueError, match=re.escape(message)):
        check_module(mine(), reference(), inputs, **options)


def test_inputs_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"one dtype on one device, got torch.float32 on cpu and torch.float64 on cpu"):
        check_module(MLP(), sequential(), x_of(torch.float64))
    with pytest.raises(TypeError, match=r"inputs as a sequence of arguments, got a ndarray: give \[x\]"):
        check_module(MLP(), sequential(), x_of().numpy())
    with pytest.raises(TypeError, match=r"two nn\.Modules are compared on inputs"):
        check_module(MLP(), sequential())
    with pytest.raises(TypeError, match=r"an instance of torch\.nn\.Module or a manual_bp\.Network, got the class MLP"):
        check_module(MLP, sequential(), x_of())
    with pytest.raises(TypeError, match=r"a reference that is an instance of torch\.nn\.Module, got function"):
        check_module(MLP(), x_of, x_of())
    with pytest.raises(ValueError, match="with at least one row, got some for which nothing comes out"):
        check_module(MLP(), sequential(), x_of()[:0])
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        check_module(MLP(), sequential(), torch.randn(7, 6))

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(5))

        def forward(self, w: Tensor) -> Tensor:
            return w * self.w

    with pytest.raises(ValueError, match="arguments of forward with other names than the parameters, got w as both"):
        check_module(Named(), Named(), x_of())


def test_modules_that_are_compiled() -> None:
    class Compiled(nn.Module):
        def __init__(self, original: nn.Module) -> None:
            super().__init__()
            self._orig_mod = original

    assert check_module(Compiled(MLP()), Compiled(sequential()), x_of(), mapping=NAMES, power=False).outcome == "right"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is no longer recommended
        scripted = torch.jit.script(nn.Linear(5, 3))
    with pytest.raises(TypeError, match=r"a reference of Python, got one of torch\.jit: give what it was made from"):
        check_module(nn.Linear(5, 3), scripted, x_of())


def test_modules_that_return_another_number_of_tensors() -> None:
    class Pair(nn.Linear):
        def forward(self, x: Tensor) -> Any:
            return super().forward(x), x

    with pytest.raises(ValueError, match="the same number of tensors, got 2 and 1: wrap one of them"):
        check_module(Pair(5, 3), nn.Linear(5, 3), x_of())


def test_a_reference_that_gives_other_numbers_at_every_call() -> None:
    class Counting(nn.Module):
        calls = torch.zeros(1)

        def forward(self, x: Tensor) -> Tensor:
            Counting.calls += 1
            return x * Counting.calls

    with pytest.raises(ValueError, match="a reference that gives the same numbers at every call"):
        check_module(Counting(), Counting(), x_of())


def test_upstream_gradients_that_are_given() -> None:
    report = check_module(MLP(MeanForSum), sequential(), x_of(), upstream=torch.zeros(7, 3), mapping=NAMES, power=False)
    assert not report.ok, "the others that are tried show it"
    assert check_module(MLP(), sequential(), x_of(), upstream=torch.ones(7, 3)).ok


def test_a_tolerance_is_that_of_every_comparison() -> None:
    mine = MLP(factor=1.0001)
    assert not check_module(mine, sequential(), x_of(), power=False).ok
    assert check_module(mine, sequential(), x_of(), power=False, tolerance={torch.float32: 1e-3}).ok


def test_mapping_and_upstream_are_not_for_a_network() -> None:
    from manual_bp import mlp

    with pytest.raises(TypeError, match=r"for two nn\.Modules only, got a Network"):
        check_module(mlp([5, 4, 3]), sequential(), mapping={})


def test_parameters_that_are_left_over_are_known_by_their_shapes_where_names_and_order_are_others() -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias, self.matrix = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3, 5))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x, self.matrix, self.bias)

    report = check_module(nn.Linear(5, 3), Other(), x_of(), power=False)
    assert report.outcome == "right"
    assert {"gradient of weight", "gradient of bias"} <= {row.quantity for row in report.rows}


def test_a_submodule_that_gets_its_input_by_name_corresponds_all_the_same() -> None:
    class ByName(Three):
        def forward(self, x: Tensor) -> Tensor:
            return self.out(input=self.act(input=self.fc(input=x)))

    for pair in ((ByName(nn.Tanh()), Three(nn.Tanh())), (Three(nn.Tanh()), ByName(nn.Tanh()))):
        report = check_module(*pair, x_of(), power=False)
        assert report.outcome == "right", str(report)
        assert not report.not_compared


def test_tensors_at_other_paths_are_no_output() -> None:
    x = torch.zeros(2)
    assert in_order((x,), ["[0]"]) == (x,)
    with pytest.raises(TypeError, match="it returns 2 tensors where 1 are expected"):
        in_order((x, x), ["[0]"])
