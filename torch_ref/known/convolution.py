"""The convolution: net (C1), the error of x (C2) and the gradients (C3); its planted faults are in a file beside."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from manual_bp import Conv2d
from torch_ref.known.convolution_faults import FAULTS
from torch_ref.known.general import other_samples
from torch_ref.known.images import OVERWRITTEN, View, of_images, of_some_windows
from torch_ref.known.registry import Formula, Known
from torch_ref.known.scene import Addition, Candidate, Candidates, Scene

FORMULAS = {
    "forward": Formula("C1", "net^{l}_cpq = Σ_dij W^{l}_cdij x^{below}_duv + b^{l}_c", "net"),
    "error": Formula("C2", "e^{below}_duv = Σ_cij W^{l}_cdij δ^{l}_cpq", "e"),
    "weight": Formula("C3", "∂L/∂W^{l}_cdij = −Σ_pq δ^{l}_cpq x^{below}_duv", "∂L/∂W"),
    "bias": Formula("C3", "∂L/∂b^{l}_c = −Σ_pq δ^{l}_cpq", "∂L/∂b"),
}


def of_forward(s: Scene) -> Iterator[Candidate | Addition]:
    """Yield the mistakes in net = W columns + b (C1)."""
    w, b, view = s.others["weight"], s.others.get("bias"), View.of(s)
    columns = view.read(s.x)
    product, right_b = _net(w, columns), 0 if b is None else b[:, None, None]
    for code, text, wrong in _kernels(w):
        yield Candidate(code, text, _net(wrong, columns) + right_b)
    if b is not None:
        yield Candidate("bias-missing", "the bias is missing", product)
        yield Candidate("bias-factor", "the bias is doubled", product + 2 * right_b)
        yield Candidate("bias-factor", "the bias has the wrong sign", product - right_b)
        for shift in (1, -1):
            text = "the bias is of the channel beside"
            yield Candidate("unit-beside", text, product + b.roll(shift)[:, None, None], {"shift": shift})
    for code, text, other in view.others():
        yield Candidate(code, text, _net(w, other.read(s.x)) + right_b)
    for name, channel in (("first", 0), ("last", -1)):
        alone = _net(w[:, [channel]], columns[:, [channel]]) + right_b
        yield Candidate("one-channel", f"one channel of x only (the {name})", alone)
    yield Candidate("mean-for-sum", "a mean over the channels of x, not their sum", product / w.shape[1] + right_b)
    pixels = product / w[0].numel() + right_b
    yield Candidate("mean-for-sum", "a mean over the pixels of the window, not their sum", pixels)
    first = "one window only (the first): all others repeat it"
    yield Candidate("one-window", first, s.right[:, :, :1, :1].expand_as(s.right))
    edges = torch.nn.functional.pad(s.x, [-view.start[1]] * 2 + [-view.start[0]] * 2, mode="replicate")
    padded = View(view.kernel, view.stride, (0, 0), (edges.shape[2], edges.shape[3]), view.windows)
    text = "the padding repeats the pixels at the edge, where zeros are meant"
    yield Candidate("wrong-padding", text, _net(w, padded.read(edges)) + right_b)
    yield from of_images(s)
    yield _stale(_net(_gradient(s.error, columns), columns))


def of_error(s: Scene) -> Iterator[Candidate | Addition]:
    """Yield the mistakes in the error of x, Wᵀ δ added up at the pixels (C2)."""
    w, e, view = s.others["weight"], s.error, View.of(s)
    right = view.added(_sent(w, e))
    for code, text, wrong in _kernels(w):
        yield Candidate(code, text, view.added(_sent(wrong, e)))
    yield Candidate("weights-without-sign", "the weights without their sign", view.added(_sent(w.abs(), e)))
    yield Candidate("weights-missing", "the weights are missing", view.added(_sent(torch.ones_like(w), e)))
    if e.shape == s.x.shape:
        yield Candidate("weights-missing", "the weights are missing", e)
    for overwritten in view.overwritten(_sent(w, e)):
        yield Candidate("windows-overwritten", OVERWRITTEN, overwritten)
    for code, text, other in view.others():
        yield Candidate(code, text, other.added(_sent(w, e)))
    for code, text, some in of_some_windows(e):
        yield Candidate(code, text, view.added(_sent(w, some)))
    for name, channel in (("first", 0), ("last", -1)):
        alone = view.added(_sent(w[[channel]], e[:, [channel]]))
        yield Candidate("one-channel", f"one channel of δ only (the {name})", alone)
    yield Candidate("mean-for-sum", "a mean over the channels of δ, not their sum", right / len(w))
    text = "divided by the number of windows that hold the pixel: their sum is meant"
    yield Candidate("mean-for-sum", text, right / view.holding(e))
    too = "σ′ is applied here too (it belongs to the activation)"
    yield Candidate("slope-not-here", too, right * s.x * (1 - s.x))
    yield from of_images(s)
    yield _stale(view.added(_sent(_gradient(e, view.read(s.x)), e)))


def of_weight(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in ∂L/∂W = −Σ δ columnsᵀ (C3)."""
    e, x, view = s.error, s.x, View.of(s)
    columns = view.read(x)
    right = _gradient(e, columns)
    for code, text, wrong in _kernels(right, back=True):
        yield Candidate(code, text, wrong)
    yield Candidate("input-missing", "x is missing", _gradient(e, view.read(torch.ones_like(x))))
    yield Candidate("input-missing", "x is missing", -e.sum((0, 2, 3))[:, None, None, None].expand_as(right))
    yield Candidate("upstream-missing", "δ is missing", _gradient(torch.ones_like(e), columns))
    if x.shape == e.shape:
        for output in (s.y, torch.sigmoid(s.y), torch.tanh(s.y), s.y.clamp_min(0)):
            text = "the output's x in place of the input's"
            yield Candidate("another-tensor", text, _gradient(e, view.read(output)))
    for name, images in other_samples(x):
        yield Candidate("wrong-sample", f"pairs the wrong sample ({name})", _gradient(e, view.read(images)))
    for code, text, some in _of_some_samples():
        yield Candidate(code, text, _gradient(e[some], columns[some]))
    for code, text, only in of_some_windows(e):
        yield Candidate(code, text, _gradient(only, columns))
    for code, text, other in view.others():
        yield Candidate(code, text, _gradient(e, other.read(x)))
    yield from _means(s, right)
    early = -torch.einsum("nc,ndij->cdij", e.sum((2, 3)), columns.sum((4, 5)))
    yield Candidate("sum-too-early", "sums over the windows before it multiplies", early)
    early = _gradient(e.sum(0, keepdim=True), columns.sum(0, keepdim=True))
    yield Candidate("broadcast-over-batch", "broadcasts over the batch: sums before it multiplies", early)
    yield Candidate("input-too-often", "x is squared", _gradient(e, columns * columns))


def of_bias(s: Scene) -> Iterator[Candidate]:
    """Yield the mistakes in ∂L/∂b = −Σ δ (C3)."""
    e = s.error
    right = -e.sum((0, 2, 3))
    for code, text, some in _of_some_samples():
        yield Candidate(code, text, -e[some].sum((0, 2, 3)))
    for code, text, only in of_some_windows(e):
        yield Candidate(code, text, -only.sum((0, 2, 3)))
    yield from _means(s, right)
    one = "broadcasts over the batch: one number for all channels"
    yield Candidate("broadcast-over-batch", one, right.sum().expand_as(right))
    yield Candidate("broadcast-over-batch", one, right.mean().expand_as(right))
    d_x = _gradient(e, View.of(s).read(s.x))
    yield Candidate("input-too-often", "x is multiplied in (the input of a bias is 1)", d_x.sum((1, 2, 3)))


# ------------------------------------------------------------------------------------------------------ the formulas


def _net(w: Tensor, columns: Tensor) -> Tensor:
    return torch.einsum("cdij,ndijpq->ncpq", w, columns)


def _sent(w: Tensor, e: Tensor) -> Tensor:
    """Return what each window sends back to each of its places."""
    return torch.einsum("cdij,ncpq->ndijpq", w, e)


def _gradient(e: Tensor, columns: Tensor) -> Tensor:
    return -torch.einsum("ncpq,ndijpq->cdij", e, columns)


def _stale(moved: Tensor) -> Addition:
    text = "stale weights: they were updated (by {share:.3g} times the gradient) before they were used"
    return Addition("stale-weights", text, moved)


def _kernels(w: Tensor, *, back: bool = False) -> Iterator[tuple[str, str, Tensor]]:
    """Yield weights (c_out, c_in, k_h, k_w) that are arranged otherwise; or with ``back`` their gradient."""
    c_out, c_in, height, width = w.shape
    yield "kernel-turned", "the kernel is turned round, by 180°", w.flip(2, 3)
    yield "kernel-turned", "the kernel is upside down", w.flip(2)
    yield "kernel-turned", "the kernel is mirrored, left to right", w.flip(3)
    if height == width:
        yield "kernel-transposed", "rows and columns of the kernel are exchanged", w.transpose(2, 3)
        yield "kernel-transposed", "the kernel is turned by 90°", w.rot90(1, (2, 3))
        yield "kernel-transposed", "the kernel is turned by 90°", w.rot90(-1, (2, 3))
    if c_in == c_out:
        yield "transposed-weights", "transposed weights: the channels in and out are exchanged", w.transpose(0, 1)
        both = "transposed weights, and the kernel is turned round"
        yield "transposed-weights", both, w.transpose(0, 1).flip(2, 3)
    yield "unit-beside", "the weights of the channel beside", w.roll(1, 0)
    yield "unit-beside", "the weights of the channel beside", w.roll(-1, 0)
    yield "columns-mixed", "the channels of x are in reverse order", w.flip(1)
    pixels_first = "the columns have another order than the weights: pixel by pixel, where channel by channel is meant"
    moved = (
        w.permute(0, 2, 3, 1).reshape(w.shape) if back else w.reshape(c_out, height, width, c_in).permute(0, 3, 1, 2)
    )
    yield "columns-mixed", pixels_first, moved


def _of_some_samples() -> Iterator[tuple[str, str, slice]]:
    yield "one-sample", "one sample only (the first)", slice(0, 1)
    yield "one-sample", "one sample only (the last)", slice(-1, None)
    yield "sample-missing", "the last sample is missing", slice(0, -1)
    yield "sample-missing", "the first sample is missing", slice(1, None)


def _means(s: Scene, right: Tensor) -> Iterator[Candidate]:
    """Yield the gradient with a mean in place of a sum."""
    windows = s.y.shape[2] * s.y.shape[3]
    yield Candidate("mean-for-sum", "a mean over the windows, where their sum is meant", right / windows)
    text = "a mean over the samples and the windows, where their sum is meant"
    yield Candidate("mean-for-sum", text, right / (s.n * windows))


CAUSES: dict[str, Candidates] = {"forward": of_forward, "error": of_error, "weight": of_weight, "bias": of_bias}


def _for_images(causes: Candidates) -> Candidates:
    """Return the same causes, and none where x is no image: a layer that inherits from Conv2d may take others."""
    return lambda s: causes(s) if s.x.ndim == s.error.ndim == s.y.ndim == 4 else iter(())


CONVOLUTION = Known(
    Conv2d, FORMULAS, {made: _for_images(causes) for made, causes in CAUSES.items()}, FAULTS, chapter="convolution"
)
