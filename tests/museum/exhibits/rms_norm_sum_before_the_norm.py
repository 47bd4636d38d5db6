"""The gradient of the residual stream goes through the norm too: it is added before, not after.

Source: https://github.com/Dao-AILab/quack/pull/53
What it did: the gradients of a fused pre-norm were wrong: what comes back beside the norm went through the norm as
well.
"""

from museum.exhibit import Exhibit, normal


def forward(x, residual, w):
    s = x + residual
    return s * (s.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * w, s


def _through_norm(d, s, w):
    r = (s.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
    k = d * w
    return r * k - r**3 * s * (k * s).mean(-1, keepdim=True), (d * s * r).sum(0)


def right(d, d_s, x, residual, w):
    d_x, d_w = _through_norm(d, x + residual, w)
    return d_s + d_x, d_s + d_x, d_w


def wrong(d, d_s, x, residual, w):
    d_x, _ = _through_norm(d_s + d, x + residual, w)
    _, d_w = _through_norm(d, x + residual, w)
    return d_x, d_x, d_w


def inputs():
    return normal((4, 7), (4, 7), (7,), seed=2)


EXHIBIT = Exhibit(
    title="pre-norm: residual through norm",
    source="https://github.com/Dao-AILab/quack/pull/53",
    check="check_function",
    guilty=("gradient of x", "gradient of residual"),
    causes=frozenset({"part-missing", "slope-not-here", "path-detached", "projection-missing"}),
)
