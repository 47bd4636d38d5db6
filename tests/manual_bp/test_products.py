"""A linear layer whose products another library computes: Linear's numbers within rounding, in any layout."""

import warnings
from types import SimpleNamespace

import pytest
import torch
from cases import DTYPES, assert_close, assert_identical
from torch import Tensor

from manual_bp import LibraryLinear, Linear
from manual_bp.layer import parameters
from manual_bp.products import LIBRARIES, MKLDNN, NUMPY, Library, _mkldnn_is_here

every_library = pytest.mark.parametrize("library", LIBRARIES.values(), ids=list(LIBRARIES))
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])


def drawn(
    rows: int, n_in: int, n_out: int, dtype: torch.dtype, library: Library, *, bias: bool
) -> tuple[LibraryLinear, Tensor, Tensor]:
    """Return a layer, an x and an error of net."""
    b = torch.randn(n_out, dtype=dtype) if bias else None
    layer = LibraryLinear(torch.randn(n_out, n_in, dtype=dtype), b, library=library)
    return layer, torch.randn(rows, n_in, dtype=dtype), torch.randn(rows, n_out, dtype=dtype)


def everything(layer: Linear, x: Tensor, error: Tensor, out=(None, None)) -> dict[str, Tensor]:
    net, saved = layer.forward(x, out=out[0])
    error_of_x, gradients = layer.backward(error, saved, out=out[1])
    return {"net": net, "error of x": error_of_x, **gradients}


def assert_right(layer: LibraryLinear, x: Tensor, error: Tensor) -> None:
    """Raise unless all that it computes is what Linear computes in float64."""
    exact = Linear(*(p.double() for p in parameters(layer).values()))
    expected = everything(exact, x.double(), error.double())
    found = everything(layer, x, error)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value.dtype == x.dtype
        assert_close(value.double(), expected[name], 100 * torch.finfo(x.dtype).eps, name)


@every_library
@every_dtype
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rows", "n_in", "n_out"), [(1, 1, 1), (1, 5, 3), (7, 1, 9), (9, 6, 1), (33, 17, 5)])
def test_all_sizes_in_every_mode(
    library: Library, dtype: torch.dtype, bias: bool, rows: int, n_in: int, n_out: int
) -> None:
    for mode in (torch.inference_mode, torch.no_grad, torch.enable_grad):
        with mode():
            assert_right(*drawn(rows, n_in, n_out, dtype, library, bias=bias))


LAYOUTS = {
    "column by column": lambda t: t.t().contiguous().t(),
    "every second row": lambda t: t.repeat_interleave(2, 0)[::2],
    "every second column": lambda t: t.repeat_interleave(2, 1)[:, ::2],
    "inside a larger tensor": lambda t: torch.nn.functional.pad(t, (3, 2, 1, 1))[1:-1, 3:-2],
    "one row for all": lambda t: t[:1].expand_as(t),
    "one column for all": lambda t: t[:, :1].expand_as(t),
    "at an odd address": lambda t: torch.cat([t.new_zeros(1), t.flatten()])[1:].view(t.shape),
    "of complex numbers": lambda t: torch.complex(t, t).real,
    "with a sign that waits": lambda t: torch.complex(t, -t).conj().imag,
}


@every_library
@every_dtype
@pytest.mark.parametrize("of_x", LAYOUTS)
def test_all_layouts_in_memory(library: Library, dtype: torch.dtype, of_x: str) -> None:
    layer, x, error = drawn(13, 9, 7, dtype, library, bias=True)
    for of_error in LAYOUTS.values():
        assert_right(layer, LAYOUTS[of_x](x), of_error(error))


@every_library
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if "for all" not in name and "sign" not in name])
def test_out_is_written_in_any_layout_and_every_number_is_new(library: Library, layout: str) -> None:
    layer, x, error = drawn(13, 9, 7, torch.float32, library, bias=True)
    expected = everything(layer, x, error)
    room = {
        name: LAYOUTS[layout](torch.full_like(value, torch.nan)) for name, value in expected.items() if value.ndim == 2
    }
    gradients = {"weight": room["weight"], "bias": torch.full_like(expected["bias"], torch.nan)}
    found = everything(layer, x, error, out=((room["net"], x), (room["error of x"], gradients)))
    for name, value in room.items():
        assert found[name] is value
        assert_close(value, expected[name], 1e-5, name)  # numpy multiplies the other way round into columns


def test_the_library_computes_all_three_products() -> None:
    seen: list[tuple[int, ...]] = []

    def multiply(a, b, c, sign, out):
        seen.append((*a.shape, b.shape[1], sign, c is not None))
        return NUMPY.multiply(a, b, c, sign, out)

    watched = Library("watched", (torch.float32,), multiply, lambda: True)
    layer, x, error = drawn(4, 5, 3, torch.float32, watched, bias=True)
    everything(layer, x, error)
    assert seen == [(4, 5, 3, 1, True), (4, 3, 5, 1, False), (3, 4, 5, -1, False)]
    layer.gradients(error, x)
    assert seen[3:] == [(3, 4, 5, -1, False)]


# ---------------------------------------------------------------------------------------------------- where torch does


def assert_is_linear(layer: LibraryLinear, x: Tensor, error: Tensor) -> None:
    """Raise unless it is Linear to the last bit, for an x that lies column by column too."""
    plain = Linear(layer.weight, layer.bias)
    for given in (x, x.t().contiguous().t()):
        expected = everything(plain, given, error)
        for name, value in everything(layer, given, error).items():
            assert_identical(value, expected[name], name)


@pytest.mark.parametrize("operators", [SimpleNamespace(), SimpleNamespace(_linear_pointwise=lambda x, w, b: x @ w.t())])
def test_without_the_operator_or_with_another_form_of_it_torch_multiplies(
    operators: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x, error = drawn(33, 300, 17, torch.float32, MKLDNN, bias=True)
    monkeypatch.setattr(torch.ops, "mkldnn", operators)
    _mkldnn_is_here.cache_clear()
    try:
        assert not MKLDNN.is_here()
        assert_is_linear(layer, x, error)
    finally:
        _mkldnn_is_here.cache_clear()


def test_the_operator_is_found_whatever_dtype_is_the_default() -> None:
    expected = MKLDNN.is_here()
    _mkldnn_is_here.cache_clear()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        assert MKLDNN.is_here() == expected
    finally:
        torch.set_default_dtype(before)


@every_library
def test_a_dtype_that_the_library_has_not_is_torch_s(library: Library) -> None:
    assert_is_linear(*drawn(33, 300, 17, torch.bfloat16, library, bias=True))
    assert_is_linear(*drawn(33, 300, 17, torch.bfloat16, library, bias=False))


def test_mkldnn_leaves_float64_to_torch() -> None:
    assert_is_linear(*drawn(33, 300, 17, torch.float64, MKLDNN, bias=True))


@every_library
def test_another_device_is_torch_s(library: Library) -> None:
    layer = LibraryLinear(torch.empty(3, 5, device="meta"), library=library)
    assert not layer._takes(torch.empty(4, 5, device="meta"))
    assert layer.forward(torch.empty(4, 5, device="meta"))[0].is_meta


@every_library
@pytest.mark.parametrize("bias", [True, False])
def test_autograd_sees_through_the_layer(library: Library, bias: bool) -> None:
    """What it follows, torch multiplies: a library would cut the history without a word."""
    layer, x, error = drawn(4, 5, 3, torch.float32, library, bias=bias)
    leaves = x.requires_grad_(), error.requires_grad_()
    found, expected = (everything(made, *leaves) for made in (layer, Linear(layer.weight, layer.bias)))
    for name, value in found.items():
        given = (x,) if name == "net" else leaves if name == "weight" else (error,)
        theirs = torch.autograd.grad(expected[name].square().sum(), given)
        for mine, other in zip(torch.autograd.grad(value.square().sum(), given), theirs, strict=True):
            assert_close(mine, other, 1e-6, name)


@every_library
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(4, 6), r"Linear expects x of shape \(N, 5\), got \(4, 6\)"),
        (torch.zeros(0, 5), "got an empty batch"),
        (torch.zeros(4, 5, device="meta"), "Linear expects x on device cpu, got meta"),
        (torch.zeros(4, 5).double(), "Linear expects x of dtype torch.float32, got torch.float64"),
        ([[1.0] * 5], "Linear expects x as a torch.Tensor, got list"),
    ],
)
def test_wrong_input_is_named_as_linear_names_it(library: Library, x, message: str) -> None:
    layer, right, error = drawn(4, 5, 3, torch.float32, library, bias=True)
    with pytest.raises((TypeError, ValueError), match=message):
        layer.forward(x)
    with pytest.raises((TypeError, ValueError), match="Linear expects the error of net"):
        layer.backward(error[:, :2], right)
    with pytest.raises((TypeError, ValueError), match="Linear expects the error of net"):
        layer.backward(error.double(), right)


@every_library
def test_another_dtype_is_refused_where_out_is_given_too(library: Library) -> None:
    """numpy would round float64 into a float32 out without a word."""
    layer, x, error = drawn(4, 5, 3, torch.float32, library, bias=True)
    step = layer.forward(x)
    back = layer.backward(error, x)
    with pytest.raises(RuntimeError):
        layer.forward(x.double(), out=step)
    with pytest.raises(RuntimeError):
        layer.backward(error.double(), x, out=back)
    with pytest.raises(RuntimeError):
        layer.gradients(error, x.double(), out=back[1])


@every_library
def test_a_library_warns_of_no_infinity(library: Library) -> None:
    layer, x, error = drawn(4, 5, 3, torch.float32, library, bias=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net, _ = layer.forward(x.fill_(3e38))
        everything(layer, x, error.fill_(torch.inf))
    assert not torch.isfinite(net).all()
