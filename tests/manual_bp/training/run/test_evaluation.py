"""How good a network is, over batches of unequal size; ``test_plots`` knows the mistakes and the confusion."""

import pytest
import torch
from cases import assert_identical, network, targets

from manual_bp import Loss, ReLU, SoftmaxCrossEntropy, SquaredError
from manual_bp.training.run.evaluation import answers, evaluate


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), SquaredError()])
def test_batches_of_unequal_size_count_by_their_rows(loss: Loss) -> None:
    made = network((6, 5, 3), ReLU(), loss, torch.float64)
    x, t = torch.randn(7, 6, dtype=torch.float64), targets(7, 3, torch.float64)
    trace = made.forward(x)
    found = evaluate(made, zip(x.split(3), t.split(3), strict=True))
    assert found.loss == pytest.approx(made.loss(trace, t).item(), rel=1e-12)
    right = trace.y.argmax(1) == t.argmax(1)
    assert 0 < right.sum() < 7
    assert found.accuracy == right.sum().item() / 7


def test_answers_stand_in_the_order_of_the_images() -> None:
    made = network((6, 5, 3), ReLU(), SoftmaxCrossEntropy(), torch.float64)
    x = torch.randn(7, 6, dtype=torch.float64)
    y = answers(made, [(rows, rows) for rows in x.split(3)])
    for i, row in enumerate(x):
        assert torch.allclose(y[i], made.forward(row[None]).y[0], rtol=1e-12, atol=0)
    assert_identical(y.sum(1).round(decimals=12), torch.ones(7, dtype=torch.float64))
