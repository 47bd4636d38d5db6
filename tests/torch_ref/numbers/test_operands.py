"""The tensors that an operation is given and gives."""

import torch

from torch_ref.numbers.operands import each_changed, tensors_in


def test_tensors_are_found_in_tuples_lists_and_dicts_in_order() -> None:
    a, b, c, d = (torch.full((2,), float(i)) for i in range(4))
    found = tensors_in((a, [b, 3, None, "t"], {"out": c, "more": ({"of": d},)}, slice(1, 2)))
    assert [float(t[0]) for t in found] == [0.0, 1.0, 2.0, 3.0]
    assert len(tensors_in(torch.max(torch.rand(3, 4), 1))) == 2, "what torch returns by name"
    assert tensors_in(None) == []


def test_all_else_is_changed_and_containers_stay_what_they_are() -> None:
    given = ((1, [2, (3,)]), {"a": 4, "b": [None]})
    assert each_changed(given, lambda one: one and 10 * one) == ((10, [20, (30,)]), {"a": 40, "b": [None]})
    size = torch.Size([2, 3])
    assert each_changed((size,), lambda one: one)[0] is size
