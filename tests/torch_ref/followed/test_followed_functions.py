import itertools

import numpy as np
import pytest

from tests.torch_ref.followed.against_numpy import check

AXES = ("", ", axis=0", ", axis=1", ", axis=-1", ", axis=(0, 1)", ", keepdims=True", ", axis=0, keepdims=True")

REDUCTIONS = [
    f"np.{name}({array}{axis})"
    for name, array, axis in itertools.product(("sum", "mean", "std", "var", "max", "min", "prod"), "ad", AXES)
]

METHODS = [
    f"a.{name}({axis})"
    for name, axis in itertools.product(
        ("sum", "mean", "std", "var", "max", "min", "prod", "cumsum", "argmax", "argmin", "argsort", "any", "all"),
        ("", "axis=0", "axis=-1", "1"),
    )
]

STATISTICS = """
np.sum(a)
a.sum(1)
np.var(d, axis=(0,2), keepdims=True)
np.std(a, axis=0, ddof=1)
a.mean(axis=1, keepdims=True)
np.max(a, axis=1)
a.max()
np.prod(a, axis=(0,1))
np.mean(a, where=a > 0)
np.nansum(a)
np.nansum(np.where(a > 0, a, np.nan), axis=1, keepdims=True)
np.nanmean(np.where(a > -0.5, a, np.nan))
np.nanmax(np.where(a > 0, a, np.nan))
np.nanmin(np.where(a > 0, a, np.nan), axis=1)
np.sum(a, axis=0, where=p > 0.5, initial=2.0)
np.max(a, initial=0.3, where=p > 0.5)
np.ptp(a, axis=1)
np.median(a)
np.median(a, axis=0)
np.median(v)
np.median(a, axis=1, keepdims=True)
np.average(a, axis=0)
np.average(a, weights=p)
np.average(a, axis=1, weights=q)
np.average(a, axis=1, weights=k)
np.cumsum(a)
np.cumsum(a, axis=1)
np.cumprod(a, axis=0)
np.diff(a)
np.diff(a, n=2, axis=1)
"""

PRODUCTS = """
np.dot(a, e)
np.dot(a, b)
np.dot(b, b)
np.dot(d, b)
np.dot(d, e)
np.dot(a, f)
np.dot(d, f)
np.dot(a, 2)
np.dot(z, a)
a.dot(e)
a @ e
d @ e
d @ f
b @ e
a @ b
b @ f
np.matmul(d, f)
np.vdot(b, b)
np.inner(a, d)
np.inner(b, b)
np.outer(b, v)
np.outer(a, b)
np.tensordot(a, e, axes=1)
np.tensordot(d, f, axes=([1, 2], [2, 1]))
np.tensordot(d, a, axes=2)
np.tensordot(a, a, axes=(0, 0))
np.einsum('ij,jk->ik', a, e)
np.einsum('ij,jk', a, e)
np.einsum('ij->ji', a)
np.einsum('ij->', a)
np.einsum('ii->i', s)
np.einsum('ii', s)
np.einsum('bij,bjk->bik', d, f)
np.einsum('...j,j->...', d, b)
np.einsum('i,j->ij', b, v, optimize=True)
np.einsum('nij,ij->n', d, a)
np.kron(b, v)
np.kron(a, s)
np.cross(s, s.T)
np.cross(s[0], s)
np.trace(a)
np.trace(a, offset=1)
np.trace(d, axis1=1, axis2=2)
np.linalg.norm(a)
np.linalg.norm(a, axis=1)
np.linalg.norm(a, axis=1, keepdims=True)
np.linalg.norm(a, 1)
np.linalg.norm(b, 1)
np.linalg.norm(b, np.inf)
np.linalg.norm(a, ord=1, axis=0)
np.linalg.norm(a, 'fro')
np.linalg.norm(s, 2)
np.linalg.norm(d)
np.linalg.norm(b, 3)
np.linalg.inv(s)
np.linalg.solve(s, c)
np.linalg.solve(s, c[:, 0])
np.linalg.solve(s, a)
np.linalg.det(s)
np.linalg.slogdet(s)
np.linalg.slogdet(s)[1]
np.linalg.pinv(a)
np.linalg.cholesky(s @ s.T + np.eye(len(s)))
np.linalg.eigvalsh(s @ s.T)
np.convolve(b, v)
np.convolve(b, v, 'same')
np.convolve(b, v, 'valid')
np.convolve(v, b[:2], 'same')
np.convolve(b[:3], b[1:], 'same')
np.correlate(b, v)
np.correlate(b, v, 'same')
np.correlate(v, b, 'full')
np.correlate(b, b[:2], 'same')
np.correlate(b[:3], b, 'same')
np.linalg.matrix_power(s, 3)
np.linalg.multi_dot([a, e, e.T])
"""

CHOICES = """
np.where(a > 0, a, 0)
np.where(a > 0, a, 0.01 * a)
np.where(a > 0, 1.0, a)
np.where(a > 0, w64, a)
np.where(a > 0)
np.where(m, a, c)
np.select([a > 0.5, a > 0], [a, a**2], 3.0)
np.clip(a, -0.3, 0.3)
np.clip(a, 0, None)
np.clip(a, None, 0.2)
np.clip(a, a_min=-p, a_max=p)
a.clip(0.1)
a.clip(min=0.1, max=0.5)
a.clip(-0.2, 0.2)
np.clip(a, 1e-12, 1 - 1e-12)
np.nan_to_num(a)
np.round(a, 1)
np.sort(a)
np.sort(a, axis=0)
np.sort(d, axis=None)
np.argsort(a, axis=1)
np.unique(v)
"""

OTHERS = """
np.zeros_like(a)
np.zeros_like(a, dtype=int)
np.ones_like(a)
np.full_like(a, 2)
np.copy(a)
a.copy()
np.atleast_2d(b)
np.atleast_1d(z)
np.compress(m, a, axis=1)
np.extract(a > 0, a)
np.any(a > 0.5, axis=1)
np.all(a > -1)
np.any(a)
np.allclose(a, a)
np.isclose(a, a + 1e-12)
np.array_equal(a, a)
np.count_nonzero(a > 0)
np.argmax(a, axis=1)
np.argmin(a)
np.nonzero(a > 0)
np.isnan(a)
np.isfinite(a).all()
np.sign(a)
np.floor(a * 3)
a // 0.3
a % 0.3
np.shape(a)
np.ndim(a)
np.size(a)
a.astype(int)
a.astype('float64')
(a > 0).astype(a.dtype) * a
len(a)
[row.sum() for row in a]
sum(row.sum() for row in a)
sum([x * x for x in b])
max(b)
a.item(3)
z.item() * a
o.item() * a
a.tolist()
a.shape[0] * a.ndim * a.size
np.fix(a * 3)
np.real(a)
np.searchsorted(np.sort(v), 0.3)
np.bincount((a > 0).sum(1).astype(int))
np.maximum.reduce(a)
np.add.reduce(a, axis=1)
np.add.accumulate(a, axis=1)
np.multiply.outer(b, v)
np.subtract.outer(b, b)
np.add.reduce(a)
np.logaddexp.reduce(a, axis=1)
np.maximum.accumulate(a, axis=0)
np.add.outer(np.arange(3), b)
"""


TABLE = [line for lines in (STATISTICS, PRODUCTS, CHOICES, OTHERS) for line in lines.splitlines() if line]


@pytest.mark.long(but=70)
@pytest.mark.parametrize("source", REDUCTIONS + METHODS + TABLE)
def test_a_function_gives_what_numpy_gives(source):
    check(source)
    check(source, np.float32)


@pytest.mark.parametrize("source", REDUCTIONS[::3])
def test_half_precision_stays_half_precision(source):
    check(source, np.float16)
