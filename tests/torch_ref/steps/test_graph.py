"""The graph of autograd: places, uses, and what lies behind them."""

import torch

from torch_ref.steps.graph import Graph, place_of


def chain():
    x = torch.ones(3, requires_grad=True)
    h = torch.exp(x)
    a, b = torch.sin(h), h * 2
    y = a * b
    return x, h, a, b, y, y.sum()


def test_each_use_of_a_value_is_known_with_its_operation():
    x, h, _, _, y, loss = chain()
    graph = Graph.of([loss])
    assert sorted(use.operation for use in graph.uses[place_of(h).key]) == ["mul", "sin"]
    assert [use.operation for use in graph.uses[place_of(x).key]] == ["exp"]
    assert [use.operation for use in graph.uses[place_of(y).key]] == ["sum"]


def test_a_value_that_is_used_twice_by_one_operation_has_two_uses():
    x = torch.ones(3, requires_grad=True)
    loss = (x * x).sum()
    assert [use.position for use in Graph.of([loss]).uses[place_of(x).key]] == [0, 1]


def test_what_the_loss_is_made_of():
    x, h, _, _, _, loss = chain()
    graph = Graph.of([loss])
    assert graph.reaches(place_of(h))
    assert graph.reaches(place_of(loss))
    assert not graph.reaches(place_of(h * 1))
    assert Graph.of([(h * 3).sum(), (x * 2).sum()]).reaches(place_of(h))


def test_gradients_are_complete_in_the_order_of_the_backward_pass():
    x, h, a, b, y, loss = chain()
    graph = Graph.of([loss])
    when = [graph.when(place_of(t)) for t in (loss, y, b, h, x)]
    assert when == sorted(when, reverse=True)
    assert graph.when(place_of(a)) == graph.when(place_of(b))


def test_the_first_named_value_behind_a_use():
    _, h, a, _, y, loss = chain()
    graph = Graph.of([loss])
    keys = {place_of(t).key: name for name, t in {"a": a, "y": y}.items()}
    found = {use.operation: graph.behind(use, keys) for use in graph.uses[place_of(h).key]}
    assert keys[found["sin"]] == "a"
    assert keys[found["mul"]] == "y"
    [use] = graph.uses[place_of(y).key]
    assert graph.behind(use, keys) is None


def test_one_output_of_several_is_told_from_the_others():
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    first, second = x.unbind(0)
    loss = (first * 2 + second.exp()).sum()
    graph = Graph.of([loss])
    assert [use.operation for use in graph.uses[place_of(first).key]] == ["mul"]
    assert [use.operation for use in graph.uses[place_of(second).key]] == ["exp"]
    named = {place_of(second).key}
    [use] = graph.uses[place_of(x).key]
    assert graph.behind(use, named) == place_of(second).key


def test_a_place_is_that_of_the_moment_it_was_taken():
    x = torch.ones(3, requires_grad=True)
    h = x * 2
    before = place_of(h)
    h += 1
    after = place_of(h)
    graph = Graph.of([h.sum()])
    assert before.key != after.key
    assert before.value.tolist() == [2, 2, 2]
    assert after.value.tolist() == [3, 3, 3]
    assert graph.reaches(before)
    assert graph.when(before) < graph.when(after)


def test_a_parameter_is_a_leaf():
    x, h, *_ = chain()
    assert place_of(x).is_leaf
    assert not place_of(h).is_leaf
