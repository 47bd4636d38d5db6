"""Smoothed noise against a plain double sum, and how strong and smooth it is."""

import math

import pytest
import torch

from manual_bp.training.images.fields import gaussian, smoothed, strip


@pytest.mark.parametrize("sigma", [0.1, 0.4, 1.0, 3.3])
def test_the_weights_are_a_gaussian(sigma: float) -> None:
    weights = gaussian(sigma)
    middle = len(weights) // 2
    assert len(weights) == 2 * math.ceil(3 * sigma) + 1
    assert abs(sum(weights) - 1) < 1e-12
    for k, weight in enumerate(weights):
        assert abs(weight - weights[middle] * math.exp(-((k - middle) ** 2) / (2 * sigma**2))) < 1e-15


def test_smoothed_rows_are_weighted_sums() -> None:
    values, weights = torch.rand(9, 4, dtype=torch.float64), [0.5, 0.2, 0.3]
    expected = torch.stack([0.5 * values[i] + 0.2 * values[i + 1] + 0.3 * values[i + 2] for i in range(7)])
    assert (smoothed(values, weights) - expected).abs().max() < 1e-15


@pytest.mark.parametrize(("height", "width", "sigma"), [(6, 4, 1.0), (3, 9, 0.7), (5, 5, 2.2)])
def test_a_strip_is_noise_smoothed_in_both_directions(height: int, width: int, sigma: float) -> None:
    weights = torch.tensor(gaussian(sigma))
    n = len(weights)
    noise = torch.rand(width + n - 1, height + n - 1, generator=torch.Generator().manual_seed(3)).T * 2 - 1
    patches = noise.unfold(0, n, 1).unfold(1, n, 1)
    expected = (patches * weights[:, None] * weights).sum((2, 3))
    got = strip(height, width, sigma, torch.Generator().manual_seed(3))
    assert got.shape == (height, width)
    assert got.is_contiguous()
    assert (got - expected).abs().max() < 1e-6


def test_a_strip_is_as_strong_at_its_edges_as_anywhere_and_smooth() -> None:
    """Noise of variance 1/3, times the sum of the squared weights, which is 1 / 4πσ² for a wide Gaussian."""
    sigma = 2.0
    values = strip(20_000, 12, sigma, torch.Generator().manual_seed(1))
    expected = math.sqrt(1 / 3 / (4 * math.pi)) / sigma
    for column in values.T:
        assert abs(column.std() / expected - 1) < 0.06
        assert abs(column.mean()) < 0.1 * expected
    for apart in (1, 3):
        alike = torch.corrcoef(torch.stack([values[:, 0], values[:, apart]]))[0, 1]
        below = torch.corrcoef(torch.stack([values[:-apart, 0], values[apart:, 0]]))[0, 1]
        assert max(abs(r - math.exp(-(apart**2) / (4 * sigma**2))) for r in (alike, below)) < 0.06
