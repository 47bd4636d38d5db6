"""How a backward gets its arguments, and copies of all that a function reads."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from torch_ref.lines.arguments import Filling, Result
from torch_ref.lines.world import World

A, B, OUT, D = torch.ones(2), torch.zeros(3), torch.ones(4), torch.full((4,), 7.0)


def filled(backward: Any, returned: Any = OUT, d: Any = D, **variables: Any) -> dict[str, Any]:
    variables = {"a": A, "b": B, "out": OUT, **variables}
    result = Result.of(returned, variables, backward)
    return Filling({"a": A, "b": B}, variables, result, [d] * len(result.outputs)).arguments(backward)


def test_arguments_are_found_by_name() -> None:
    cache = (A, "z")
    assert filled(lambda dout, a, h: None, h="h") == {"dout": D, "a": A, "h": "h"}
    assert filled(lambda grad_output, cache: None, (OUT, cache)) == {"grad_output": D, "cache": cache}
    assert filled(lambda ctx, d_out: None, (OUT, A, B)) == {"ctx": (A, B), "d_out": D}
    assert filled(lambda d_out, mine: None, (OUT, cache)) == {"d_out": D, "mine": cache}, "the only one left over"
    assert filled(lambda upstream, a, eps=1e-5: None) == {"upstream": D, "a": A}
    assert filled(lambda: None) == {}


def test_the_backward_of_a_loss_takes_the_cache_without_an_upstream_gradient() -> None:
    cache, one = (A, "z"), torch.ones(())
    returned = (torch.tensor(3.0), cache)
    assert filled(lambda a, c: None, returned, d=one) == {"a": A, "c": cache}
    assert filled(lambda g, a, c: None, returned, d=one) == {"g": one, "a": A, "c": cache}
    assert filled(lambda g, a: None, torch.tensor(3.0), d=one) == {"g": one, "a": A}, "there is no cache"
    assert filled(lambda g, a: None, (OUT, cache)) == {"g": D, "a": A}, "it is no loss"


def test_arguments_are_found_in_the_usual_order() -> None:
    assert filled(lambda q, r, s: None) == {"q": D, "r": A, "s": B}


def test_the_gradient_of_an_output_is_named_after_it() -> None:
    found = filled(lambda dfirst, dsecond, a: None, (OUT, A), first=OUT, second=A)
    assert set(found) == {"dfirst", "dsecond", "a"}


def test_what_cannot_be_filled_is_named_with_what_there_is() -> None:
    with pytest.raises(
        TypeError, match=r"nothing is called mask\. There are a, b, out, the upstream gradient\. Name the"
    ):
        filled(lambda dout, mask: None)


def test_what_forward_returns_is_read() -> None:
    grads = {"W": A}
    assert Result.of((OUT, grads), {"loss": OUT}, None).outputs == {"loss": OUT}
    assert Result.of((OUT, grads), {}, None).cache is grads
    assert Result.of({"logits": OUT, "h": A}, {}, None).outputs == {"logits": OUT}
    with pytest.raises(TypeError, match="a tuple that begins with it, got a dict"):
        Result.of({"h": A}, {}, None)


# ------------------------------------------------------------------------------------------------ copies


def test_what_functions_share_their_copies_share() -> None:
    cache: dict[str, Any] = {}
    W = np.ones(2)

    class Net:
        def __init__(self) -> None:
            self.W = W

        def forward(self, x):
            self.x = cache["x"] = x
            return x * self.W * W

        def backward(self, d):
            return d * self.x + cache["x"]

    net, world = Net(), World(lambda t: t + 1)
    forward, backward = world.of(net.forward, "forward"), world.of(net.backward, "backward")
    assert forward(np.ones(2)).tolist() == [4, 4]
    assert backward(0).tolist() == [1, 1]
    assert set(vars(net)) == {"W"}
    assert not cache
    assert set(world.given) >= {"self.W"}


def test_global_variables_are_copied_where_a_function_names_them() -> None:
    variables: dict[str, Any] = {"__name__": "theirs", "W": np.ones(2), "other": np.ones(2), "kept": []}
    exec("def helper(x):\n    return x * W\ndef forward(x):\n    kept.append(x)\n    return helper(x)", variables)
    world = World(lambda t: t * 5)
    assert world.of(variables["forward"], "forward")(np.ones(2)).tolist() == [5, 5]
    assert set(world.given) == {"W"}
    assert variables["kept"] == []


def test_a_closure_is_copied_with_what_it_may_write_to() -> None:
    W, seen = torch.ones(2), 0

    def forward(x):
        nonlocal seen
        seen += 1
        return x * W

    def backward():
        return seen

    world = World(lambda t: t * 3)
    first, second = world.of(forward, "forward"), world.of(backward, "backward")
    assert first(torch.ones(2)).tolist() == [3, 3]
    assert (second(), seen) == (1, 0)


def test_objects_of_others_stay_as_they_are() -> None:
    other = SimpleNamespace(W=torch.ones(1))
    world = World(lambda t: t * 2)
    assert world.of(other, "p").W.tolist() == [2]
    assert world.of(torch.relu, "f") is torch.relu
