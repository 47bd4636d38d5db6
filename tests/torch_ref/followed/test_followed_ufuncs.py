import numpy as np
import pytest

from tests.torch_ref.followed.against_numpy import check

UNARY = """negative positive absolute fabs exp exp2 expm1 sin cos tan sinh cosh tanh arctan arcsinh square sign cbrt
degrees radians rad2deg deg2rad reciprocal floor ceil rint trunc isnan isinf isfinite signbit logical_not conjugate
nan_to_num"""

OF_POSITIVE = "log log2 log10 log1p sqrt arcsin arccos arctanh"

BINARY = """add subtract multiply divide true_divide maximum minimum fmax fmin logaddexp logaddexp2 hypot arctan2
copysign greater less equal not_equal greater_equal less_equal logical_and logical_or floor_divide remainder fmod mod
heaviside"""

OTHERS = ("0.35", "2", "k", "w32", "w64", "n32", "np.float64(0.35)", "True", "[1, 2, 3, 4]", "b", "c", "d", "b.sum()")
"""What stands beside an array; in float32 each has its own rule of promotion."""

OPERATORS = "+ - * / ** // > < >= <= == !="

SOURCES = [
    *(f"np.{name}({x})" for name in UNARY.split() for x in ("a", "a.sum()")),
    *(f"np.{name}({x})" for name in OF_POSITIVE.split() for x in ("p", "p[0, 0]")),
    *(f"np.{name}(a, {other})" for name in BINARY.split() for other in OTHERS),
    *(f"np.{name}({other}, a)" for name in BINARY.split() for other in ("0.35", "2", "w64")),
    *(f"p {operator} {other}" for operator in OPERATORS.split() for other in OTHERS),
    *(f"{other} {operator} p" for operator in OPERATORS.split() for other in OTHERS[:7]),
]

WRITTEN_OUT = """
np.arccosh(1 + p)
a ** 2
a ** -1
a ** 3
a ** 0
2 ** a
a ** k
np.power(p, a)
np.power(a, 2)
np.power(2.0, a)
np.float_power(p, 2)
p ** 0.5
p ** a
-a
+a
abs(a)
w64 @ e
k @ e
a @ k
1 - a
1 / (1 + np.exp(-a))
np.float32(2) * a
np.exp(a) / np.exp(a).sum(1, keepdims=True)
a == a.max(axis=1, keepdims=True)
(a > 0) & (a < 0.5)
~(a > 0)
(a > 0) * d
np.log(np.sum(np.exp(a - a.max()))) + a.max()
a.mean() - b
a.sum() > 0
bool(a.sum() > 0)
int(a.sum() * 10.4)
a * np.ones(())
np.square(a).sum() / 2
np.add(a, b, dtype=np.float64)
np.sqrt(np.var(a, axis=0) + 1e-5)
np.maximum(0, a)
np.where(a > 0, a, 0.01 * a)
np.matmul(d, f)
np.matmul(a.T, a)
np.add.reduce(d, axis=(0, 2))
np.maximum.reduce(a, axis=None)
np.log(p, where=p > 0.5, out=np.zeros_like(p))
"""


GRID = {f"np.{name}(a, {x})" for name in BINARY.split() for x in OTHERS}
GRID |= {f"p {operator} {x}" for operator in OPERATORS.split() for x in OTHERS}
QUICK = {f"np.{name}(a, {x})" for name in ("add", "maximum") for x in OTHERS}
QUICK |= {f"np.{name}(a, {x})" for name in BINARY.split() for x in ("0.35", "c")}
QUICK |= {f"p {operator} {x}" for operator in ("+", "**") for x in OTHERS}
QUICK |= {f"p {operator} {x}" for operator in OPERATORS.split() for x in ("2", "w32")}
"""Of all pairs those of a few functions, and those with a few of what stands beside."""


@pytest.mark.parametrize(
    "source",
    [pytest.param(one, marks=pytest.mark.long) if one in GRID - QUICK else one for one in SOURCES]
    + WRITTEN_OUT.split("\n")[1:-1],
)
def test_a_ufunc_gives_what_numpy_gives(source):
    check(source)
    check(source, np.float32)
