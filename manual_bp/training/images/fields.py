"""Displacement fields: noise, smoothed with a Gaussian."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def strip(height: int, width: int, sigma: float, generator: torch.Generator) -> Tensor:
    """Return noise from -1 to 1, smoothed in both directions with a Gaussian of ``sigma`` pixels: (height, width).

    Any rows of it are noise as smooth, so that a long strip holds a field for each row where one may begin. The noise
    goes on beyond the edges: a field is as strong there as anywhere.
    """
    weights = gaussian(sigma)
    beyond = len(weights) - 1
    noise = torch.rand(width + beyond, height + beyond, generator=generator) * 2 - 1
    return smoothed(smoothed(noise, weights).T.contiguous(), weights)


def gaussian(sigma: float) -> list[float]:
    """Return the weights of a Gaussian at whole pixels up to three sigma from its centre; their sum is 1."""
    reach = math.ceil(3 * sigma)
    weights = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-reach, reach + 1)]
    return [weight / sum(weights) for weight in weights]


def smoothed(values: Tensor, weights: list[float]) -> Tensor:
    """Return the weighted sums of len(weights) rows, from every row on that has so many.

    Product and sum are two operations: in a matrix product, or in one operation for both, the last bit may depend on
    the number of threads.
    """
    n = len(values) - len(weights) + 1
    result, term = torch.zeros_like(values[:n]), torch.empty_like(values[:n])
    for k, weight in enumerate(weights):
        result += torch.mul(values[k : k + n], weight, out=term)
    return result
