"""Steps in time and forces, and what is measured on the way."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class FourStages:
    """One Runge-Kutta step of x′ = tanh(x A + b) for many starts, the step 0.8."""

    dt = 0.8

    def forward(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        h = self.dt
        k1 = torch.tanh(x @ a + b)
        k2 = torch.tanh((x + h / 2 * k1) @ a + b)
        k3 = torch.tanh((x + h / 2 * k2) @ a + b)
        k4 = torch.tanh((x + h * k3) @ a + b)
        return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    def backward(self, d: Tensor, x: Tensor, a: Tensor, b: Tensor) -> Any:
        h = self.dt
        k1 = torch.tanh(x @ a + b)
        x2 = x + h / 2 * k1
        k2 = torch.tanh(x2 @ a + b)
        x3 = x + h / 2 * k2
        k3 = torch.tanh(x3 @ a + b)
        x4 = x + h * k3
        k4 = torch.tanh(x4 @ a + b)
        s4 = h / 6 * d * (1 - k4**2)
        g4 = s4 @ a.T
        s3 = (h / 3 * d + h * g4) * (1 - k3**2)
        g3 = s3 @ a.T
        s2 = (h / 3 * d + h / 2 * g3) * (1 - k2**2)
        g2 = s2 @ a.T
        s1 = (h / 6 * d + h / 2 * g2) * (1 - k1**2)
        g1 = s1 @ a.T
        d_a = x.T @ s1 + x2.T @ s2 + x3.T @ s3 + x4.T @ s4
        return d + g1 + g2 + g3 + g4, d_a, (s1 + s2 + s3 + s4).sum(0)

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(9, 4), g.normal(4, 4, scale=0.7), g.normal(4)

    mistakes = (
        wrong("half a step for the last stage", "+ h * g4", "+ h / 2 * g4", "factor"),
        wrong("start for the third stage", "x3.T @ s3", "x.T @ s3", "another-tensor"),
        wrong("third stage not sent to the second", " + h / 2 * g3", "", PART),
        wrong(
            "second stage copied",
            "g2 + g3 + g4",
            "g2 + g2 + g4",
            "another-tensor part-twice part-missing path-detached",
        ),
        wrong("not transposed", "s2 @ a.T", "s2 @ a", "transposed-weights"),
        wrong("slope at the state", "1 - k2**2", "1 - x2**2", "slope-at-input another-tensor slope-miswritten"),
        wrong("mean for b", "s4).sum(0)", "s4).mean(0)", MEAN),
    )


class ImplicitSteps:
    """Three implicit steps of x′ = A x + u for many starts: (1 − 0.3 A) x_new = x + 0.3 u."""

    dt = 0.3

    def forward(self, x: Tensor, a: Tensor, u: Tensor) -> Tensor:
        m = torch.eye(len(a)).to(a) - self.dt * a
        for _ in range(3):
            x = torch.linalg.solve(m, (x + self.dt * u).T).T
        return x

    def backward(self, d: Tensor, x: Tensor, a: Tensor, u: Tensor) -> Any:
        dt, states = self.dt, [x]
        m = torch.eye(len(a)).to(a) - dt * a
        for _ in range(3):
            states.append(torch.linalg.solve(m, (states[-1] + dt * u).T).T)
        d_a, d_u = torch.zeros_like(a), torch.zeros_like(u)
        for new in reversed(states[1:]):
            back = torch.linalg.solve(m.T, d.T).T
            d_a += dt * back.T @ new
            d_u += dt * back.sum(0)
            d = back
        return d, d_a, d_u

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6, 4), g.normal(4, 4), g.normal(4)

    mistakes = (
        wrong("matrix not transposed", "solve(m.T, d.T)", "solve(m, d.T)", "transposed-weights"),
        wrong("old state for the new", "states[1:]", "states[:-1]", "another-tensor shifted"),
        wrong("product turned round", "back.T @ new", "new.T @ back", "transposed swapped"),
        wrong(
            "first step of u alone", "d_u += dt", "d_u = dt", f"{PART} step-missing one-sample duplicates-overwritten"
        ),
        wrong("step forgotten for a", "dt * back.T", "back.T", "factor"),
        wrong("sign of the matrix", ".to(a) - dt * a", ".to(a) + dt * a", "plus-for-minus wrong-argument"),
        wrong("what comes back added", "d = back", "d = d + back", "part-twice"),
    )


class MeasuredState:
    """One measurement z of a state with mean m and covariance P: gain K = P Hᵀ (H P Hᵀ + diag r)⁻¹; the new m and P."""

    def forward(self, m: Tensor, p: Tensor, z: Tensor, h: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        gain = p @ h.T @ torch.linalg.inv(h @ p @ h.T + torch.diag(r))
        return m + gain @ (z - h @ m), p - gain @ h @ p

    def backward(self, d_m: Tensor, d_p: Tensor, m: Tensor, p: Tensor, z: Tensor, h: Tensor, r: Tensor) -> Any:
        pht = p @ h.T
        inv = torch.linalg.inv(h @ pht + torch.diag(r))
        gain = pht @ inv
        e = z - h @ m
        d_gain = torch.outer(d_m, e) - d_p @ (h @ p).T
        d_hp = -gain.T @ d_p
        d_e = gain.T @ d_m
        d_s = -gain.T @ d_gain @ inv.T
        d_pht = d_gain @ inv.T
        d_pht = d_pht + h.T @ d_s
        d_h = d_hp @ p.T - torch.outer(d_e, m) + d_s @ pht.T + d_pht.T @ p
        return d_m - h.T @ d_e, d_p + d_pht @ h + h.T @ d_hp, d_e, d_h, d_s.diagonal()

    def draw(self, g: Numbers) -> Inputs:
        root = g.normal(5, 5)
        return g.normal(5), root @ root.T / 5 + torch.eye(5), g.normal(3), g.normal(3, 5), g.between(0.5, 2, 3)

    mistakes = (
        wrong(
            "half of the inverse",
            "d_gain @ inv.T\n    d_pht = d_gain",
            "d_gain\n    d_pht = d_gain",
            "term-missing weights-missing slope-missing",
        ),
        wrong("product in the inverse forgotten", "    d_pht = d_pht + h.T @ d_s\n", "", PART),
        wrong("measurement for what is new in it", "torch.outer(d_m, e)", "torch.outer(d_m, z)", "another-tensor"),
        wrong("sign of the prediction", "d_m - h.T @ d_e", "d_m + h.T @ d_e", "plus-for-minus wrong-sign"),
        wrong("noise forgotten", "(h @ pht + torch.diag(r))", "(h @ pht)", "term-missing bias-missing"),
        wrong("covariance forgotten", "d_p @ (h @ p).T", "d_p @ h.T", "weights-missing term-missing input-missing"),
    )


class PairEnergies:
    """½ Σ_j 4 ε ((σ/r)¹² − (σ/r)⁶) of each particle, by a loop over the pairs; ε and σ are single numbers."""

    def forward(self, x: Tensor, eps: Tensor, sigma: Tensor) -> Tensor:
        other = ~torch.eye(len(x), dtype=torch.bool)
        r2 = ((x[:, None] - x) ** 2).sum(2).masked_fill(~other, 1.0)
        s6 = (sigma**2 / r2) ** 3
        return (2 * eps * (s6**2 - s6) * other).sum(1)

    def backward(self, d: Tensor, x: Tensor, eps: Tensor, sigma: Tensor) -> Any:
        d_x, d_eps, d_sigma = torch.zeros_like(x), torch.zeros_like(eps), torch.zeros_like(sigma)
        for i in range(len(x)):
            for j in range(i):
                gap = x[i] - x[j]
                r2 = gap @ gap
                s6 = (sigma**2 / r2) ** 3
                both = (d[i] + d[j]) / 2
                d_eps += both * 4 * (s6**2 - s6)
                d_sigma += both * 4 * eps * (12 * s6**2 - 6 * s6) / sigma
                force = both * 4 * eps * (-12 * s6**2 + 6 * s6) / r2 * gap
                d_x[i] += force
                d_x[j] -= force
        return d_x, d_eps, d_sigma

    def draw(self, g: Numbers) -> Inputs:
        cells = torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(2))
        return 1.2 * cells + g.normal(8, 3, scale=0.08), torch.tensor(0.7), torch.tensor(1.1)

    mistakes = (
        wrong(
            "same force on both",
            "d_x[j] -= force",
            "d_x[j] += force",
            "wrong-sign plus-for-minus",
            places=((0, 1, 2, 3, 4, 5, 6),),
        ),
        wrong("energy of the other forgotten", "(d[i] + d[j]) / 2", "d[i]", f"{PART} another-tensor wrong-sample"),
        wrong("root of the distance", "/ r2 * gap", "/ r2**0.5 * gap", "wrong-power slope-miswritten"),
        wrong("exponent of the attraction", "+ 6 * s6", "+ 12 * s6", "factor slope-miswritten"),
        wrong(
            "quotient forgotten",
            "(12 * s6**2 - 6 * s6) / sigma",
            "(12 * s6**2 - 6 * s6)",
            "slope-miswritten term-missing",
        ),
        wrong("nearest pairs left out", "range(i):", "range(i - 1):", f"{PART} step-missing sample-missing"),
    )


class WarmBar:
    """Three steps of heat along bars (N, L): a wall of one temperature on the left, nothing gets out on the right."""

    dt = 0.2

    def forward(self, u: Tensor, kappa: Tensor, wall: Tensor) -> Tensor:
        for _ in range(3):
            flow = self.dt * torch.cat([u[:, :1] - wall, kappa * (u[:, 1:] - u[:, :-1]), 0 * u[:, :1]], 1)
            u = u + flow[:, 1:] - flow[:, :-1]
        return u

    def backward(self, d: Tensor, u: Tensor, kappa: Tensor, wall: Tensor) -> Any:
        states = []
        for _ in range(3):
            states.append(u)
            flow = self.dt * torch.cat([u[:, :1] - wall, kappa * (u[:, 1:] - u[:, :-1]), 0 * u[:, :1]], 1)
            u = u + flow[:, 1:] - flow[:, :-1]
        d_kappa, d_wall = torch.zeros_like(kappa), torch.zeros_like(wall)
        for u in states[::-1]:
            d_flow = self.dt * (d[:, :-1] - d[:, 1:])
            d_kappa += (d_flow * (u[:, 1:] - u[:, :-1])).sum(0)
            d_wall += self.dt * d[:, 0].sum()
            d_u = d.clone()
            d_u[:, 1:] += kappa * d_flow
            d_u[:, :-1] -= kappa * d_flow
            d_u[:, 0] -= self.dt * d[:, 0]
            d = d_u
        return d, d_kappa, d_wall

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5, 8), g.between(0.5, 1.5, 7), torch.tensor(1.5)

    mistakes = (
        wrong(
            "neighbours exchanged",
            "d_u[:, 1:] +=",
            "d_u[:, :-1] +=",
            "swapped wrong-sign plus-for-minus",
            ("d_u[:, :-1] -=", "d_u[:, 1:] -="),
        ),
        wrong("wall's end forgotten", "        d_u[:, 0] -= self.dt * d[:, 0]\n", "", PART, places=((0, 1, 2), (0, 1))),
        wrong("conductivity forgotten", "+= kappa * d_flow", "+= d_flow", "weights-missing slope-missing term-missing"),
        wrong("states not turned round", "states[::-1]", "states", "another-tensor swapped shifted wrong-sample"),
        wrong("mean for the wall", "d[:, 0].sum()", "d[:, 0].mean()", MEAN),
        wrong(
            "wall at the other end",
            "d_u[:, 0] -=",
            "d_u[:, -1] -=",
            f"{PART} shifted",
            places=((0, 1, 2, 5, 6, 7), (0, 1, 5, 6)),
        ),
        wrong("first alone", "d_kappa += (", "d_kappa = (", f"{PART} step-missing one-sample duplicates-overwritten"),
    )


PROGRAMS = programs("physics", FourStages, ImplicitSteps, MeasuredState, PairEnergies, WarmBar)
