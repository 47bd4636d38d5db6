# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Backpropagation, in code
#
# Welcome. This notebook follows the lecture from one unit to a network that reads digits. Everything is calculated two
# or three times: first with plain Python numbers, then by `manual_bp` (the lecture's formulas on tensors), then by
# PyTorch's autograd through `torch_ref`. The labels E1 to E17 number the lecture's formulas, X1 and X2 its two
# examples; the same labels stand in the code. Where a cell claims something, it asserts it.
#
# Run the cells from top to bottom: Shift and Enter run a cell and go on to the next. After each part there is an
# exercise. Put your answer in the place of `None`, run the cell, and run the one below it, which marks your answer. You
# can leave any exercise out and come back to it later.

# %%
import math
from collections.abc import Callable
from itertools import pairwise

import matplotlib
import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

import manual_bp
import torch_ref
from manual_bp import GradientDescent, Network, SoftmaxCrossEntropy, lecture
from manual_bp.training.images.data import mnist5k
from torch_ref.lesson import marking

if "get_ipython" not in globals():
    matplotlib.use("Agg")  # a script draws into memory and opens no window

# %% [markdown]
# ## 1. One unit
#
# A unit adds up its inputs, each times a weight, and a bias (E1). Its output is the activation function of this sum
# (E2). The lecture's activation is the sigmoid (E3), which squeezes any number into the range from 0 to 1.
#
# $$net_i = \sum_j W_{ij}\,x_j + b_i \quad (E1) \qquad x_i = \sigma(net_i) \quad (E2) \qquad
# \sigma(z) = \frac{1}{1 + e^{-z}} \quad (E3)$$
#
# The first unit of X1 has the weights 1 and −2 and the bias 1. Its inputs are 1 and −1.


# %%
def sigmoid(z: float) -> float:
    """Return σ(z) (E3)."""
    return 1 / (1 + math.exp(-z))


def net_of(weights: list[float], x: list[float], bias: float = 0.0) -> float:
    """Return the total input of one unit (E1)."""
    return sum(w * x_j for w, x_j in zip(weights, x, strict=True)) + bias


net = net_of([1, -2], [1, -1], bias=1)
print(f"net^1_1 = 1·1 + (−2)·(−1) + 1 = {net:g}    x^1_1 = σ({net:g}) = {sigmoid(net):.2f}")
assert net == 4
assert round(sigmoid(net), 2) == 0.98

# %% [markdown]
# **Exercise 1.** The second unit of X1 has the weights −1 and 1 and the bias 0. What is its output for the inputs 1 and
# −1? Calculate on paper, with a pocket calculator for $e$, and round to 2 decimals.

# %%
output_of_unit_2: float | None = None

# %%
print("Exercise 1.", marking.UNIT.mark(output_of_unit_2))

# %% [markdown]
# ## 2. A network is a function
#
# A layer is a row of units with the same inputs. A network is one layer after the other (E4). Its weights and biases
# together are called θ. The drawing of the units fixes a whole set of functions; θ picks one of them. So the plan has
# three steps: choose a set of functions (a network), measure how well one of them does (a loss), and search for a good
# one (gradient descent).
#
# $$y = f(x) = \sigma(W^L \cdots \sigma(W^2\,\sigma(W^1 x + b^1) + b^2) \cdots + b^L) \quad (E4)$$
#
# X1 is a 2-2-2-2 network. The slides print f(1, −1) = (0.62, 0.83) and f(0, 0) = (0.51, 0.85).


# %%
def layer_of(weights: list[list[float]], biases: list[float], x: list[float]) -> list[float]:
    """Return the outputs of one layer (E1, E2)."""
    return [sigmoid(net_of(row, x, b)) for row, b in zip(weights, biases, strict=True)]


def f(x: list[float]) -> list[float]:
    """Return y for the network of X1 (E4)."""
    x = layer_of([[1, -2], [-1, 1]], [1, 0], x)
    x = layer_of([[2, -1], [-2, -1]], [0, 0], x)
    return layer_of([[3, -1], [-1, 4]], [-2, 2], x)


for point, numbers in zip(lecture.X1_INPUTS, lecture.X1_NUMBERS, strict=True):
    printed = [number.printed for number in numbers if number.quantity.startswith("y")]
    ours = f(list(point))
    by_engine = lecture.x1_network().forward(torch.tensor([point], dtype=torch.float64)).y[0].tolist()
    print(f"f{point} = ({ours[0]:.6f}, {ours[1]:.6f})   on the slides ({', '.join(printed)})")
    assert [f"{y_k:.2f}" for y_k in ours] == printed
    assert all(math.isclose(a, b, rel_tol=1e-14) for a, b in zip(ours, by_engine, strict=True))

# %% [markdown]
# **Exercise 2.** How many numbers are in θ for a network of 784 inputs, 30 hidden units and 10 outputs?

# %%
numbers_in_theta: int | None = None

# %%
print("Exercise 2.", marking.PARAMETERS.mark(numbers_in_theta))

# %% [markdown]
# ## 3. How good is the function?
#
# A loss compares the answer $y$ with the target $t$. Smaller is better. The squared error (E6) suits the sigmoid
# outputs of X2. To tell classes apart, the last layer is a softmax (E5), which turns the net inputs into confidences
# that sum to 1, and the loss is the cross-entropy (E8). Over many samples the losses are added up (E7).
#
# $$L = \tfrac12 \sum_k (t_k - y_k)^2 \quad (E6) \qquad C = \sum_n L^{(n)} \quad (E7) \qquad
# y_k = \frac{e^{net_k}}{\sum_j e^{net_j}} \quad (E5) \qquad L = -\sum_k t_k \ln y_k \quad (E8)$$


# %%
def squared_error(y: list[float], t: list[float]) -> float:
    """Return L (E6)."""
    return sum((t_k - y_k) ** 2 for t_k, y_k in zip(t, y, strict=True)) / 2


def softmax(nets: list[float]) -> list[float]:
    """Return the confidences (E5)."""
    powers = [math.exp(n) for n in nets]
    return [p / sum(powers) for p in powers]


def cross_entropy(y: list[float], t: list[float]) -> float:
    """Return L (E8)."""
    return -sum(t_k * math.log(y_k) for t_k, y_k in zip(t, y, strict=True))


nets, one_hot = [2.0, 0.5, -1.0], [0.0, 1.0, 0.0]
confidences = softmax(nets)
engine_loss = SoftmaxCrossEntropy().forward(torch.tensor([nets]).double(), torch.tensor([one_hot]).double())[0]
print("confidences", [round(c, 4) for c in confidences], f"cross-entropy {cross_entropy(confidences, one_hot):.6f}")
print("X1's first answer against the target (1, 0): squared error", round(squared_error(f([1, -1]), [1, 0]), 6))
assert math.isclose(sum(confidences), 1)
assert math.isclose(cross_entropy(confidences, one_hot), engine_loss.item(), rel_tol=1e-14)

# %% [markdown]
# **Exercise 3.** A network answers with the confidences (0.7, 0.2, 0.1). The right class is the second one. How large
# is the cross-entropy? Round to 2 decimals.

# %%
cross_entropy_of_the_answer: float | None = None

# %%
print("Exercise 3.", marking.ENTROPY.mark(cross_entropy_of_the_answer))

# %% [markdown]
# ## 4. The chain rule
#
# Which way does the loss go when one weight is moved a little? A weight acts on the loss through a chain of other
# quantities. Along one path the derivatives are multiplied (E10). Where there are two paths they are added (E11).
#
# $$y = g(x),\; z = h(y): \quad \frac{dz}{dx} = \frac{dz}{dy}\,\frac{dy}{dx} \quad (E10)$$
#
# $$x = g(s),\; y = h(s),\; z = k(x, y): \quad
# \frac{dz}{ds} = \frac{\partial z}{\partial x}\,\frac{dx}{ds} + \frac{\partial z}{\partial y}\,\frac{dy}{ds}
# \quad (E11)$$
#
# A finite difference knows nothing of these rules: it moves the input by a hair and looks at the output.


# %%
def slope(function: Callable[[float], float], at: float, step: float = 1e-5) -> float:
    """Return the central finite difference."""
    return (function(at + step) - function(at - step)) / (2 * step)


at = 0.7
by_e10 = sigmoid(at**2) * (1 - sigmoid(at**2)) * (2 * at)  # z = σ(y), y = x²
print(f"E10: {by_e10:.9f}   finite difference {slope(lambda x: sigmoid(x**2), at):.9f}")
assert math.isclose(by_e10, slope(lambda x: sigmoid(x**2), at), rel_tol=1e-8)

by_e11 = math.sin(at) * (2 * at) + at**2 * math.cos(at)  # z = x y, x = s², y = sin s
print(f"E11: {by_e11:.9f}   finite difference {slope(lambda s: s**2 * math.sin(s), at):.9f}")
assert math.isclose(by_e11, slope(lambda s: s**2 * math.sin(s), at), rel_tol=1e-8)
assert not math.isclose(math.sin(at) * (2 * at), by_e11, rel_tol=0.1)  # one path alone is not enough

# %% [markdown]
# **Exercise 4.** Let $z = \sigma(s)^2$. Write $dz/ds$ as a function of $s$. You can use `sigmoid`.


# %%
def slope_of_the_square(s: float) -> float | None:
    """Return dz/ds."""
    return None


# %%
print("Exercise 4.", marking.CHAIN.mark(slope_of_the_square))

# %% [markdown]
# ## 5. Forward through X2
#
# X2 is a 2-2-1 network without biases. We use plain numbers, and the lecture's names: `w21` is $W^1_{21}$, the weight
# from input 1 to unit 2 of layer 1; `v1` is $W^2_{11}$.

# %%
x_1, x_2 = lecture.X2_INPUT
(t_1,) = lecture.X2_TARGET
(w11, w12), (w21, w22) = lecture.X2_W1
((v1, v2),) = lecture.X2_W2
lr = lecture.X2_LEARNING_RATE  # the lecture's η

h1 = sigmoid(w11 * x_1 + w12 * x_2)  # x^1_1 (E1, E2)
h2 = sigmoid(w21 * x_1 + w22 * x_2)  # x^1_2
y = sigmoid(v1 * h1 + v2 * h2)
loss = squared_error([y], [t_1])  # E6
print(f"x^1_1 = {h1:.6f}   x^1_2 = {h2:.6f}   y = {y:.6f}   L = {loss:.6f}")

# %% [markdown]
# **Exercise 5.** The network of X2 has answered y = 0.690283. If the target were 0.9 and not 0.5, what would the loss
# be? Round to 4 decimals.

# %%
loss_for_another_target: float | None = None

# %%
print("Exercise 5.", marking.LOSS.mark(loss_for_another_target))

# %% [markdown]
# ## 6. Backward through X2
#
# The sensitivity of a unit is $\delta^l_i = -\partial L/\partial net^l_i$. Mind the minus sign. At the output it comes
# from the error $t - y$ (E13). At a hidden unit the sensitivities above it are added up, each times the weight that
# leads there (E14). Both are one formula, slope times error (E15). The slope of the sigmoid needs no new calculation,
# as the forward pass has stored its output (E16).
#
# $$\delta^L_i = \sigma'(net^L_i)\,(t_i - y_i) \quad (E13) \qquad
# \delta^l_i = \sigma'(net^l_i) \sum_k W^{l+1}_{ki}\,\delta^{l+1}_k \quad (E14)$$
#
# $$\delta^l = \sigma'(net^l)\,e^l \quad (E15) \qquad \sigma'(net^l_i) = x^l_i\,(1 - x^l_i) \quad (E16)$$
#
# A weight acts on the loss only through the net input of its own unit. So its gradient is short (E12), and gradient
# descent moves every weight a little against its gradient (E9).
#
# $$\frac{\partial L}{\partial W^l_{ij}} = -\delta^l_i\,x^{l-1}_j, \quad
# \frac{\partial L}{\partial b^l_i} = -\delta^l_i \quad (E12) \qquad
# \theta \leftarrow \theta - \eta\,\nabla C \quad (E9)$$

# %%
delta = y * (1 - y) * (t_1 - y)  # δ^2_1 (E13, E16)
delta1 = h1 * (1 - h1) * (v1 * delta)  # δ^1_1 (E14, E16)
delta2 = h2 * (1 - h2) * (v2 * delta)  # δ^1_2
gradients = {  # E12
    "W^1_11": -delta1 * x_1,
    "W^1_12": -delta1 * x_2,
    "W^1_21": -delta2 * x_1,
    "W^1_22": -delta2 * x_2,
    "W^2_11": -delta * h1,
    "W^2_12": -delta * h2,
}
before = dict(zip(gradients, (w11, w12, w21, w22, v1, v2), strict=True))
after = {name: before[name] - lr * gradient for name, gradient in gradients.items()}  # E9

by_hand = {"x^1_1": h1, "x^1_2": h2, "y_1": y, "δ^2_1": delta, "δ^1_1": delta1, "δ^1_2": delta2}
by_hand |= {f"∂L/∂{name}": gradient for name, gradient in gradients.items()}
by_hand |= {f"{name} after": weight for name, weight in after.items()}

# %% [markdown]
# The slides calculate on paper. They round as they go and calculate on with what they rounded, so their last digits
# differ from ours. `lecture.on_paper` repeats their arithmetic digit for digit. Look at $\partial L/\partial W^1_{11}$:
# their number is larger by 2 %, because the $\delta^1_1$ in it was rounded before.

# %%
print(f"{'quantity':12} {'exact':>10}  {'slides':>9}  as the slides get it")
paper = lecture.on_paper()
for number in lecture.X2_NUMBERS:
    exact, on_slide = by_hand[number.quantity], paper[number.quantity]
    print(f"{number.quantity:12} {exact:10.6f}  {on_slide.value!s:>9}  {on_slide.text}")
    assert f"{exact:.6f}" == number.exact
    assert str(on_slide.value) == number.printed


# %%
def loss_at(w: float) -> float:
    """Return the loss of X2 with another W^1_11."""
    return squared_error([sigmoid(v1 * sigmoid(w * x_1 + w12 * x_2) + v2 * h2)], [t_1])


print(f"∂L/∂W^1_11: backpropagation {gradients['W^1_11']:.12f}, finite difference {slope(loss_at, w11):.12f}")
assert math.isclose(gradients["W^1_11"], slope(loss_at, w11), rel_tol=1e-8)

# %% [markdown]
# **Exercise 6.** Write δ of a hidden sigmoid unit. Given are its output `x`, the weights from it to the units above,
# and the δ of those units, in the same order.


# %%
def delta_of_hidden_unit(x: float, weights: list[float], deltas: list[float]) -> float | None:
    """Return δ (E14, E16)."""
    return None


# %%
print("Exercise 6.", marking.DELTA.mark(delta_of_hidden_unit))

# %% [markdown]
# ## 7. The same on tensors: `manual_bp`
#
# A `Network` is a tuple of layers and a loss. `forward` keeps every $net^l$ and $x^l$ in a trace, `backward` gives
# every $\delta^l$ and every gradient. Rows are samples, so X2 is a batch of one row.

# %%
network = lecture.x2_network()
x = torch.tensor([lecture.X2_INPUT], dtype=torch.float64)
t = torch.tensor([lecture.X2_TARGET], dtype=torch.float64)

trace = network.forward(x)  # E1, E2, E4
manual_loss = network.loss(trace, t)  # E6
manual = network.backward(trace)  # E12 to E16
print(network.layers)
print(trace)
print(manual)


def assert_close(ours: dict[str, float]) -> None:
    """Compare with the plain Python numbers, quantity by quantity."""
    assert ours
    for name, value in ours.items():
        assert math.isclose(value, by_hand[name], rel_tol=1e-13), f"{name}: {value}, plain Python {by_hand[name]}"


assert math.isclose(manual_loss.item(), loss, rel_tol=1e-13)
assert_close(lecture.entries("x^1", trace.x(1)[0]) | lecture.entries("y", trace.y[0]))
for l, weight in ((1, "0.weight"), (2, "2.weight")):
    assert_close(lecture.entries(f"δ^{l}", manual.delta(l)[0]) | lecture.entries(f"∂L/∂W^{l}", manual[weight]))

# %% [markdown]
# The layers behind these lines are short. `Linear.backward` is E12 and the sum in E14, `Sigmoid.backward` is E16, and
# the only loop over the layers is E15. Each layer takes the *error* of its output, $-\partial L/\partial x$, and
# returns the error of its input. Read `manual_bp/linear.py` and `manual_bp/activation.py`; both fit on a screen.

# %% [markdown]
# **Exercise 7.** Write the gradient of the weights of a layer for a batch. `delta` has a row for each sample and a
# column for each unit, `x` a row for each sample and a column for each input. The result has the shape of $W$, (units,
# inputs).


# %%
def gradient_of_weights(delta: Tensor, x: Tensor) -> Tensor | None:
    """Return ∂L/∂W (E12), summed over the samples (E7)."""
    return None


# %%
print("Exercise 7.", marking.GRADIENT.mark(gradient_of_weights))

# %% [markdown]
# ## 8. The same by autograd: `torch_ref`
#
# `mirror` copies the weights into an `nn.Sequential`. PyTorch records the operations of its forward pass and walks them
# backward by itself; no formula of ours takes part. Both give the same numbers, and not only nearly: every bit is the
# same. (An ulp is the distance from one floating-point number to the next.)

# %%
model, loss_module = torch_ref.mirror(network)
print(model)
values = [x]  # x^0, net^1, x^1, net^2, x^2
for module in model:
    values.append(module(values[-1]))
    values[-1].retain_grad()
autograd_loss = loss_module(values[-1], t)
autograd_loss.backward()


def grad_of(tensor: Tensor) -> Tensor:
    """Return ∂L/∂tensor, which ``backward()`` has left there."""
    assert tensor.grad is not None
    return tensor.grad


parameters = dict(model.named_parameters())
both = {
    "L": (manual_loss.view(1), autograd_loss.detach().view(1)),
    "δ^2": (manual.delta(2)[0], -grad_of(values[3])[0]),  # δ is −∂L/∂net
    "δ^1": (manual.delta(1)[0], -grad_of(values[1])[0]),
    "∂L/∂W^1": (manual["0.weight"], grad_of(parameters["0.weight"])),
    "∂L/∂W^2": (manual["2.weight"], grad_of(parameters["2.weight"])),
}
print(f"{'quantity':8}  {'by hand, by autograd (first entry)':45}  apart")
for name, (hand, autograd) in both.items():
    first, second = hand.flatten()[0].item(), autograd.flatten()[0].item()
    print(f"{name:8}  {first!r:22} {second!r:22}  {torch_ref.ulp_distance(hand, autograd).max():g} ulp")
    assert torch.equal(hand, autograd)

# %% [markdown]
# `crosscheck` does this for every quantity of a pass and calls a third witness, finite differences. *Whole pass* is
# what came out in the end. *Formula alone* gives each formula the reference's inputs, so that a mistake in an earlier
# one cannot spoil it. We take a larger network and more samples: with one sample, no sum over the samples is tested.

# %%
generator = torch.Generator().manual_seed(1)
larger = manual_bp.mlp([5, 4, 3], generator=generator, dtype=torch.float64)
rows_x, rows_t = (torch.rand(7, n, generator=generator, dtype=torch.float64) for n in (5, 3))
report = torch_ref.crosscheck(larger, rows_x, rows_t)
print(report)
assert report.ok
assert report.identical

# %% [markdown]
# **Exercise 8.** Get δ from autograd. `loss` has been computed from `net`, a tensor that requires gradients. Use
# `loss.backward()` and `net.grad`, or `torch.autograd.grad(loss, net)`, which returns a tuple.


# %%
def delta_by_autograd(loss: Tensor, net: Tensor) -> Tensor | None:
    """Return δ = −∂L/∂net."""
    return None


# %%
print("Exercise 8.", marking.AUTOGRAD.mark(delta_by_autograd))

# %% [markdown]
# ## 9. Just repeat
#
# Forward, backward, update (E9), again and again: the answer $y$ moves towards the target and the loss falls. We let
# both engines run 300 updates on X2, from the same weights. They still agree in the last bit at the end.

# %%
network = lecture.x2_network()
model, loss_module = torch_ref.mirror(network)
descent, optimizer = GradientDescent(network, lr=lr), torch.optim.SGD(model.parameters(), lr=lr)
losses, moved = [], dict[str, float]()
for _ in range(300):
    trace = network.forward(x)
    losses.append(network.loss(trace, t).item())
    descent.update(network.backward(trace))  # E9

    optimizer.zero_grad()
    loss_module(model(x), t).backward()
    optimizer.step()
    if not moved:
        w1, w2 = network.parameters().values()
        moved = lecture.entries("W^1", w1) | lecture.entries("W^2", w2)
assert_close({f"{name} after": weight for name, weight in moved.items()})

print(f"L = {losses[0]:.6f} at first, {losses[1]:.6f} after one update, {losses[-1]:.1e} after {len(losses) - 1}")
assert all(later < earlier for earlier, later in pairwise(losses))
assert all(torch.equal(network.parameters()[name], p) for name, p in model.named_parameters())

figure, axes = plt.subplots(figsize=(6, 3))
axes.semilogy(losses)
axes.set(xlabel="updates", ylabel="L", title="X2: just repeat")
figure.tight_layout()

# %% [markdown]
# **Exercise 9.** Write one update of one weight `w` with its gradient and the learning rate.


# %%
def weight_after(w: float, gradient: float, eta: float) -> float | None:
    """Return the weight after gradient descent (E9)."""
    return None


# %%
print("Exercise 9.", marking.UPDATE.mark(weight_after))

# %% [markdown]
# ## 10. Digits
#
# Now 784 pixels in, 30 hidden units, and 10 confidences out. 4,000 real digits come with the package to learn from, and
# 1,000 others to test with. With softmax and cross-entropy the output needs no slope at all:
#
# $$\delta^L_i = t_i - y_i \quad (E17)$$
#
# An update looks at 20 digits at a time. Their gradients are added up (E7) and divided by 20.

# %%
train, test = mnist5k()
pixels, labels = train.pixels.flatten(1) / 255, train.labels
test_pixels, test_labels = test.pixels.flatten(1) / 255, test.labels

generator = torch.Generator().manual_seed(0)
reader = manual_bp.mlp([784, 30, 10], loss=SoftmaxCrossEntropy(), generator=generator)
descent, losses = GradientDescent(reader, lr=0.5), []
for epoch in range(1, 5):
    for batch in torch.randperm(len(train), generator=generator).view(-1, 20):
        trace = reader.forward(pixels[batch])
        losses.append(reader.loss(trace, labels[batch]).item())
        descent.update(reader.backward(trace))
    answers = reader.forward(test_pixels).y.argmax(1)
    right = (answers == test_labels).double().mean().item()
    print(f"epoch {epoch}: {right:.1%} of the test digits are right")
assert right > 0.88

# %%
some = test_pixels[:5], test_labels[:5]
trace = reader.forward(some[0])
reader.loss(trace, some[1])
one_hot_rows = manual_bp.one_hot(some[1], 10, like=trace.y)
of_all = reader.backward(trace)
assert torch.allclose(5 * of_all.delta(2), one_hot_rows - trace.y, rtol=0, atol=1e-6)  # E17


def gradient_of(image: Tensor, label: Tensor) -> Tensor:
    """Return ∂L/∂W^1 of one digit."""
    trace = reader.forward(image[None])
    reader.loss(trace, label[None])
    return reader.backward(trace)["0.weight"]


one_by_one = torch.stack([gradient_of(*digit) for digit in zip(*some, strict=True)])
assert torch.dist(5 * of_all["0.weight"], one_by_one.sum(0)) < 1e-5 * one_by_one.sum(0).norm()  # E7
assert torch_ref.crosscheck(reader, *some).identical

figure, (left, *small) = plt.subplots(1, 6, figsize=(10, 2.4), width_ratios=[2.5, 1, 1, 1, 1, 1])
left.plot(losses, linewidth=0.4)
left.set(xlabel="updates", ylabel="L")
for axes, image, confidence, answer in zip(small, some[0], *trace.y.max(1), strict=True):
    axes.imshow(image.view(28, 28).numpy(), cmap="gray_r")
    axes.set_title(f"{answer}: {confidence:.0%}")
    axes.axis("off")
figure.tight_layout()

# %% [markdown]
# **Exercise 10.** Write δ of a softmax layer with cross-entropy for a batch. `net` and the one-hot targets `t` have a
# row for each sample and a column for each class. You can use `torch.exp`, or `net.softmax(dim)`.


# %%
def delta_of_softmax(net: Tensor, t: Tensor) -> Tensor | None:
    """Return δ (E17), each row by itself, without a mean over the samples."""
    return None


# %%
print("Exercise 10.", marking.SOFTMAX.mark(delta_of_softmax))

# %% [markdown]
# ## 11. A layer of your own
#
# A layer is a class with two methods. `forward(x)` returns the output and what backward will need.
# `backward(error, saved)` takes the error of the output; it returns the error of the input, and the gradients of the
# parameters by name (none here).
#
# We write the softplus, a ReLU with a soft bend: $\sigma(z) = \ln(1 + e^z)$. The first try has a mistake. Can you see
# it?


# %%
class Softplus:
    """ln(1 + e^z)."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return x^l = ln(1 + e^net); saves net."""
        net = x
        return torch.log1p(torch.exp(net)), net

    def backward(self, error: Tensor, saved: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return δ, or so we think."""
        return error, {}


# %% [markdown]
# Tell `torch_ref` which module of PyTorch the layer should equal. Then build a network with it and ask for the verdict.

# %%
torch_ref.module_of.register(Softplus, lambda layer: nn.Softplus())


def with_layer(layer: manual_bp.Layer) -> Network:
    """Return a small network with this activation, the same weights at every call."""
    weights = torch.Generator().manual_seed(2)
    return manual_bp.mlp([5, 4, 3], activation=layer, generator=weights, dtype=torch.float64)


report = torch_ref.crosscheck(with_layer(Softplus()), rows_x, rows_t)
print(report)
assert not report.ok
assert {row.quantity for row in report.guilty} == {"δ^1", "δ^2"}
assert "the derivative is missing" in report.verdict

# %% [markdown]
# The verdict names the method, the line and the cause: E15 asks for slope times error, and we have passed the error on
# as it came. Wrong gradients of the weights are only consequences.
#
# The slope of $\ln(1 + e^z)$ is $e^z / (1 + e^z)$, the sigmoid. In a notebook you would mend the class and run its
# cell and the next one again. Here a second class keeps the forward direction and mends the other one. It needs no
# registration of its own.


# %%
class MendedSoftplus(Softplus):
    """The softplus with its derivative."""

    def backward(self, error: Tensor, saved: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return δ = σ′(net) e (E15)."""
        return torch.sigmoid(saved) * error, {}


report = torch_ref.crosscheck(with_layer(MendedSoftplus()), rows_x, rows_t)
print(report.verdict)
assert report.ok
torch_ref.assert_gradients_match(report)  # the same in a test of yours: it raises the verdict where something is wrong

# %% [markdown]
# Right, up to the last bits: PyTorch calculates the same slope in other steps.
#
# **Exercise 11.** Write the backward direction of a leaky ReLU: $z$ where $z > 0$, and $0.1\,z$ elsewhere.


# %%
class LeakyReLU:
    """Leaves z > 0 as it is, and takes 0.1 z of all others."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return x^l; saves net."""
        net = x
        return torch.where(net > 0, net, 0.1 * net), net

    def backward(self, error: Tensor, saved: Tensor) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Return δ = σ′(net) e (E15); ``saved`` is net."""
        return None, {}


# %%
leaky = LeakyReLU()
print("Exercise 11.", marking.LEAKY.mark(lambda error, net: leaky.backward(error, leaky.forward(net)[1])[0]))

# %% [markdown]
# ## Where to go on
#
# Write a layer with a parameter: a scale $a_i$ for each unit, $x_i = a_i\,net_i$. It returns a gradient for `a`, too.
# Check that one alone, against a function of PyTorch:
# `torch_ref.check_layer(Scale(torch.rand(4)), torch.rand(7, 4), lambda x, a: a * x)`.
#
# `python -m torch_ref compare` walks through a pass in the terminal, `python -m torch_ref lesson` writes the page to
# read and play with, and `python -m torch_ref grade --template` gives you all formulas of this lecture to fill in.
