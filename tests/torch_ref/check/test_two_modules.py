"""Right modules beside a reference: nothing right is called wrong, and what is not compared is named."""

import copy
import threading
import warnings
from typing import Any

import pytest
import torch
from modules import (
    MLP,
    NAMES,
    Attention,
    BatchNorm,
    Block,
    ByHand,
    Functional,
    Hidden,
    Recurrent,
    Shared,
    pictures,
    sequential,
    x_of,
)
from torch import Tensor, nn

import manual_bp
from torch_ref import check_module


def quantities(report: Any) -> list[str]:
    return [row.quantity for row in report.rows]


def test_a_module_of_functions_beside_those_of_torch_has_a_row_for_everything() -> None:
    report = check_module(MLP(), sequential(), x_of(), mapping=NAMES)
    assert report.outcome == "right", str(report)
    assert quantities(report) == [
        *("output of one", "output of act", "output of two", "output"),
        *("gradient of two.w", "gradient of two.b", "gradient of x of two"),
        "gradient of x of act",
        *("gradient of one.w", "gradient of one.b", "gradient of x of one", "gradient of x"),
    ]
    assert report.batch == 7
    by_name = {row.quantity: row for row in report.rows}
    assert by_name["gradient of one.w"].end_to_end is not None
    assert by_name["gradient of x"].end_to_end is not None
    assert by_name["output of act"].end_to_end is not None
    assert report.power.factor < 1e-5
    assert report.to_dict()["rows"][0]["owner"] == "ByHand"


def test_parameters_are_known_by_their_shapes_and_innermost_modules_by_their_order() -> None:
    report = check_module(MLP(), sequential(), x_of())
    assert report.outcome == "right"
    assert "output of act" in quantities(report), "by the order of calls"
    square = [nn.Sequential(nn.Linear(5, 5)), ByHand(5, 5)]
    assert check_module(*square[::-1], x_of()).outcome == "right", "(5, 5) and (5,) are told apart"


def test_that_shapes_do_not_tell_parameters_apart_is_said() -> None:
    mine, reference = (
        nn.Sequential(ByHand(5, 5), ByHand(5, 5)),
        nn.ModuleDict({"a": nn.Linear(5, 5), "b": nn.Linear(5, 5)}),
    )

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = reference

        def forward(self, x: Tensor) -> Tensor:
            return self.inside["b"](self.inside["a"](x))

    report = check_module(mine, Both(), x_of())
    assert report.ok
    assert report.remarks[0].startswith(
        "the parameters are paired by their shapes, in order: 0.w with inside.a.weight,"
    )


@pytest.mark.long
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes(dtype: torch.dtype) -> None:
    report = check_module(MLP().to(dtype), sequential().to(dtype), x_of(dtype), mapping=NAMES)
    assert report.ok
    assert report.dtype == dtype


def test_batch_norm_in_training_mode_blocks_and_relu_in_place() -> None:
    mine, reference = Block(), Block()
    before = copy.deepcopy(mine.state_dict())
    report = check_module(mine, reference, pictures())
    assert report.outcome == "right", str(report)
    assert report.identical
    assert [name for name in quantities(report) if name.startswith("output")][-1] == "output"
    assert all(torch.equal(t, before[name]) for name, t in mine.state_dict().items()), "also running statistics"


def test_the_reference_gets_parameters_and_buffers_of_the_first() -> None:
    mine, reference = Block().eval(), Block().eval()
    reference.norm.running_mean += 3
    assert check_module(mine, reference, pictures(), power=False).identical
    without = nn.Sequential(nn.BatchNorm1d(5, track_running_stats=False)), nn.Sequential(nn.BatchNorm1d(5))
    (remark,) = check_module(*without, x_of(), power=False).remarks
    assert remark == "buffers of the reference that keep their own numbers: 0.running_mean, 0.running_var"


@pytest.mark.parametrize("is_in_place", [False, True])
def test_running_statistics_by_hand(is_in_place: bool) -> None:
    report = check_module(BatchNorm(5, is_in_place=is_in_place), nn.BatchNorm1d(5), x_of(), power=False)
    assert report.outcome == "right", str(report)
    assert {"running_mean after the call", "running_var after the call"} <= set(quantities(report))
    assert "running_mean after the call" not in quantities(
        check_module(BatchNorm(5).eval(), nn.BatchNorm1d(5).eval(), x_of(), power=False)
    )


def test_dropout_draws_the_same_numbers_on_both_sides() -> None:
    mine = nn.Sequential(nn.Linear(5, 6), nn.Dropout(), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 2))
    assert check_module(mine, copy.deepcopy(mine), x_of()).identical


def test_a_dropout_that_draws_otherwise_is_not_compared_and_the_rest_is() -> None:
    class Otherwise(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * x * (torch.rand(x.shape) < 0.5) if self.training else x

    mine = nn.Sequential(nn.Linear(5, 6), Otherwise(), nn.Linear(6, 2))
    reference = nn.Sequential(nn.Linear(5, 6), nn.Dropout(), nn.Linear(6, 2))
    report = check_module(mine, reference, x_of(), power=False)
    assert report.ok
    assert [name for name, _ in report.not_compared] == ["1 alone", "the whole pass"]
    assert "output of 2" in quantities(report)
    assert "output of 1" not in quantities(report)
    assert check_module(mine.eval(), reference.eval(), x_of(), power=False).outcome == "right"


@pytest.mark.long
def test_a_cell_that_is_called_at_each_time_has_one_row_for_all_calls() -> None:
    x = torch.randn(6, 3, 3)
    report = check_module(Recurrent(), Recurrent(), x)
    assert report.outcome == "right"
    assert [name for name in quantities(report) if "call" in name] == []
    assert {"output['ys']", "output['h']", "output of cell.w", "gradient of cell.w.weight"} <= set(quantities(report))
    assert check_module(Recurrent(), Recurrent(), {"x": x, "h": None}, power=False).ok, "by name, and None"


@pytest.mark.parametrize("state", [None, (torch.zeros(2, 2, 4), torch.randn(2, 2, 4))])
def test_several_inputs_and_outputs_in_tuples(state: Any) -> None:
    mine = nn.LSTM(3, 4, 2)
    report = check_module(mine, copy.deepcopy(mine), [torch.randn(5, 2, 3), *([state] if state else [])], power=False)
    assert report.outcome == "right"
    assert {"output[0]", "output[1][0]", "output[1][1]"} <= set(quantities(report))


@pytest.mark.long
@pytest.mark.parametrize("is_training", [True, False])
def test_attention_as_a_function_beside_a_layer_of_torch(is_training: bool) -> None:
    mine, reference = (
        Attention(8, 2).train(is_training),
        nn.MultiheadAttention(8, 2, batch_first=True).train(is_training),
    )
    x = torch.randn(3, 5, 8)

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = reference.train(is_training)

        def forward(self, x: Tensor) -> Tensor:
            return self.inside(x, x, x, need_weights=False)[0]

    report = check_module(mine, Wrapped().train(is_training), x, power=False)
    assert report.ok, str(report)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).train(is_training)
    assert check_module(layer, copy.deepcopy(layer), {"src": x}, power=False).identical


def test_shared_parameters_count_once() -> None:
    ids = torch.randint(0, 11, (4, 5))
    report = check_module(Shared(), Shared(), ids, power=False)
    assert report.outcome == "right"
    assert quantities(report).count("gradient of embedding.weight") == 1
    assert check_module(Shared(), Shared(is_shared=False), ids, power=False).ok, "the first says what is shared"


def test_parametrizations_lie_in_their_layer() -> None:
    norms = nn.utils.parametrizations
    for wrap in (norms.weight_norm, norms.spectral_norm):
        mine = nn.Sequential(wrap(nn.Linear(5, 4)), nn.ReLU())
        report = check_module(mine, copy.deepcopy(mine), x_of(), power=False)
        assert report.outcome == "right"
        assert "gradient of 0.bias" in quantities(report)


def test_modules_that_cannot_be_copied_and_those_that_hold_tensors_with_a_history() -> None:
    mine = MLP()
    mine.lock = threading.Lock()
    assert check_module(mine, sequential(), x_of(), power=False).ok
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the older function
        old, other = (nn.utils.weight_norm(nn.Linear(5, 4)) for _ in range(2))
    old(x_of())
    assert check_module(old, other, x_of(), power=False).ok


def test_what_is_kept_between_calls_on_both_sides_is_no_mistake() -> None:
    mine = Hidden()
    assert check_module(mine, Hidden(), x_of(), power=False).outcome == "right"
    assert mine.h is None
    assert mine.seen == []


def test_a_layer_of_manual_bp_inside_a_function() -> None:
    class ByLayer(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
            ctx.layer = manual_bp.Linear(w, b)
            y, ctx.saved = ctx.layer.forward(x)
            return y

        @staticmethod
        def backward(ctx: Any, d: Tensor) -> Any:
            error, gradients = ctx.layer.backward(-d, ctx.saved)
            return -error, *gradients.values()

    mine = nn.Sequential(ByHand(5, 4, ByLayer), nn.Sigmoid())
    assert check_module(mine, nn.Sequential(nn.Linear(5, 4), nn.Sigmoid()), x_of(), power=False).outcome == "right"


def test_a_reference_of_one_formula_says_what_is_not_looked_at_alone() -> None:
    report = check_module(MLP(), Functional(), x_of(), power=False)
    assert report.ok
    why = "the reference has no submodules"
    assert report.not_compared == (("one alone", why), ("act alone", why), ("two alone", why))
    assert all(row.end_to_end is None for row in report.rows), "there is one piece only"
    assert check_module(Functional(), sequential(), x_of(), power=False).outcome == "right"
