"""The checker is checked: it rejects every planted fault, names the formula and the cause, and nothing else."""

from dataclasses import dataclass

import pytest
import torch
from cases import REGIMES, network

from manual_bp import Network, Sigmoid, SoftmaxCrossEntropy, SquaredError, mlp
from torch_ref import crosscheck, mirror, module_of
from torch_ref.known.faults import FAULTS, Fault
from torch_ref.trial.images import KINDS
from torch_ref.trial.trial import batch, trial_network

every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
ONE_OF_EACH = {(fault.of, fault.makes): f"[{name}]" for name, fault in FAULTS.items()}
"""Of the faults of each formula the last one."""


@pytest.mark.long(but=ONE_OF_EACH.values())
@every_fault
def test_is_rejected_placed_and_explained(fault: Fault) -> None:
    """At one of the three kinds of weights; `python -m torch_ref faults` takes them all, in both dtypes."""
    good, l = trial_network(fault, torch.float64, seed=3)
    REGIMES[list(FAULTS).index(fault.name) % 3](good)
    x, t = batch(good, 13, torch.Generator().manual_seed(4))
    if fault.of in KINDS:  # the other layers below, which take as long, the trial has
        first = good.net_positions[l - 1]
        x, good, l = good.forward(x).values[first], Network(good.layers[first:], good.loss_function), 1
    report = crosscheck(fault.plant(good, l), x, t)
    assert not report.ok
    assert [row.quantity for row in report.guilty] == [fault.quantity(good, l)], str(report)
    assert report.guilty[0].code == fault.code, str(report)
    assert report.guilty[0].cause.startswith(fault.cause), str(report)
    assert report.guilty[0].of.text in " ".join(report.verdict.split())


LOSS_FAULTS = {name: fault for name, fault in FAULTS.items() if fault.of in (SquaredError, SoftmaxCrossEntropy)}
LOSS_FAULTS.pop("entropy-error-target-unit")  # for class indices t (t − y) is t (1 − y), another fault of the catalogue


@pytest.mark.long(but=3)
@pytest.mark.parametrize("fault", LOSS_FAULTS.values(), ids=LOSS_FAULTS)
def test_a_loss_is_explained_for_class_indices_too(fault: Fault) -> None:
    good, l = trial_network(fault, torch.float64, seed=3)
    report = crosscheck(fault.plant(good, l), torch.randn(13, 6).double(), torch.arange(13) % 4)
    assert [row.quantity for row in report.guilty] == [fault.quantity(good, l)], str(report)
    assert report.guilty[0].cause.startswith(fault.cause)


def test_there_are_enough_for_every_formula() -> None:
    assert len(FAULTS) >= 60
    formulas = {(fault.of.__name__, fault.makes) for fault in FAULTS.values()}
    assert formulas == {
        ("Linear", "forward"), ("Linear", "error"), ("Linear", "weight"), ("Linear", "bias"),
        ("Sigmoid", "forward"), ("Sigmoid", "error"), ("Tanh", "forward"), ("Tanh", "error"),
        ("ReLU", "forward"), ("ReLU", "error"), ("SquaredError", "forward"), ("SquaredError", "error"),
        ("SoftmaxCrossEntropy", "output"), ("SoftmaxCrossEntropy", "forward"), ("SoftmaxCrossEntropy", "error"),
        ("Conv2d", "forward"), ("Conv2d", "error"), ("Conv2d", "weight"), ("Conv2d", "bias"),
        ("MaxPool2d", "forward"), ("MaxPool2d", "error"), ("AvgPool2d", "forward"), ("AvgPool2d", "error"),
        ("LayerNorm", "forward"), ("LayerNorm", "error"), ("LayerNorm", "weight"), ("LayerNorm", "bias"),
        ("RNN", "forward"), ("RNN", "error"), ("RNN", "weight_ih_l0"), ("RNN", "weight_hh_l0"),
        ("RNN", "bias_ih_l0"), ("RNN", "bias_hh_l0"), ("Dropout", "forward"), ("Dropout", "error"),
    }  # fmt: skip


@pytest.mark.long(but=ONE_OF_EACH.values())
@every_fault
def test_the_reference_is_that_of_the_right_formula(fault: Fault) -> None:
    """Otherwise the trial would prove nothing."""
    good, l = trial_network(fault, torch.float32)
    planted, expected = mirror(fault.plant(good, l)), mirror(good)
    assert [type(module) for module in planted.model] == [type(module) for module in expected.model]
    assert type(planted.loss) is type(expected.loss)


@pytest.mark.long(but=2)
@pytest.mark.parametrize("l", range(1, 7))
def test_in_six_layers_exactly_one_is_guilty(l: int) -> None:
    """End to end a wrong δ^l spoils the layers 1 ... l; alone, its formula is the only wrong one."""
    good = network((6, 5, 5, 5, 5, 5, 4), Sigmoid(), SquaredError(), torch.float64)
    report = crosscheck(
        FAULTS["sigmoid-error-no-slope"].plant(good, l), torch.randn(9, 6).double(), torch.arange(9) % 4
    )
    assert [row.quantity for row in report.guilty] == [f"δ^{l}"]
    spoiled = {f"{q}^{k}" for k in range(1, l + 1) for q in ("∂L/∂W", "∂L/∂b", "δ")} | {f"e^{k}" for k in range(l)}
    assert {row.quantity for row in report.consequences} == spoiled - {f"δ^{l}"}
    assert f"layer {l}" in report.verdict


def test_several_faults_are_all_named_apart_from_their_consequences() -> None:
    good = network((6, 5, 5, 5, 4), Sigmoid(), SquaredError(), torch.float64)
    spoiled = FAULTS["linear-bias-twice"].plant(FAULTS["linear-error-transposed"].plant(good, 3), 2)
    spoiled = FAULTS["sigmoid-error-x-alone"].plant(spoiled, 4)
    report = crosscheck(spoiled, torch.randn(9, 6).double(), torch.arange(9) % 4)
    assert {row.quantity: row.cause for row in report.guilty} == {
        "δ^4": "x in place of σ′",
        "e^2": "transposed weights",
        "∂L/∂b^2": "a factor of 2",
    }
    assert "δ^3" in {row.quantity for row in report.consequences}


def test_a_loss_that_is_not_the_function_of_its_gradient_is_told_from_another_loss() -> None:
    """½ is missing in L alone; or the sum is taken for the mean in both: then the error is right for its own L."""
    good = mlp([6, 5, 4], dtype=torch.float64)
    x, t = torch.randn(9, 6).double(), torch.arange(9) % 4
    report = crosscheck(FAULTS["squared-loss-no-half"].plant(good, 1), x, t)
    assert {row.quantity: row.cause for row in report.guilty} == {
        "L": "a factor of 2; it is not the function whose gradient is returned"
    }

    @dataclass(frozen=True)
    class SummedError(SquaredError):
        def forward(self, x, t, out=None):
            return SquaredError("sum").forward(x, t)

        def backward(self, saved, out=None):
            return SquaredError("sum").backward(saved)

    report = crosscheck(Network(good.layers, SummedError()), x, t)
    assert {row.quantity: row.cause for row in report.guilty} == {"L": "a factor of N (N = 9?)"}
    assert "e^2" in {row.quantity for row in report.consequences}


def test_a_fault_that_does_not_fit_the_network_is_named() -> None:
    plain = mlp([5, 4, 3], loss=SoftmaxCrossEntropy())
    with pytest.raises(ValueError, match="relu-error-no-mask expects a ReLU in layer 1"):
        FAULTS["relu-error-no-mask"].plant(plain, 1)
    with pytest.raises(ValueError, match="sigmoid-error-sign expects a Sigmoid in layer 2"):
        FAULTS["sigmoid-error-sign"].plant(plain, 2)
    with pytest.raises(ValueError, match="squared-error-sign expects the loss SquaredError"):
        FAULTS["squared-error-sign"].plant(plain, 1)


def test_a_wrong_forward_saves_its_own_output_for_the_right_backward() -> None:
    """As in real code: what backward reads is what forward gave, right or wrong."""
    net, e = torch.randn(4, 5), torch.randn(4, 5)
    y, saved = (spoiled := FAULTS["sigmoid-forward-tanh"].spoiled(Sigmoid())).forward(net)
    delta, _ = spoiled.backward(e, saved)
    assert torch.equal(y, torch.tanh(net))
    assert torch.equal(delta, e * (1 - y) * y)


def test_two_faults_in_one_layer_are_both_there() -> None:
    good = mlp([5, 4, 3], dtype=torch.float64)
    both = FAULTS["linear-bias-twice"].plant(FAULTS["linear-weight-sign"].plant(good, 1), 1)
    report = crosscheck(both, torch.randn(6, 5).double(), torch.rand(6, 3).double())
    assert {row.quantity: row.code for row in report.guilty} == {"∂L/∂W^1": "wrong-sign", "∂L/∂b^1": "factor"}


def test_planting_leaves_the_network_as_it_was() -> None:
    good = mlp([5, 4, 3])
    planted = FAULTS["linear-error-updating"].plant(good, 2)
    before = good.state_dict(), planted.state_dict()
    report = crosscheck(planted, torch.randn(4, 5), torch.rand(4, 3))
    assert "changed the parameters" in report.verdict
    for made, state in zip((good, planted), before, strict=True):
        assert all(torch.equal(p, state[name]) for name, p in made.parameters().items())
    assert type(good.layers[2]) is type(mlp([5, 3]).layers[0])
    assert isinstance(planted, Network)
    assert type(module_of(planted.layers[3])) is torch.nn.Sigmoid
