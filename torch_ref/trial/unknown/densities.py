"""Normal distributions: their density, a sample of one, and a mixture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class NormalDensity:
    """ln of the density of each row, with a mean and ln σ for each column; the constant is left out."""

    def forward(self, x: Tensor, mu: Tensor, rho: Tensor) -> Tensor:
        return (-0.5 * ((x - mu) * torch.exp(-rho)) ** 2 - rho).sum(1)

    def backward(self, d: Tensor, x: Tensor, mu: Tensor, rho: Tensor) -> Any:
        z = (x - mu) * torch.exp(-rho)
        d_x = -d[:, None] * z * torch.exp(-rho)
        d_rho = (d[:, None] * (z * z - 1)).sum(0)
        return d_x, -d_x.sum(0), d_rho

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(12, 4), g.normal(4), g.normal(4, scale=0.5)

    mistakes = (
        wrong("norming forgotten", "(z * z - 1)", "z * z", f"{PART} term-missing constant-added"),
        wrong(
            "deviation for its logarithm",
            "(z * z - 1))",
            "(z * z - 1) * torch.exp(-rho))",
            "slope-missing slope-miswritten slope-not-here slope-twice",
        ),
        wrong(
            "deviation divided by once", "* z * torch.exp(-rho)", "* z", "slope-missing weights-missing term-missing"
        ),
        wrong("square forgotten", "z * z - 1", "z - 1", "wrong-power input-missing slope-miswritten"),
        wrong("sign of the mean", "-d_x.sum(0)", "d_x.sum(0)", "wrong-sign"),
        wrong("first row for the mean", "-d_x.sum(0)", "-d_x[0]", "one-sample broadcast-not-summed"),
    )


class SampledLatent:
    """μ + σ times given noise, and the divergence from N(0, 1), the mean over the samples; of ln σ²."""

    def forward(self, mu: Tensor, log_var: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum() / len(mu)
        return mu + torch.exp(0.5 * log_var) * noise, kl

    def backward(self, d_z: Tensor, d_kl: Tensor, mu: Tensor, log_var: Tensor, noise: Tensor) -> Any:
        s = torch.exp(0.5 * log_var)
        d_mu = d_z + d_kl * mu / len(mu)
        d_log_var = d_z * noise * s * 0.5 + d_kl * 0.5 * (log_var.exp() - 1) / len(mu)
        return d_mu, d_log_var, d_z * s

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(4, 5, around=1), g.normal(4, 5), g.normal(4, 5)

    mistakes = (
        wrong("divergence forgotten for the mean", " + d_kl * mu / len(mu)", "", PART),
        wrong("half forgotten", "noise * s * 0.5 +", "noise * s +", "factor slope-miswritten"),
        wrong(
            "variance for the deviation",
            "torch.exp(0.5 * log_var)",
            "torch.exp(log_var)",
            "wrong-argument wrong-power another-tensor slope-miswritten",
        ),
        wrong("noise forgotten", "d_z * noise * s", "d_z * s", "input-missing term-missing weights-missing"),
        wrong("one forgotten", "(log_var.exp() - 1)", "log_var.exp()", f"{PART} term-missing constant-added"),
        wrong("sum for mean", "d_kl * mu / len(mu)", "d_kl * mu", MEAN),
    )


class Mixture:
    """ln Σ_k π_k N(x; μ_k, σ_k) of single numbers x, with π = softmax of logits and ln σ."""

    def forward(self, x: Tensor, mu: Tensor, rho: Tensor, logits: Tensor) -> Tensor:
        z = (x[:, None] - mu) * torch.exp(-rho)
        return torch.logsumexp(torch.log_softmax(logits, 0) - rho - 0.5 * z * z, 1)

    def backward(self, d: Tensor, x: Tensor, mu: Tensor, rho: Tensor, logits: Tensor) -> Any:
        z = (x[:, None] - mu) * torch.exp(-rho)
        joint = torch.log_softmax(logits, 0) - rho - 0.5 * z * z
        share = d[:, None] * torch.softmax(joint, 1)
        d_gap = share * z * torch.exp(-rho)
        d_rho = (share * (z * z - 1)).sum(0)
        d_logits = share.sum(0) - torch.softmax(logits, 0) * d.sum()
        return -d_gap.sum(1), d_gap.sum(0), d_rho, d_logits

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(13, scale=2), g.normal(3, scale=2), g.normal(3, scale=0.3), g.normal(3)

    mistakes = (
        wrong(
            "shares forgotten",
            "d[:, None] * torch.softmax(joint, 1)",
            "d[:, None].expand_as(z)",
            "softmax-missing slope-missing weights-missing",
        ),
        wrong("shares over the samples", "softmax(joint, 1)", "softmax(joint, 0)", "another-axis"),
        wrong(
            "logits' softmax taken as constant",
            " - torch.softmax(logits, 0) * d.sum()",
            "",
            f"{PROJECTION} softmax-not-differentiated term-missing",
        ),
        wrong("mean for the logits", "d.sum()", "d.mean()", MEAN),
        wrong(
            "logits not in the shares",
            "torch.log_softmax(logits, 0) - rho",
            "-rho",
            "term-missing weights-missing softmax-miswritten bias-missing",
        ),
        wrong("norming forgotten", "(z * z - 1)", "z * z", f"{PART} term-missing"),
    )


PROGRAMS = programs("densities", NormalDensity, SampledLatent, Mixture)
