"""What a pass computed: by the lecture's index, and never a number of another pass."""

import pytest
import torch
from cases import (
    LOSSES,
    Scale,
    assert_close,
    assert_identical,
    loss_id,
)

from manual_bp import (
    GradientDescent,
    Gradients,
    GradientsOfOneLayer,
    Linear,
    Loss,
    Network,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    Trace,
    mlp,
)


def test_trace_and_gradients_speak_the_lecture_s_index() -> None:
    made = mlp([5, 4, 3], activation=Tanh(), loss=SquaredError("sum"), dtype=torch.float64)
    first, _, second, _ = made.layers
    x, t = torch.randn(2, 5, dtype=torch.float64), torch.rand(2, 3, dtype=torch.float64)
    trace = made.forward(x)
    loss = made.loss(trace, t)
    gradients = made.backward(trace)

    assert trace.x(0).data_ptr() == x.data_ptr()
    assert_identical(trace.net(1), first.forward(x)[0], "net^1")
    assert_identical(trace.x(1), torch.tanh(trace.net(1)), "x^1")
    assert_identical(trace.net(2), second.forward(trace.x(1))[0], "net^2")
    assert_identical(trace.x(2), trace.y, "y")
    assert trace.loss is loss
    assert loss.shape == ()
    delta2 = (t - trace.y) * (1 - trace.y**2)
    assert_close(gradients.delta(2), delta2, 1e-15, "δ^2 (E13)")
    assert_close(gradients.delta(1), (delta2 @ second.weight) * (1 - trace.x(1) ** 2), 1e-15, "δ^1 (E14)")
    assert_close(gradients["2.weight"], -delta2.T @ trace.x(1), 1e-15, "∂L/∂W^2 (E12)")
    assert_close(gradients["0.bias"], -gradients.delta(1).sum(0), 1e-15, "∂L/∂b^1 (E12)")
    assert list(gradients) == list(made.parameters()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(gradients) == 4
    assert made.depth == 2
    assert [made.index_of_x(l) for l in (0, 1, 2)] == [0, 2, 4]
    assert [made.index_of_net(l) for l in (1, 2)] == [1, 3]


def test_x_0_is_the_input_whatever_stands_first() -> None:
    """What lies between two of the lecture's quantities bears the name of its layer, counted among all of its type."""
    layers = (Tanh(), Linear(torch.randn(4, 5), torch.randn(4)), Tanh(), Tanh(), Scale(torch.rand(4)), Tanh())
    made, x = Network(layers, SquaredError()), torch.randn(2, 5)
    trace = made.forward(x)
    assert [made.index_of_x(l) for l in (0, 1, 2)] == [0, 4, 6]
    assert trace.x(0).data_ptr() == x.data_ptr()
    assert_identical(trace.net(1), layers[1].forward(torch.tanh(x))[0])
    assert made.names.values == ("x^0", "Tanh 1", "net^1", "Tanh 2", "x^1", "net^2", "x^2")
    assert made.names.errors == ("e^0", "error of Tanh 1", "δ^1", "error of Tanh 2", "e^1", "δ^2", "e^2")
    assert made.names.layers == (0, 1, 1, 1, 2, 2)
    assert made.names.parameters == {"1.weight": "W^1", "1.bias": "b^1", "4.a": "a^2"}
    assert made.names.of_layer(1) == {"weight": "∂L/∂W^1", "bias": "∂L/∂b^1"}
    assert repr(trace).startswith("Trace(x^0 (2, 5), Tanh 1 (2, 5), net^1 (2, 4), Tanh 2 (2, 4), x^1 (2, 4)")


def test_a_softmax_output_and_a_linear_output_have_their_y() -> None:
    softmax = mlp([5, 4, 3], loss=SoftmaxCrossEntropy())
    trace = softmax.forward(torch.randn(2, 5))
    assert_close(trace.y, torch.softmax(trace.net(2), 1), 1e-6, "y")
    assert_identical(trace.x(2), trace.y)
    regression = Network((Linear(torch.randn(4, 5)), Tanh(), Linear(torch.randn(3, 4))), SquaredError())
    trace = regression.forward(torch.randn(2, 5))
    assert_identical(trace.y, trace.net(2))
    assert_identical(trace.x(1), torch.tanh(trace.net(1)))


def test_a_loss_of_an_earlier_pass_is_never_taken_for_this_one() -> None:
    made = mlp([5, 4, 3])
    trace = made.forward(torch.randn(2, 5))
    with pytest.raises(ValueError, match=r"call Network.loss\(trace, t\) before Network.backward"):
        made.backward(trace)
    made.loss(trace, torch.rand(2, 3))
    made.forward(torch.randn(2, 5), out=trace)
    with pytest.raises(ValueError, match=r"call Network.loss\(trace, t\) before Network.backward"):
        made.backward(trace)


def test_room_for_one_layer_holds_one_layer() -> None:
    made = mlp([5, 4, 3])
    room = GradientsOfOneLayer(made)
    assert room.buffer.numel() < made.buffer.numel()
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    passes = made.backward_by_layer(trace, room)
    assert_identical(next(passes)["2.weight"], room["2.weight"])
    with pytest.raises(ValueError, match=r"does not hold 0\.weight of this pass"):
        room["0.weight"]
    next(passes)
    with pytest.raises(ValueError, match=r"does not hold 2\.weight of this pass"):
        room["2.weight"]


def test_room_for_one_layer_holds_its_delta_and_the_error_below() -> None:
    """Two tensors for all errors: each δ is there while its layer's gradients are yielded, and gone later."""
    made = mlp([6, 5, 2, 4, 3], activation=Tanh(), loss=SquaredError("sum"))
    room = GradientsOfOneLayer(made)
    trace = made.forward(torch.randn(7, 6))
    made.loss(trace, torch.randn(7, 3))
    whole = made.backward(trace)
    for _ in range(2):
        deltas = iter(range(made.depth, 0, -1))
        for of_one_layer in made.backward_by_layer(trace, room):
            l = next(deltas)
            assert_identical(room.delta(l), whole.delta(l), f"δ^{l}")
            for name, gradient in of_one_layer.items():
                assert_identical(gradient, whole[name], name)
            for other in {*range(1, made.depth + 1)} - {l}:
                with pytest.raises(ValueError, match=rf"a backward pass as far as δ\^{other}"):
                    room.delta(other)
    assert_identical(made.input_error(trace, room), made.input_error(trace, whole))
    rooms = [room.room(i)[0] for i in range(len(made.layers) + 1)]
    memory = {error.untyped_storage().data_ptr() for error in rooms if error is not None}
    assert len(memory) == 2
    assert rooms[0] is None
    assert max(error.untyped_storage().nbytes() for error in rooms[1:]) == 4 * 7 * 5  # that of the largest, δ^1


def test_room_for_one_layer_is_made_once_with_a_layer_before_the_first_weights_too() -> None:
    made = Network((Tanh(), *mlp([6, 5, 3]).layers), SquaredError())
    room, trace = GradientsOfOneLayer(made), made.forward(torch.randn(7, 6))
    made.loss(trace, torch.randn(7, 3))
    rooms = []
    for _ in range(2):
        for _ in made.backward_by_layer(trace, room):
            rooms.append([room.room(i)[0] for i in range(2, len(made.layers) + 1)])
    assert all(one is other for later in rooms for one, other in zip(rooms[0], later, strict=True))


@pytest.mark.parametrize("kind", [Gradients, GradientsOfOneLayer])
def test_the_error_below_is_there_when_the_gradients_are_yielded(kind) -> None:
    made = mlp([5, 4, 3])
    gradients, trace = kind(made), made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    next(made.backward_by_layer(trace, gradients))
    there = [i for i, error in enumerate(gradients.errors) if error is not None]
    assert there == ([2, 3, 4] if kind is Gradients else [2, 3])
    assert gradients.room(2)[1].keys() == {"weight", "bias"}


def test_room_for_one_layer_never_holds_a_whole_pass() -> None:
    made = mlp([5, 4, 3])
    gradients, trace = GradientsOfOneLayer(made), made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    before = made.state_dict()
    with pytest.raises(ValueError, match=r"does not hold 2\.weight of this pass"):
        GradientDescent(made, lr=0.1).update(made.backward(trace, out=gradients))
    assert all(torch.equal(p, before[name]) for name, p in made.parameters().items())


def test_a_value_by_its_position() -> None:
    made = mlp([5, 4, 3])
    trace = made.forward(torch.randn(2, 5))
    for position, value in enumerate(trace.values):
        assert trace.value(position) is value
    for read in (lambda: Trace(made).value(0), lambda: Trace(made).value(1), lambda: Trace(made).saved(0)):
        with pytest.raises(ValueError, match=r"call Network\.forward first"):
            read()


def test_numbers_of_the_pass_before_are_never_taken_for_this_one() -> None:
    made = mlp([5, 4, 3])
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    gradients = made.backward(trace)
    next(made.backward_by_layer(trace, gradients))
    assert gradients["2.bias"].shape == (3,)
    with pytest.raises(ValueError, match=r"does not hold 0\.weight of this pass"):
        gradients["0.weight"]
    with pytest.raises(ValueError, match=r"a backward pass as far as δ\^1"):
        gradients.delta(1)
    before = made.state_dict()
    with pytest.raises(ValueError, match=r"does not hold 0\.weight of this pass"):
        GradientDescent(made, lr=0.1).update(gradients)
    assert all(torch.equal(p, before[name]) for name, p in made.parameters().items())


def test_backward_twice_gives_the_same_numbers_twice() -> None:
    for loss in LOSSES:
        made = mlp([5, 4, 3], loss=loss)
        trace = made.forward(torch.randn(2, 5))
        made.loss(trace, torch.tensor([0, 2]))
        first, second = made.backward(trace), made.backward(trace)
        for name, gradient in first.items():
            assert_identical(gradient, second[name], name)
        _, of_the_loss = first.room(len(made.layers))
        assert of_the_loss == {}


def test_two_losses_of_one_pass_are_two_numbers() -> None:
    made = mlp([5, 3])
    trace = made.forward(torch.randn(2, 5))
    first = made.loss(trace, torch.zeros(2, 3))
    before = first.item()
    second = made.loss(trace, torch.ones(2, 3))
    assert first.item() == before != second.item()


def test_a_layer_that_ignores_out_is_followed() -> None:
    made = Network((Linear(torch.randn(3, 5)), Scale(torch.rand(3))), SquaredError())
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    gradients = made.backward(trace)
    x, t = torch.randn(2, 5), torch.rand(2, 3)
    made.loss(made.forward(x, out=trace), t)
    made.backward(trace, out=gradients)
    fresh = made.forward(x)
    made.loss(fresh, t)
    for name, gradient in made.backward(fresh).items():
        assert_identical(gradients[name], gradient, name)
    made.parameters()["1.a"].zero_()
    assert made.forward(x).y.abs().max() == 0


def test_what_a_pass_computed_can_be_printed() -> None:
    made = mlp([5, 4, 3])
    trace = made.forward(torch.randn(2, 5))
    assert repr(trace) == "Trace(x^0 (2, 5), net^1 (2, 4), x^1 (2, 4), net^2 (2, 3), x^2 (2, 3))"
    made.loss(trace, torch.rand(2, 3))
    assert ", L 0." in repr(trace)
    deltas = "δ^1 (2, 4), δ^2 (2, 3)"
    parameters = "0.weight (4, 5), 0.bias (4,), 2.weight (3, 4), 2.bias (3,)"
    assert repr(made.backward(trace)) == f"Gradients({deltas}, {parameters})"
    assert repr(Gradients(made)) == "Gradients()"
    assert repr(made.layers[0]) == "Linear(5 → 4)"


def test_a_pass_that_breaks_off_leaves_no_numbers_of_the_one_before() -> None:
    broken = []

    class Breaks(Scale):
        def backward(self, error, saved, out=None):
            if broken:
                raise ArithmeticError("as planned")
            return super().backward(error, saved)

    made = Network((Linear(torch.randn(3, 5)), Breaks(torch.rand(3))), SquaredError())
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.rand(2, 3))
    gradients = made.backward(trace)
    broken.append(True)
    with pytest.raises(ArithmeticError):
        made.backward(trace, out=gradients)
    with pytest.raises(ValueError, match=r"does not hold 0\.weight of this pass"):
        gradients["0.weight"]


@pytest.mark.parametrize("loss", LOSSES, ids=loss_id)
def test_gradients_that_are_kept_do_not_change_with_the_next_pass(loss: Loss) -> None:
    """Where the output is linear, δ^L is the loss's own error: a tensor of the gradients, not of the trace."""
    made = Network((Linear(torch.randn(4, 5)), Tanh(), Linear(torch.randn(3, 4))), loss)
    trace = made.forward(torch.randn(2, 5))
    made.loss(trace, torch.tensor([0, 2]))
    kept = made.backward(trace)
    before = [kept.delta(l).clone() for l in (1, 2)]
    made.loss(made.forward(torch.randn(2, 5), out=trace), torch.tensor([1, 1]))
    made.backward(trace)
    for l in (1, 2):
        assert_identical(kept.delta(l), before[l - 1], f"δ^{l}")
