"""Steps in time, a polynomial by Horner's rule, and light through layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, Inputs, Numbers, programs, wrong


class DampedSpring:
    """Five Euler steps of x″ = −k x − c x′ for many starts; k and c are single numbers. Returns the places."""

    dt = 0.3

    def forward(self, x: Tensor, v: Tensor, k: Tensor, c: Tensor) -> Tensor:
        for _ in range(5):
            x, v = x + self.dt * v, v - self.dt * (k * x + c * v)
        return x

    def backward(self, d: Tensor, x: Tensor, v: Tensor, k: Tensor, c: Tensor) -> Any:
        states = []
        for _ in range(5):
            states.append((x, v))
            x, v = x + self.dt * v, v - self.dt * (k * x + c * v)
        d_x, d_v, d_k, d_c = d, torch.zeros_like(v), torch.zeros_like(k), torch.zeros_like(c)
        for x, v in reversed(states):
            d_a = -self.dt * d_v
            d_k = d_k + (d_a * x).sum()
            d_c = d_c + (d_a * v).sum()
            d_x, d_v = d_x + k * d_a, d_v + self.dt * d_x + c * d_a
        return d_x, d_v, d_k, d_c

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(9), g.normal(9), torch.tensor(1.4), torch.tensor(0.5)

    mistakes = (
        wrong(
            "place updated before the speed",
            "d_x, d_v = d_x + k * d_a, d_v + self.dt * d_x + c * d_a",
            "d_x = d_x + k * d_a\n        d_v = d_v + self.dt * d_x + c * d_a",
            "another-tensor stale-weights shifted part-twice",
        ),
        wrong("time step forgotten", "self.dt * d_x", "d_x", "factor weights-missing term-missing"),
        wrong("damping forgotten on the way", " + c * d_a", "", PART),
        wrong(
            "first step of k alone",
            "d_k = d_k + ",
            "d_k = ",
            f"{PART} step-missing one-sample duplicates-overwritten",
        ),
        wrong("states not turned round", "reversed(states)", "states", "another-tensor swapped shifted wrong-sample"),
        wrong("place for the speed", "(d_a * v)", "(d_a * x)", "another-tensor another-gradient"),
    )


class VerletSteps:
    """Four velocity-Verlet steps with the force −x − b x³; returns places and speeds."""

    dt = 0.4

    def forward(self, x: Tensor, v: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        for _ in range(4):
            force = -x - b * x**3
            x = x + self.dt * v + 0.5 * self.dt**2 * force
            v = v + 0.5 * self.dt * (force - x - b * x**3)
        return x, v

    def backward(self, d_x: Tensor, d_v: Tensor, x: Tensor, v: Tensor, b: Tensor) -> Any:
        dt, states, d_b = self.dt, [x], torch.zeros_like(b)
        for _ in range(4):
            force = -x - b * x**3
            x = x + dt * v + 0.5 * dt**2 * force
            v = v + 0.5 * dt * (force - x - b * x**3)
            states.append(x)
        for t in (4, 3, 2, 1):
            new, old = states[t], states[t - 1]
            d_half = 0.5 * dt * d_v
            d_new = d_x + d_half * (-1 - 3 * b * new**2)
            d_force = d_half + 0.5 * dt**2 * d_new
            d_b = d_b - (d_half * new**3 + d_force * old**3).sum()
            d_x = d_new + d_force * (-1 - 3 * b * old**2)
            d_v = d_v + dt * d_new
        return d_x, d_v, d_b

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(8), g.normal(8), torch.tensor(0.3)

    mistakes = (
        wrong("new force taken as constant", "d_x + d_half * (-1 - 3 * b * new**2)", "d_x", PART),
        wrong("old place for the new", "b * new**2", "b * old**2", "another-tensor shifted"),
        wrong("half forgotten", "0.5 * dt**2 * d_new", "dt**2 * d_new", "factor"),
        wrong("new force forgotten for b", "d_half * new**3 + ", "", PART),
        wrong("three forgotten", "3 * b * old**2", "b * old**2", "slope-miswritten factor"),
        wrong("speed not carried on", "d_v = d_v + dt * d_new", "d_v = dt * d_new", PART),
    )


class HornerRule:
    """Σ c_k x^k by Horner's rule, from the highest power down."""

    def forward(self, c: Tensor, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        for k in reversed(range(len(c))):
            y = y * x + c[k]
        return y

    def backward(self, d: Tensor, c: Tensor, x: Tensor) -> Any:
        kept, y = [], torch.zeros_like(x)
        for k in reversed(range(len(c))):
            kept.append(y)
            y = y * x + c[k]
        d_c, d_x, d_y = torch.zeros_like(c), torch.zeros_like(x), d
        for k in range(len(c)):
            d_c[k] = d_y.sum()
            d_x = d_x + d_y * kept[len(c) - 1 - k]
            d_y = d_y * x
        return d_c, d_x

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(5), g.normal(10)

    mistakes = (
        wrong("first power alone", "d_x + d_y * kept[len(c) - 1 - k]", "d * kept[-1]", f"{PART} step-missing"),
        wrong("mean for the coefficients", "d_y.sum()", "d_y.mean()", MEAN),
        wrong(
            "coefficients upside down",
            "d_c[k] = ",
            "d_c[-1 - k] = ",
            "swapped shifted wrong-sample",
            places=((0, 1, 3, 4),),
        ),
        wrong(
            "x not multiplied in",
            "d_y = d_y * x",
            "d_y = d_y * 1",
            "weights-missing slope-missing input-missing term-missing",
            places=((1, 2, 3, 4),),
        ),
        wrong("one value too early", "kept[len(c) - 1 - k]", "kept[-k]", "shifted another-tensor"),
    )


class LightThroughLayers:
    """Σ_i c_i a_i Π_{j < i} (1 − a_j) of each ray, a = σ(z): what shines through the layers before."""

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        a = torch.sigmoid(z)
        left = torch.cumprod(1 - a, 1)
        return (c * a * torch.cat([torch.ones_like(a[:, :1]), left[:, :-1]], 1)).sum(1)

    def backward(self, d: Tensor, z: Tensor, c: Tensor) -> Any:
        a = torch.sigmoid(z)
        left = torch.cumprod(1 - a, 1)
        before = torch.cat([torch.ones_like(a[:, :1]), left[:, :-1]], 1)
        d_c = d[:, None] * a * before
        seen = d_c * c
        behind = seen.flip(1).cumsum(1).flip(1) - seen
        d_a = d[:, None] * c * before - behind / (1 - a)
        return d_a * a * (1 - a), d_c

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6, 7), g.normal(6, 7)

    mistakes = (
        wrong("shadow forgotten", " - behind / (1 - a)", "", PART, places=((0, 1, 2, 3, 4, 5),)),
        wrong("layer in its own shadow", ".flip(1) - seen", ".flip(1)", "shifted wrong-mask part-twice another-tensor"),
        wrong(
            "shadow on what is before",
            "seen.flip(1).cumsum(1).flip(1)",
            "seen.cumsum(1)",
            "swapped another-axis transposed shifted another-tensor wrong-argument",
        ),
        wrong("slope of the sigmoid forgotten", "return d_a * a * (1 - a)", "return d_a", "slope-missing"),
        wrong("light behind the layer", "* c * before", "* c * left", "another-tensor shifted"),
        wrong(
            "layer not taken out",
            "behind / (1 - a)",
            "behind",
            "slope-missing term-missing weights-missing",
            places=((0, 1, 2, 3, 4, 5),),
        ),
    )


PROGRAMS = programs("steps and layers", DampedSpring, VerletSteps, HornerRule, LightThroughLayers)
