"""The whole pass by a module, in any dtype."""

import torch
from torch import nn

from torch_ref.steps.buffers import of_another_batch
from torch_ref.steps.passes import call


def test_a_module_s_buffers_follow_the_dtype_of_x() -> None:
    module = nn.BatchNorm1d(5).eval()
    x = torch.randn(4, 5).double()
    named = {name: p.detach().double() for name, p in module.named_parameters()}
    assert call(module, x, named).dtype == torch.float64


def test_another_batch_of_whole_numbers_has_the_same_in_another_order() -> None:
    assert torch.equal(of_another_batch(torch.tensor([[0, 1], [2, 3]])), torch.tensor([[2, 3], [0, 1]]))
    assert torch.equal(of_another_batch(torch.tensor(3)), torch.tensor(3))
