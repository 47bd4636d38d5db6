"""Equations in three diagonals, likelihoods, cosines, and a filter with feedback."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class ThreeDiagonals:
    """x of A x = r by elimination and going back, A with three diagonals; r has a column for each problem."""

    def forward(self, lower: Tensor, main: Tensor, upper: Tensor, r: Tensor) -> Tensor:
        pivots, rest = [main[0]], [r[0]]
        for i in range(1, len(main)):
            ratio = lower[i - 1] / pivots[-1]
            pivots.append(main[i] - ratio * upper[i - 1])
            rest.append(r[i] - ratio * rest[-1])
        x = [rest[-1] / pivots[-1]]
        for i in reversed(range(len(main) - 1)):
            x.insert(0, (rest[i] - upper[i] * x[0]) / pivots[i])
        return torch.stack(x)

    def backward(self, d: Tensor, lower: Tensor, main: Tensor, upper: Tensor, r: Tensor) -> Any:
        x = self.forward(lower, main, upper, r)
        back = self.forward(upper, main, lower, d)
        d_lower = -(back[1:] * x[:-1]).sum(1)
        d_main = -(back * x).sum(1)
        d_upper = -(back[:-1] * x[1:]).sum(1)
        return d_lower, d_main, d_upper, back

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6), g.normal(7, around=5), g.normal(6), g.normal(7, 3, scale=3)

    mistakes = (
        wrong(
            "matrix not transposed", "(upper, main, lower, d)", "(lower, main, upper, d)", "transposed-weights swapped"
        ),
        wrong(
            "upper and lower exchanged",
            "return d_lower, d_main, d_upper,",
            "return d_upper, d_main, d_lower,",
            "swapped another-gradient transposed",
        ),
        wrong("sign of the diagonal", "-(back * x)", "(back * x)", "wrong-sign"),
        wrong("right side for the answer", "x = self.forward(lower, main, upper, r)", "x = r", "another-tensor"),
        wrong("neighbour not taken", "back[:-1] * x[1:]", "back[:-1] * x[:-1]", "shifted another-tensor unit-beside"),
        wrong("mean over the problems", "(back[1:] * x[:-1]).sum(1)", "(back[1:] * x[:-1]).mean(1)", MEAN),
    )


class ProcessEvidence:
    """ln p(y) of a Gaussian process, the constant left out: kernel exp(−‖x_i − x_j‖² / 2ℓ²), noise on its diagonal."""

    def forward(self, x: Tensor, y: Tensor, log_ell: Tensor, log_noise: Tensor) -> Tensor:
        far = ((x[:, None] - x) ** 2).sum(2)
        k = torch.exp(-0.5 * far * torch.exp(-2 * log_ell)) + torch.exp(log_noise) * torch.eye(len(x)).to(x)
        evidence: Tensor = -0.5 * y @ torch.linalg.solve(k, y) - 0.5 * torch.logdet(k)
        return evidence

    def backward(self, d: Tensor, x: Tensor, y: Tensor, log_ell: Tensor, log_noise: Tensor) -> Any:
        gap = x[:, None] - x
        far = (gap**2).sum(2)
        precision = torch.exp(-2 * log_ell)
        smooth = torch.exp(-0.5 * far * precision)
        inv = torch.linalg.inv(smooth + torch.exp(log_noise) * torch.eye(len(x)).to(x))
        alpha = inv @ y
        d_k = 0.5 * d * (torch.outer(alpha, alpha) - inv)
        d_far = -0.5 * precision * d_k * smooth
        d_x = 2 * ((d_far + d_far.T)[:, :, None] * gap).sum(1)
        d_ell = (d_far * far).sum() * -2
        d_noise = d_k.diagonal().sum() * torch.exp(log_noise)
        return d_x, -d * alpha, d_ell, d_noise

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(8, 2), g.normal(8), torch.tensor(0.3), torch.tensor(-1.2)

    mistakes = (
        wrong("determinant forgotten", " - inv)", ")", f"{PART} term-missing"),
        wrong("pairs once", "(d_far + d_far.T)", "d_far", f"{PART} factor"),
        wrong("noise for its logarithm", "sum() * torch.exp(log_noise)", "sum()", "slope-missing slope-miswritten"),
        wrong("mean over the diagonal", "diagonal().sum()", "diagonal().mean()", MEAN),
        wrong(
            "precision for the length",
            "precision = torch.exp(-2",
            "precision = torch.exp(-1",
            "wrong-power wrong-argument",
        ),
        wrong("gaps added up the other way", "* gap).sum(1)", "* gap).sum(0)", "another-axis wrong-sign"),
        wrong("answers not weighed", "-d * alpha", "-d * y", "another-tensor weights-missing"),
    )


class PlaneNormal:
    """−ln of the density of points in a plane, each with covariance (a, b; b, c), written out; no constant."""

    def forward(self, a: Tensor, b: Tensor, c: Tensor, p: Tensor) -> Tensor:
        det = a * c - b * b
        u, v = p.T
        far = (c * u * u - 2 * b * u * v + a * v * v) / det
        scores: Tensor = torch.log(det) / 2 + far / 2
        return scores

    def backward(self, d: Tensor, a: Tensor, b: Tensor, c: Tensor, p: Tensor) -> Any:
        u, v = p[:, 0], p[:, 1]
        det = a * c - b**2
        q = c * u**2 - 2 * b * u * v + a * v**2
        dq = 0.5 * d / det
        ddet = 0.5 * d * (1 / det - q / det**2)
        da = ddet * c + dq * v**2
        db = -2 * ddet * b - 2 * dq * u * v
        dc = ddet * a + dq * u**2
        dp = torch.empty_like(p)
        dp[:, 0] = 2 * dq * (c * u - b * v)
        dp[:, 1] = 2 * dq * (a * v - b * u)
        return da, db, dc, dp

    def draw(self, g: Numbers) -> Inputs:
        return g.between(1, 2, 9), g.normal(9, scale=0.4), g.between(1, 2, 9), g.normal(9, 2)

    mistakes = (
        wrong("determinant below taken as constant", " - q / det**2", "", PART),
        wrong("two of the square", "-2 * ddet * b", "-ddet * b", "factor"),
        wrong(
            "sign of what is mixed", "(a * v - b * u)", "(a * v + b * u)", "plus-for-minus wrong-sign", places=((1,),)
        ),
        wrong("logarithm for its slope", "(1 / det", "(det.log()", "wrong-logarithm slope-miswritten slope-missing"),
        wrong("square of the determinant", "q / det**2", "q / det", "wrong-power slope-miswritten"),
        wrong("second column like the first", "2 * dq * (a * v", "2 * dq * (c * v", "another-tensor", places=((1,),)),
    )


class WeightedCosines:
    """Blocks (N, 8, 8) into cosines, each of them weighed, and back: Cᵀ (q ⊙ (C X Cᵀ)) C."""

    def cosines(self, like: Tensor) -> Tensor:
        k, i = torch.arange(8)[:, None], torch.arange(8)
        c = torch.cos(math.pi / 8 * (i + 0.5) * k) / 2
        c[0] = math.sqrt(1 / 8)
        return c.to(like)

    def forward(self, x: Tensor, q: Tensor) -> Tensor:
        c = self.cosines(x)
        return c.T @ (q * (c @ x @ c.T)) @ c

    def backward(self, d: Tensor, x: Tensor, q: Tensor) -> Any:
        c = self.cosines(x)
        y = c @ x @ c.T
        e = c @ d @ c.T
        d_q = torch.einsum("nij,nij->ij", e, y)
        return c.T @ (q * e) @ c, d_q

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 8, 8), g.between(0, 2, 8, 8)

    mistakes = (
        wrong("cosines not turned round", "c @ d @ c.T", "c.T @ d @ c", "transposed-weights swapped"),
        wrong("rows alone sent back", "(q * e) @ c", "(q * e)", "weights-missing term-missing"),
        wrong("weights of the cosines forgotten", "(q * e)", "e", "weights-missing slope-missing term-missing"),
        wrong("pixels for the cosines", '->ij", e, y)', '->ij", e, x)', "another-tensor"),
        wrong("mean over the blocks", "e, y)", "e, y) / len(x)", MEAN),
        wrong("product of sums", '"nij,nij->ij"', '"nij,mij->ij"', "broadcast-over-batch sum-too-early"),
    )


class FeedbackFilter:
    """y_t = b₀ x_t + b₁ x_{t−1} + b₂ x_{t−2} − a₀ y_{t−1} − a₁ y_{t−2}, each row a signal."""

    def forward(self, x: Tensor, b: Tensor, a: Tensor) -> Tensor:
        zero = torch.zeros_like(x[:, 0])
        x1 = x2 = y1 = y2 = zero
        out = []
        for now in x.T:
            y = b[0] * now + b[1] * x1 + b[2] * x2 - a[0] * y1 - a[1] * y2
            x1, x2, y1, y2 = now, x1, y, y1
            out.append(y)
        return torch.stack(out, 1)

    def backward(self, d: Tensor, x: Tensor, b: Tensor, a: Tensor) -> Any:
        y = self.forward(x, b, a)
        s = torch.zeros(len(x), x.shape[1] + 2).to(x)
        d_x = torch.zeros_like(x)
        for t in reversed(range(x.shape[1])):
            s[:, t] = d[:, t] - a[0] * s[:, t + 1] - a[1] * s[:, t + 2]
            d_x[:, t] = b[0] * s[:, t] + b[1] * s[:, t + 1] + b[2] * s[:, t + 2]
        s = s[:, :-2]
        one, two = s[:, 1:], s[:, 2:]
        d_b = torch.stack([(s * x).sum(), (one * x[:, :-1]).sum(), (two * x[:, :-2]).sum()])
        d_a = -torch.stack([(one * y[:, :-1]).sum(), (two * y[:, :-2]).sum()])
        return d_x, d_b, d_a

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 12), g.normal(3), torch.tensor([-0.6, 0.4])

    mistakes = (
        wrong(
            "from the start on",
            "reversed(range(x.shape[1]))",
            "range(x.shape[1])",
            f"{PART} swapped step-missing",
            places=(tuple(range(11)),),
        ),
        wrong(
            "sign of the feedback", "- a[0] * s", "+ a[0] * s", "plus-for-minus wrong-sign", places=(tuple(range(11)),)
        ),
        wrong(
            "signal for what was put out",
            "one * y[:, :-1]",
            "one * x[:, :-1]",
            "another-tensor another-gradient",
            places=((0,),),
        ),
        wrong(
            "lag the other way",
            "two * x[:, :-2]",
            "s[:, :-2] * x[:, 2:]",
            "shifted swapped wrong-sample",
            places=((2,),),
        ),
        wrong("second feedback forgotten", " - a[1] * s[:, t + 2]", "", PART, places=(tuple(range(10)),)),
        wrong(
            "next coefficient",
            "b[1] * s[:, t + 1]",
            "b[2] * s[:, t + 1]",
            "unit-beside another-tensor",
            places=(tuple(range(11)),),
        ),
    )


PROGRAMS = programs("numerics", ThreeDiagonals, ProcessEvidence, PlaneNormal, WeightedCosines, FeedbackFilter)
