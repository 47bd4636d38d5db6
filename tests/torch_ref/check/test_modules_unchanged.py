"""Neither of two modules is changed by a check, whatever they do, and whatever they raise."""

import copy
from typing import Any

import pytest
import torch
from modules import MLP, Block, ByHand, Recurrent, pictures, sequential, x_of
from torch import Tensor, nn

from torch_ref import check_module


class Watched(MLP):
    """It raises at the second call."""

    def __init__(self, *, raises: bool = False) -> None:
        super().__init__()
        self.raises, self.history = raises, [1]
        self.register_buffer("steps", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.history.append(2)
        self.steps += 1
        x.mul_(1.0)
        if self.raises:
            raise RuntimeError("no")
        return super().forward(x)


@pytest.mark.parametrize("raises", [False, True])
def test_neither_module_is_changed(raises: bool) -> None:
    mine, reference = Watched(raises=raises), sequential()
    mine.one.w.grad = torch.ones(4, 5)
    mine.one.b.requires_grad_(False)
    before = [copy.deepcopy(vars(m)) for module in (mine, reference) for m in module.modules()]
    state, x = torch.get_rng_state(), x_of()
    x_before = x.clone()
    torch.set_rng_state(state)
    check_module(mine, reference, x, power=False)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(x, x_before)
    after = [vars(m) for module in (mine, reference) for m in module.modules()]
    for one, other in zip(before, after, strict=True):
        assert one.keys() == other.keys()
        assert not other["_forward_hooks"]
        assert not other["_forward_pre_hooks"]
        for name, p in other["_parameters"].items():
            assert torch.equal(p, one["_parameters"][name])
            assert p.requires_grad == one["_parameters"][name].requires_grad
    assert mine.history == [1]
    assert mine.steps == 0
    assert torch.equal(mine.one.w.grad, torch.ones(4, 5))
    assert reference[0].weight.grad is None


def test_hooks_go_away_where_a_module_cannot_be_copied_and_the_reference_raises() -> None:
    class Alone(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError("there is one of these")

        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("no")

    reference = nn.Sequential(Alone(5, 4))
    with pytest.raises(RuntimeError, match="no"):
        check_module(nn.Sequential(nn.Linear(5, 4)), reference, x_of())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in reference.modules())
    assert "forward" not in vars(reference[0])


def test_hooks_of_the_user_count_once() -> None:
    mine, reference = sequential(), sequential()
    for module in (mine, reference):
        module[0].register_forward_hook(lambda m, args, y: 2 * y)
        module[2].register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    assert check_module(mine, reference, x_of(), power=False).identical
    mine[0].register_forward_hook(lambda m, args, y: 3 * y)
    assert [row.quantity for row in check_module(mine, reference, x_of(), power=False).guilty] == ["output of 0"]


def test_the_fast_way_of_attention_is_put_back() -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    check_module(Recurrent(), Recurrent(), torch.randn(2, 3, 3), power=False)
    check_module(nn.Sequential(ByHand(5, 5)), nn.Sequential(ByHand(5, 5)), x_of(), power=False)
    check_module(Block(), Block(), pictures(), power=False)
    assert torch.backends.mha.get_fastpath_enabled() == before
