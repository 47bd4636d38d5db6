"""Matrix functions, einsum, outer products and distances."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class BilinearForm:
    """xᵀ A y for each pair of rows."""

    def forward(self, x: Tensor, a: Tensor, y: Tensor) -> Tensor:
        return torch.einsum("ni,ij,nj->n", x, a, y)

    def backward(self, d: Tensor, x: Tensor, a: Tensor, y: Tensor) -> Any:
        d_x = torch.einsum("n,ij,nj->ni", d, a, y)
        d_a = torch.einsum("n,ni,nj->ij", d, x, y)
        d_y = torch.einsum("n,ni,ij->nj", d, x, a)
        return d_x, d_a, d_y

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(11, 4), g.normal(4, 4), g.normal(11, 4)

    mistakes = (
        wrong("a transposed for x", '"n,ij,nj->ni"', '"n,ji,nj->ni"', "transposed-weights"),
        wrong("a's gradient transposed", '"n,ni,nj->ij"', '"n,ni,nj->ji"', "transposed swapped"),
        wrong("product of sums", '"n,ni,nj->ij", d, x, y', '"n,ni,mj->ij", d, x, y', "broadcast-over-batch"),
        wrong(
            "upstream forgotten", 'torch.einsum("n,ni,ij->nj", d, x, a)', "x @ a", "upstream-missing upstream-ignored"
        ),
        wrong("upstream squared", '"n,ni,nj->ij", d,', '"n,ni,nj->ij", d * d,', "upstream-twice"),
        wrong("mean over the samples", "return d_x, d_a,", "return d_x, d_a / len(d),", MEAN),
        wrong("x and y exchanged", "d_x, d_a, d_y\n", "d_y, d_a, d_x\n", "another-gradient swapped"),
        wrong("x for y", "d, x, y)", "d, x, x)", "another-tensor input-too-often"),
        wrong(
            "last sample left out",
            'torch.einsum("n,ni,nj->ij", d, x, y)',
            'torch.einsum("n,ni,nj->ij", d[:-1], x[:-1], y[:-1])',
            "sample-missing",
        ),
        wrong("a forgotten", 'torch.einsum("n,ij,nj->ni", d, a, y)', "d[:, None] * y", "weights-missing"),
    )


class OuterSum:
    """u vᵀ + s: vectors, a matrix of scales, and one number, each broadcast."""

    def forward(self, u: Tensor, v: Tensor, s: Tensor) -> Tensor:
        return torch.outer(u, v) * s

    def backward(self, d: Tensor, u: Tensor, v: Tensor, s: Tensor) -> Any:
        d_u = s * (d @ v)
        d_v = s * (d.T @ u)
        d_s = (d * torch.outer(u, v)).sum()
        return d_u, d_v, d_s

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6), g.normal(6, scale=10), torch.tensor(0.3)

    mistakes = (
        wrong("other axis", "d.T @ u", "d @ u", "another-axis transposed transposed-weights swapped"),
        wrong("exchanged", "d_u, d_v, d_s\n", "d_v, d_u, d_s\n", "another-gradient swapped"),
        wrong("scale forgotten", "s * (d @ v)", "d @ v", "factor"),
        wrong("mean for the scale", ".sum()", ".mean()", MEAN),
        wrong("mean over the columns", "(d @ v)", "(d @ v) / len(v)", MEAN),
        wrong("v forgotten", "d @ v", "d.sum(1)", "input-missing weights-missing"),
        wrong(
            "diagonal for the scale",
            "(d * torch.outer(u, v)).sum()",
            "(d.diagonal() * u * v).sum()",
            "term-missing part-missing step-missing",
        ),
        wrong("u for v", "(d @ v)", "(d @ u)", "another-tensor swapped"),
    )


class PairDistances:
    """‖x_i − y_j‖ of all pairs."""

    def forward(self, x: Tensor, y: Tensor) -> Any:
        return (x[:, None] - y).norm(dim=2)

    def backward(self, d: Tensor, x: Tensor, y: Tensor) -> Any:
        gaps = x[:, None] - y
        far = gaps.norm(dim=2)
        each = (d / far)[..., None] * gaps
        return each.sum(1), -each.sum(0)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(7, 3), g.normal(7, 3)

    mistakes = (
        wrong(
            "sums exchanged",
            "each.sum(1), -each.sum(0)",
            "each.sum(0), -each.sum(1)",
            "another-axis another-gradient swapped",
        ),
        wrong("same sign", "-each.sum(0)", "each.sum(0)", "wrong-sign"),
        wrong("square root forgotten", "(d / far)", "(2 * d)", "wrong-power slope-missing another-function"),
        wrong("distance squared below", "(d / far)", "(d / far**2)", "wrong-power slope-twice"),
        wrong("mean over the pairs", "each.sum(1),", "each.mean(1),", MEAN),
        wrong("both by x", "-each.sum(0)", "-each.sum(1)", "another-axis another-gradient wrong-sign"),
        wrong(
            "y forgotten",
            "each = (d / far)[..., None] * gaps",
            "each = (d / far)[..., None] * x[:, None]",
            "term-missing part-missing another-tensor",
        ),
        wrong("first partner left out", "each.sum(1),", "each[:, 1:].sum(1),", "step-missing sample-missing"),
        wrong("upstream forgotten", "(d / far)", "(1 / far)", "upstream-missing upstream-ignored"),
    )


class GaussianKernel:
    """exp(−γ ‖x_i − c_j‖²), γ to be learned."""

    def forward(self, x: Tensor, c: Tensor, gamma: Tensor) -> Tensor:
        return torch.exp(-gamma * ((x[:, None] - c) ** 2).sum(2))

    def backward(self, d: Tensor, x: Tensor, c: Tensor, gamma: Tensor) -> Any:
        gaps = x[:, None] - c
        r2 = (gaps**2).sum(2)
        k = torch.exp(-gamma * r2)
        d_e = d * k
        d_x = -2 * gamma * (d_e[..., None] * gaps).sum(1)
        d_c = 2 * gamma * (d_e[..., None] * gaps).sum(0)
        d_gamma = -(d_e * r2).sum()
        return d_x, d_c, d_gamma

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(12, 2), g.normal(5, 2), torch.tensor(0.4)

    mistakes = (
        wrong("two forgotten", "-2 * gamma", "-gamma", "factor"),
        wrong("gamma forgotten", "d_c = 2 * gamma *", "d_c = 2 *", "factor"),
        wrong("kernel forgotten", "d * k", "d", "slope-missing"),
        wrong("mean over the samples", "* gaps).sum(0)", "* gaps).mean(0)", MEAN),
        wrong("mean over the centres", "* gaps).sum(1)", "* gaps).mean(1)", MEAN),
        wrong("sign for the centres", "d_c = 2", "d_c = -2", "wrong-sign"),
        wrong("distance for its square", "(d_e * r2)", "(d_e * r2.sqrt())", "wrong-power"),
        wrong("mean for gamma", "(d_e * r2).sum()", "(d_e * r2).mean()", MEAN),
        wrong("upstream squared", "-(d_e * r2)", "-(d * d_e * r2)", "upstream-twice"),
        wrong("kernel twice", "d * k", "d * k * k", "slope-twice wrong-power"),
        wrong("distance forgotten for gamma", "(d_e * r2)", "d_e", "input-missing term-missing"),
    )


class Inverse:
    """A⁻¹ B."""

    def forward(self, a: Tensor, b: Tensor) -> Any:
        return torch.linalg.solve(a, b)

    def backward(self, d: Tensor, a: Tensor, b: Tensor) -> Any:
        y = torch.linalg.solve(a, b)
        d_b = torch.linalg.solve(a.T, d)
        d_a = -d_b @ y.T
        return d_a, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 5) + 4 * torch.eye(5), g.normal(5, 5)

    mistakes = (
        wrong("a not transposed", "(a.T, d)", "(a, d)", "transposed transposed-weights"),
        wrong("sign", "-d_b @", "d_b @", "wrong-sign"),
        wrong("right side for the solution", "d_b @ y.T", "d_b @ b.T", "another-tensor"),
        wrong("transposed", "-d_b @ y.T", "-y @ d_b.T", "transposed swapped"),
        wrong("y not transposed", "d_b @ y.T", "d_b @ y", "transposed transposed-weights"),
        wrong(
            "upstream for what came through", "-d_b @ y.T", "-d @ y.T", "another-tensor weights-missing slope-missing"
        ),
        wrong("exchanged", "return d_a, d_b", "return d_b, d_a", "another-gradient swapped"),
        wrong(
            "product with a",
            "torch.linalg.solve(a.T, d)",
            "a.T @ d",
            "slope-divided another-tensor another-function wrong-power",
        ),
    )


class LogVolume:
    """ln |det A| + one quadratic form xᵀ A x; no batch anywhere."""

    def forward(self, a: Tensor, x: Tensor) -> Any:
        return torch.linalg.slogdet(a)[1] + x @ a @ x

    def backward(self, d: Tensor, a: Tensor, x: Tensor) -> Any:
        d_a = torch.linalg.inv(a).T + torch.outer(x, x)
        d_x = (a + a.T) @ x
        return d * d_a, d * d_x

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 4), g.normal(4)

    mistakes = (
        wrong("inverse not transposed", "inv(a).T", "inv(a)", "transposed transposed-weights"),
        wrong("determinant's part forgotten", "torch.linalg.inv(a).T + ", "", PART),
        wrong("quadratic part forgotten", " + torch.outer(x, x)", "", PART),
        wrong("as if a were symmetric", "(a + a.T) @ x", "2 * a @ x", "transposed-weights transposed part-twice"),
        wrong("one side of the form", "(a + a.T) @ x", "a @ x", PART),
        wrong("matrix for the inverse", "torch.linalg.inv(a).T", "a.T", "another-tensor wrong-power"),
        wrong("sign of the inverse", "torch.linalg.inv(a).T", "-torch.linalg.inv(a).T", "plus-for-minus"),
    )


class Phasors:
    """|w z + 1|², complex z, one complex w."""

    def forward(self, z: Tensor, w: Tensor) -> Tensor:
        return (w * z + 1).abs() ** 2

    def backward(self, d: Tensor, z: Tensor, w: Tensor) -> Any:
        d_y = 2 * d * (w * z + 1)
        return d_y * w.conj(), (d_y * z.conj()).sum()

    def draw(self, g: Numbers) -> Inputs:
        return torch.complex(g.normal(12), g.normal(12)), torch.tensor(0.5 + 1.2j)

    mistakes = (
        wrong("conjugate of w forgotten", "w.conj()", "w", "no-pattern another-tensor"),
        wrong("conjugate of z forgotten", "z.conj()", "z", "no-pattern another-tensor"),
        wrong("two forgotten", "2 * d", "d", "factor"),
        wrong("one forgotten", "(w * z + 1)", "(w * z)", "term-missing"),
        wrong("mean for w", ".sum()", ".mean()", MEAN),
        wrong("w forgotten", "d_y * w.conj(),", "d_y,", "weights-missing slope-missing"),
        wrong(
            "size for its square",
            "2 * d * (w * z + 1)",
            "d * (w * z + 1) / (w * z + 1).abs()",
            "wrong-power slope-missing",
        ),
        wrong("upstream forgotten", "2 * d *", "2 *", "upstream-missing upstream-ignored"),
    )


PROGRAMS = programs("algebra", Phasors, BilinearForm, OuterSum, PairDistances, GaussianKernel, Inverse, LogVolume)
