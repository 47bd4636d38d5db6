"""Turned points, distances with a metric, and a kernel with a length for each feature."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class QuaternionTurn:
    """Points p (N, 3), each turned by its quaternion (w, u), which is brought to length 1 first."""

    def forward(self, q: Tensor, p: Tensor) -> Any:
        n = q / q.norm(dim=1, keepdim=True)
        w, u = n[:, :1], n[:, 1:]
        c = torch.cross(u, p, dim=1)
        return p + 2 * w * c + 2 * torch.cross(u, c, dim=1)

    def backward(self, d: Tensor, q: Tensor, p: Tensor) -> Any:
        size = q.norm(dim=1, keepdim=True)
        n = q / size
        w, u = n[:, :1], n[:, 1:]
        c = torch.cross(u, p, dim=1)
        d_w = (2 * d * c).sum(1, keepdim=True)
        d_c = 2 * w * d + 2 * torch.cross(d, u, dim=1)
        d_u = 2 * torch.cross(c, d, dim=1) + torch.cross(p, d_c, dim=1)
        d_n = torch.cat([d_w, d_u], 1)
        d_q = (d_n - n * (d_n * n).sum(1, keepdim=True)) / size
        d_p = d + torch.cross(d_c, u, dim=1)
        return d_q, d_p

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(8, 4, scale=1.5), g.normal(8, 3)

    mistakes = (
        wrong("length taken as constant", "(d_n - n * (d_n * n).sum(1, keepdim=True))", "d_n", PROJECTION),
        wrong("product the other way round", "cross(d_c, u", "cross(u, d_c", "swapped wrong-sign plus-for-minus"),
        wrong("point itself forgotten", "d_p = d + ", "d_p = ", PART),
        wrong("inner product's axis forgotten", " + torch.cross(p, d_c, dim=1)", "", PART),
        wrong("two forgotten for w", "(2 * d * c)", "(d * c)", "factor"),
        wrong("real part last", "[d_w, d_u]", "[d_u, d_w]", "shifted swapped another-tensor unit-beside"),
    )


class DistanceWithMetric:
    """‖L⁻¹ (x − μ)‖ of each row, L the lower half of what is given (Mahalanobis)."""

    def forward(self, x: Tensor, mu: Tensor, given: Tensor) -> Any:
        return torch.linalg.solve_triangular(given.tril(), (x - mu).T, upper=False).norm(dim=0)

    def backward(self, d: Tensor, x: Tensor, mu: Tensor, given: Tensor) -> Any:
        low = given.tril()
        z = torch.linalg.solve_triangular(low, (x - mu).T, upper=False)
        d_z = d * z / z.norm(dim=0)
        d_r = torch.linalg.solve_triangular(low.T, d_z, upper=True)
        d_low = -(d_r @ z.T)
        return d_r.T, -d_r.sum(1), d_low.tril()

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(9, 4), g.normal(4), g.normal(4, 4, scale=0.5) + 1.5 * torch.eye(4)

    mistakes = (
        wrong("not transposed", "(low.T, d_z, upper=True)", "(low, d_z, upper=False)", "transposed transposed-weights"),
        wrong("upper half too", "d_low.tril()", "d_low", "wrong-mask", places=((0, 1, 2), (1, 2, 3))),
        wrong("distance squared", "d * z / z.norm(dim=0)", "2 * d * z", "wrong-power another-function slope-missing"),
        wrong("sign of the centre", "-d_r.sum(1)", "d_r.sum(1)", "wrong-sign"),
        wrong("gaps for what was solved", "(d_r @ z.T)", "(d_r @ (x - mu))", "another-tensor weights-missing"),
        wrong("mean for the centre", "-d_r.sum(1)", "-d_r.mean(1)", MEAN),
    )


class LengthOfEachFeature:
    """s exp(−½ Σ ((x_i − y_j) / ℓ)²) of all pairs, with ln ℓ for each feature."""

    def forward(self, x: Tensor, y: Tensor, log_l: Tensor, s: Tensor) -> Tensor:
        return s * torch.exp(-0.5 * (((x[:, None] - y) * torch.exp(-log_l)) ** 2).sum(2))

    def backward(self, d: Tensor, x: Tensor, y: Tensor, log_l: Tensor, s: Tensor) -> Any:
        gaps = (x[:, None] - y) * torch.exp(-log_l)
        k = torch.exp(-0.5 * (gaps**2).sum(2))
        d_gaps = -(d * s * k)[..., None] * gaps
        d_pairs = d_gaps * torch.exp(-log_l)
        d_log_l = -(d_gaps * gaps).sum((0, 1))
        return d_pairs.sum(1), -d_pairs.sum(0), d_log_l, (d * k).sum()

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6, 3), g.normal(6, 3), g.normal(3, scale=0.4, around=0.3), torch.tensor(1.8)

    mistakes = (
        wrong(
            "lengths forgotten", "d_gaps * torch.exp(-log_l)", "d_gaps", "weights-missing slope-missing term-missing"
        ),
        wrong(
            "length for its logarithm",
            "d_log_l = -(d_gaps * gaps)",
            "d_log_l = -(d_pairs * gaps)",
            "another-tensor slope-missing slope-miswritten slope-not-here slope-twice input-too-often",
        ),
        wrong("value for s", "(d * k).sum()", "(d * s * k).sum()", "factor input-too-often another-tensor"),
        wrong("half kept", "-(d * s * k)", "-0.5 * (d * s * k)", "factor"),
        wrong("partners for the rows", "d_pairs.sum(1),", "d_pairs.sum(0),", "another-axis another-gradient"),
        wrong("kernel forgotten", "-(d * s * k)", "-(d * s)", "slope-missing term-missing weights-missing"),
    )


PROGRAMS = programs("geometry", QuaternionTurn, DistanceWithMetric, LengthOfEachFeature)
