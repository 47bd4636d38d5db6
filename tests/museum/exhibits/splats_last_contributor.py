"""The loop from back to front begins at the last splat that was visited, not at the last one that was drawn.

Source: https://github.com/joeyan/gaussian_splatting/issues/35
What it did: splats that are too faint to be drawn still counted: the light in backward exceeded 1 (1.03 to 1.10), and
most gradients were off.
"""

import torch
from museum.exhibit import Exhibit

FAINT = 0.05


def forward(alpha, colour):
    light, result = torch.ones(()).to(alpha), torch.zeros(()).to(alpha)
    for a, c in zip(alpha, colour, strict=True):
        if a >= FAINT:
            result, light = result + c * a * light, light * (1 - a)
    return result


def _backward(d, alpha, colour, is_last):
    drawn = [i for i in range(len(alpha)) if alpha[i] >= FAINT]
    light = torch.stack([1 - alpha[i] for i in drawn]).prod()
    d_alpha, d_colour, behind = torch.zeros_like(alpha), torch.zeros_like(colour), torch.zeros(()).to(alpha)
    for i in reversed(range(len(alpha))):
        if is_last(i, drawn) or i in drawn:
            light = light / (1 - alpha[i])  # the light that reaches this splat
            d_alpha[i], d_colour[i] = d * (colour[i] * light - behind / (1 - alpha[i])), d * alpha[i] * light
            behind = behind + colour[i] * alpha[i] * light
    return d_alpha, d_colour


def right(d, alpha, colour):
    return _backward(d, alpha, colour, lambda i, drawn: i == drawn[-1])


def wrong(d, alpha, colour):
    return _backward(d, alpha, colour, lambda i, drawn: i == len(alpha) - 1)


def inputs():
    return [torch.tensor([0.3, 0.6, 0.2, 0.5, 0.04]), torch.tensor([1.0, 0.2, 0.7, 0.4, 0.9])]


EXHIBIT = Exhibit(
    title="splats: begins at one not drawn",
    source="https://github.com/joeyan/gaussian_splatting/issues/35",
    check="check_function",
    guilty=("gradient of alpha", "gradient of colour"),
    causes=frozenset({"shifted", "wrong-mask", "only-some", "factor", "another-tensor", "no-pattern"}),
)
