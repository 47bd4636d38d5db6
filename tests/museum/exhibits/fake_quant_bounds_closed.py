"""What is clamped lies exactly on the bound, and there the gradient is cut.

Source: https://github.com/pytorch/ao/pull/4806
What it did: a new convention for clamp at its bounds, harmless for other numbers, cut the gradient of everything that
was saturated: quantised training went astray after thousands of steps, without an error.
"""

from museum.exhibit import Exhibit, normal

LOW, HIGH = -8, 7


def forward(x):
    return (x * 2).round().clamp(LOW, HIGH) / 2


def right(d, x):
    q = (x * 2).round().clamp(LOW, HIGH)
    return d * ((q >= LOW) & (q <= HIGH))  # a straight-through estimator: saturated numbers pass too


def wrong(d, x):
    q = (x * 2).round().clamp(LOW, HIGH)
    return d * ((q > LOW) & (q < HIGH))


def reference(x):
    return x + (forward(x) - x).detach()


def inputs():
    return [3 * normal((5, 6), seed=14)[0]]


EXHIBIT = Exhibit(
    title="fake quantisation: bounds cut",
    source="https://github.com/pytorch/ao/pull/4806",
    check="check_function",
    guilty=("gradient of x",),
    causes=frozenset({"wrong-mask"}),
    needs={"reference": reference, "differences": False},
    why="a straight-through estimator is not the derivative: which gradient is meant, the reference has to say",
)
