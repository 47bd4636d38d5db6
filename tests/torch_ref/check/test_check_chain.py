"""check_chain: of many gradients by hand exactly those are accused whose own formula is wrong."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from torch_ref import assert_gradients_match, check_chain

DTYPES = (torch.float32, torch.float64)


def network(dtype=torch.float32, **wrong):
    """Return the loss of two layers and every value with its gradient; a formula of the same name is put in."""
    torch.manual_seed(0)
    x, t = torch.randn(8, 5, dtype=dtype), torch.randint(0, 3, (8,))
    w1, w2 = (torch.randn(*shape, dtype=dtype).requires_grad_() for shape in ((5, 4), (4, 3)))
    z = x @ w1
    h = torch.tanh(z)
    y = h @ w2
    loss = cross_entropy(y, t)
    found = {}
    with torch.no_grad():
        formulas = {
            "y": lambda: (torch.softmax(y, 1) - one_hot(t, 3)) / 8,
            "w2": lambda: h.T @ found["y"],
            "h": lambda: found["y"] @ w2.T,
            "z": lambda: found["h"] * (1 - h**2),
            "w1": lambda: x.T @ found["z"],
        }
        for name, formula in formulas.items():
            found[name] = wrong.get(name, lambda right: right)(formula())
    values = {"y": y, "w2": w2, "h": h, "z": z, "w1": w1}
    return loss, {name: (values[name], found[name]) for name in values}


def guilty(report):
    return [row.quantity.removeprefix("gradient of ") for row in report.guilty]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_right_chain_is_accepted_and_says_what_it_would_have_seen(dtype):
    report = check_chain(*network(dtype))
    assert report.ok
    assert report.outcome == "right"
    assert report.power.factor < 1e-4
    assert report.power.entry < 1e-2
    assert_gradients_match(report)


@pytest.mark.long(but=3)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["y", "w2", "h", "z", "w1"])
def test_one_wrong_formula_is_one_accusation(name, dtype):
    report = check_chain(*network(dtype, **{name: lambda right: 1.01 * right}))
    assert guilty(report) == [name]
    assert report.guilty[0].cause == "a constant factor of 1.01"


def test_what_follows_from_a_wrong_formula_is_a_consequence_and_right_by_itself():
    report = check_chain(*network(h=lambda right: -right))
    assert [row.quantity for row in report.consequences] == ["gradient of z", "gradient of w1"]
    assert "Consequences, each right by itself: gradient of z, gradient of w1." in report.verdict
    assert report.guilty[0].code == "wrong-sign"


def test_two_wrong_formulas_are_two_accusations_in_the_order_of_the_backward_pass():
    assert guilty(check_chain(*network(w1=lambda d: 2 * d, y=lambda d: 2 * d))) == ["y", "w1"]


def test_the_rows_stand_in_the_order_of_the_backward_pass():
    loss, named = network()
    shuffled = {name: named[name] for name in ("w1", "y", "z", "w2", "h")}
    order = [row.quantity.removeprefix("gradient of ") for row in check_chain(loss, shuffled).rows]
    assert order.index("y") < order.index("h") < order.index("z") < order.index("w1")
    assert order.index("y") < order.index("w2")


def branches():
    """Return a value that is used three times, the loss, and what comes back through each use."""
    torch.manual_seed(1)
    x = torch.randn(6, 4).requires_grad_()
    h = x * 1.0
    a, b, c = h * h.detach() + 1, torch.sin(h), torch.exp(h)
    loss = (a * torch.randn(6, 4) + b * torch.randn(6, 4) + c * torch.randn(6, 4)).sum()
    d_a, d_b, d_c = torch.autograd.grad(loss, (a, b, c), retain_graph=True)
    with torch.no_grad():
        parts = {"a": d_a * h, "b": d_b * torch.cos(h), "c": d_c * torch.exp(h)}
    named = {"a": (a, d_a), "b": (b, d_b), "c": (c, d_c)}
    return loss, h, named, parts


@pytest.mark.parametrize("missing", [("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c")])
def test_the_part_that_is_missing_is_named(missing):
    loss, h, named, parts = branches()
    d_h = sum(part for name, part in parts.items() if name not in missing)
    report = check_chain(loss, named | {"h": (h, d_h)})
    assert guilty(report) == ["h"]
    assert report.guilty[0].code == "part-missing"
    assert sorted(report.guilty[0].why.numbers["through"]) == list(missing)
    assert f"through {' and '.join(report.guilty[0].why.numbers['through'])} is missing" in report.verdict


def test_a_part_that_is_added_twice_is_named():
    loss, h, named, parts = branches()
    report = check_chain(loss, named | {"h": (h, sum(parts.values()) + parts["b"])})
    assert (report.guilty[0].code, report.guilty[0].why.numbers["through"]) == ("part-twice", ["b"])


def test_the_loss_itself_is_named_where_nothing_named_lies_between():
    loss, h, _, parts = branches()
    report = check_chain(loss, {"h": (h, parts["a"] + parts["b"])})
    assert "through the exp that leads to the loss is missing" in report.verdict


@pytest.mark.long(but=2)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrong", [1.0, 2.0, -1.0, 0.0])
def test_a_gradient_that_is_zero_in_exact_arithmetic_needs_no_excuse(dtype, wrong):
    torch.manual_seed(2)
    x, b = torch.randn(50, 4, dtype=dtype), torch.randn(4, dtype=dtype).requires_grad_()
    z = x + b
    loss = ((z - z.mean(0)) ** 3).sum()
    (d_z,) = torch.autograd.grad(loss, z, retain_graph=True)
    report = check_chain(loss, {"z": (z, d_z), "b": (b, wrong * d_z.sum(0))})
    assert report.ok, str(report)
    assert not check_chain(loss, {"z": (z, d_z), "b": (b, d_z[0])}).ok


def test_one_row_and_one_entry_among_many_are_seen():
    def one_row(d):
        return torch.cat([1.001 * d[:1], d[1:]])

    def one_entry(d):
        return d + torch.zeros_like(d).index_put((torch.tensor(2), torch.tensor(1)), 1e-3 * d.abs().max())

    for change in (one_row, one_entry):
        assert guilty(check_chain(*network(w1=change))) == ["w1"]


def test_numpy_arrays_and_numbers_may_be_gradients():
    loss, named = network(torch.float32)
    arrays = {name: (value, d.double().numpy()) for name, (value, d) in named.items()}
    assert check_chain(loss, arrays | {"loss": (loss, 1.0)}).ok
    assert guilty(check_chain(loss, {"loss": (loss, 2)})) == ["loss"]


@pytest.mark.parametrize("gradient", [None, "d", [1.0], True, np.array(["a"])])
def test_what_is_no_gradient_is_accused_and_nobody_else(gradient):
    loss, named = network()
    report = check_chain(loss, named | {"h": (named["h"][0], gradient)})
    assert guilty(report) == ["h"]
    assert report.guilty[0].code == "wrong-return"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda d: d.T, "wrong-shape"),
        (lambda d: d[None], "wrong-shape"),
        (lambda d: d.double(), "wrong-dtype"),
        (lambda d: d * math.nan, "not-finite"),
        (lambda d: d.to("meta"), "wrong-device"),
    ],
)
def test_what_cannot_be_compared_is_accused_and_nobody_else(change, code):
    loss, named = network()
    report = check_chain(loss, named | {"h": (named["h"][0], change(named["h"][1]))})
    assert (guilty(report), report.guilty[0].code) == (["h"], code)


def test_a_copy_that_the_loss_is_not_made_of_is_named_and_not_compared():
    loss, named = network()
    report = check_chain(loss, named | {"copy": (named["h"][0] * 1, named["h"][1])})
    assert report.ok
    assert [name for name, _ in report.not_compared] == ["gradient of copy"]
    assert "it may be a copy, or detached" in report.verdict


def test_an_output_takes_its_upstream_gradient():
    torch.manual_seed(3)
    x, w = torch.randn(5, 3), torch.randn(3, 2).requires_grad_()
    y, d_y = x @ w, torch.randn(5, 2)
    assert check_chain(y, {"w": (w, x.T @ d_y)}, upstream=d_y).ok
    assert not check_chain(y, {"w": (w, x.T @ torch.ones(5, 2))}, upstream=d_y).ok


def test_a_tolerance_of_ones_own_and_strict():
    loss, named = network(torch.float64, h=lambda d: d * (1 + 1e-7))
    report = check_chain(loss, named)
    assert report.outcome == "right, with remarks"
    assert "agrees to 6 digits" in report.verdict or "agrees to 7 digits" in report.verdict
    assert guilty(check_chain(loss, named, strict=True)) == ["h"]
    loss, named = network(torch.float64, h=lambda d: d * 1.01)
    assert check_chain(loss, named, tolerance={torch.float64: 0.05}).ok
    assert not check_chain(loss, named, tolerance={torch.float64: 0.005}).ok


def test_two_names_of_one_tensor_are_two_rows():
    loss, named = network()
    (value, d) = named["h"]
    assert check_chain(loss, named | {"also": (value, d.clone())}).ok
    assert guilty(check_chain(loss, named | {"also": (value, 2 * d)})) == ["also"]


def test_nothing_is_changed_and_the_graph_stays():
    loss, named = network()
    before = {name: (value.detach().clone(), d.clone()) for name, (value, d) in named.items()}
    check_chain(loss, named)
    for name, (value, d) in named.items():
        assert torch.equal(value, before[name][0])
        assert torch.equal(d, before[name][1])
        assert value.is_leaf is False or value.grad is None
    loss.backward()
    torch.testing.assert_close(named["w1"][0].grad, named["w1"][1])


def test_the_report_as_json_and_as_text():
    report = check_chain(*network(z=lambda d: 2 * d))
    row = next(row for row in report.to_dict()["rows"] if row["blame"])
    assert (row["quantity"], row["code"], row["status"]) == ("gradient of z", "factor", "wrong")
    assert "formula alone: given what is by hand behind it" in " ".join(str(report).split())


# ---------------------------------------------------------------------------------------- wrong input


def test_each_wrong_input_gets_one_clear_error():
    loss, named = network()
    h, d_h = named["h"]
    for arguments, error, text in (
        ((loss.item(), named), TypeError, "have no history"),
        ((loss.detach(), named), ValueError, "autograd has followed"),
        ((h, named), ValueError, "give upstream="),
        ((loss, [h]), TypeError, "by name"),
        ((loss, {}), ValueError, "at least one value"),
        ((loss, {"h": h}), TypeError, "as a pair"),
        ((loss, {"h": (h.detach().numpy(), d_h)}), TypeError, "as a tensor of the graph"),
        ((loss, {"h": (h.detach(), d_h)}), ValueError, "h has no history"),
        ((loss, {"h": (h * 1, d_h)}), ValueError, "that the loss is made of"),
    ):
        with pytest.raises(error, match=text):
            check_chain(*arguments)


def test_an_upstream_gradient_of_another_shape_is_refused():
    y = torch.randn(5, 3, requires_grad=True) * 2
    with pytest.raises(ValueError, match="of the output's shape"):
        check_chain(y, {"y": (y, y)}, upstream=torch.ones(5))


def test_a_graph_that_was_freed_is_named():
    loss, named = network()
    loss.backward()
    with pytest.raises(ValueError, match="before loss"):
        check_chain(loss, named)


def test_a_value_that_was_changed_in_place_after_the_forward_pass_is_named():
    torch.manual_seed(0)
    x = torch.randn(4, requires_grad=True)
    h = torch.exp(x)
    loss = h.sum()
    with torch.no_grad():
        h.mul_(2)
    with pytest.raises(ValueError, match="as the forward pass left them"):
        check_chain(loss, {"x": (x, torch.ones(4))})


@pytest.mark.parametrize(
    ("d_z", "right"), [([0.0, 2, 0, 0], True), ([1.0, 2, 0, 4], True), ([0.5, 2, 0, 0], True), ([0.0, 2, 0, 8], False)]
)
def test_at_a_kink_of_relu_every_value_between_is_right(d_z, right):
    x = torch.tensor([0.0, 1.0, -1.0, 0.0], requires_grad=True)
    z = x * 2
    y = torch.relu(z)
    loss = (y * torch.arange(1.0, 5)).sum()
    report = check_chain(loss, {"z": (z, torch.tensor(d_z))})
    assert report.ok is right
    if right and d_z[0]:
        assert "at a kink: any value from 0 to 1 is right" in report.verdict
        assert report.power.factor > 1e-7
    assert not check_chain(loss, {"z": (z, torch.tensor(d_z))}, tolerance={torch.float32: 1e-6}).ok or not d_z[0]


@pytest.mark.long(but=3)
@pytest.mark.parametrize(
    ("function", "at", "slopes"),
    [
        (torch.relu, 0.0, (0, 1)),
        (torch.abs, 0.0, (-1, 1)),
        (torch.nn.functional.leaky_relu, 0.0, (0.01, 1)),
        (lambda z: torch.maximum(torch.zeros(3), z), 0.0, (0, 1)),
        (lambda z: torch.minimum(z, torch.full((3,), 2.0)), 2.0, (0, 1)),
        (lambda z: z.clamp(min=-1), -1.0, (0, 1)),
        (lambda z: z.clamp(-1, 2), 2.0, (0, 1)),
        (torch.nn.functional.relu6, 6.0, (0, 1)),
    ],
)
def test_kinks_of_operations(function, at, slopes):
    x = torch.tensor([at, 0.3, -0.7], requires_grad=True)
    z = x * 1.0
    loss = (function(z) * 3).sum()
    (right,) = torch.autograd.grad(loss, z, retain_graph=True)
    for slope in (*slopes, sum(slopes) / 2):
        d = right.clone()
        d[0] = 3 * slope
        assert check_chain(loss, {"z": (z, d)}).ok
    low, high = 3 * min(slopes) - right[0].item(), 3 * max(slopes) - right[0].item()
    for change in ([low - 0.02, 0, 0], [high + 0.02, 0, 0], [0, 0.5, 0]):
        assert not check_chain(loss, {"z": (z, right + torch.tensor(change))}).ok


def last_of_ties(d, z):
    at = z.shape[1] - 1 - (z == z.amax(1, keepdim=True)).flip(1).int().argmax(1)
    return torch.zeros_like(z).scatter(1, at[:, None], d[:, None])


def shared_by_ties(d, z):
    among = (z == z.amax(1, keepdim=True)).double()
    return d[:, None] * among / among.sum(1, keepdim=True)


LARGEST = {
    "amax": (lambda z: z.amax(1), 1),
    "amax, kept": (lambda z: z.amax(-1, keepdim=True)[:, 0], 1),
    "max": (lambda z: z.max(1).values, 1),
    "amin": (lambda z: z.amin(1), -1),
    "min": (lambda z: z.min(1)[0], -1),
}


@pytest.mark.long(but=1)
@pytest.mark.parametrize("name", LARGEST)
def test_the_gradient_of_the_largest_of_many_is_one_s_or_shared_and_given_once(name):
    x = torch.randint(0, 2, (3, 60)).double().requires_grad_()
    z = x * 2
    function, sign = LARGEST[name]
    y = function(z)
    d_y = torch.tensor([1.0, 2.0, -3.0]).double()
    loss, values = (y * d_y).sum(), sign * z.detach()

    def ok(d_z):
        return check_chain(loss, {"z": (z, d_z), "x": (x, 2 * d_z)}).ok

    one, all_of_them = last_of_ties(d_y, values), shared_by_ties(d_y, values)
    assert ok(one)
    assert ok(all_of_them)
    assert ok(0.25 * one + 0.75 * all_of_them)
    each = d_y[:, None] * (values == values.amax(1, keepdim=True))
    half = one * torch.tensor([1.0, 0.9, 1.0]).double()[:, None]
    for wrong in (each, one + all_of_them, 1.02 * one, half, last_of_ties(d_y, -values)):
        assert not ok(wrong)


def test_the_largest_of_all_numbers_is_one_or_shared():
    z = torch.zeros(7, dtype=torch.float64, requires_grad=True)
    one = torch.eye(7, dtype=torch.float64)[3]
    for d, is_right in ((one, True), (0.5 * one, False), (torch.ones(7).double(), False), (torch.ones(7) / 7, True)):
        assert check_chain(z.max(), {"z": (z, d.double())}).ok is is_right


def test_what_is_right_in_the_plain_pass_is_right_although_something_wrong_was_handed_on():
    loss, named = network()
    value, d_h = named["h"]
    report = check_chain(loss, named | {"h": (value, 2 * d_h)})  # scaled after z was computed from it
    assert guilty(report) == ["h"]
    assert not report.consequences
