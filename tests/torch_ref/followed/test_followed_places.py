"""Numbers at other places: functions that move them, indexing, writing in place, views."""

import numpy as np
import pytest

from tests.torch_ref.followed.against_numpy import check

MOVED = """
np.reshape(a, (4, 3))
a.reshape(-1)
a.reshape(2, -1)
a.reshape((2, 6))
a.reshape(a.shape[0], -1)
a.T
d.T
a.T.reshape(2, 6)
np.ravel(a)
a.ravel()
a.T.ravel()
a.flatten()
np.transpose(d, (1, 0, 2))
d.transpose(2, 0, 1)
d.transpose()
d.swapaxes(0, 2)
np.moveaxis(d, 0, -1)
np.rollaxis(d, 2)
np.expand_dims(a, 1)
np.expand_dims(a, axis=-1)
np.squeeze(c)
c.squeeze(axis=1)
o.squeeze()
np.broadcast_to(b, (3, 4))
np.broadcast_to(c, (2, 3, 4))
np.tile(b, 3)
np.tile(a, (2, 1))
np.repeat(a, 2)
np.repeat(a, 2, axis=1)
np.repeat(a, [1, 0, 2], axis=0)
a.repeat(2, axis=0)
np.roll(a, 1)
np.roll(a, -1, axis=1)
np.flip(a)
np.flip(a, axis=1)
np.fliplr(a)
np.rot90(a)
np.take(a, i, axis=0)
np.take(a, 5)
a.take(i, axis=1)
np.take_along_axis(a, np.argmax(a, axis=1)[:, None], axis=1)
np.take_along_axis(a, np.argsort(a, axis=1), axis=1)
np.diag(b)
np.diag(a)
np.diag(a, k=1)
np.diagonal(d, axis1=1, axis2=2)
np.diagflat(b)
np.tril(s)
np.triu(a, 1)
np.split(a, 2, axis=1)
np.array_split(v, 4)
np.hsplit(a, 2)
np.vsplit(d, 2)
np.delete(a, 1, axis=0)
np.concatenate([a, a], axis=1)
np.concatenate((a, p))
np.concatenate([b, w64])
np.concatenate([b, v, b])
np.concatenate([a, d], axis=None)
np.stack([a, p])
np.stack([a, p], axis=-1)
np.stack((b, w64), axis=1)
np.vstack([a, b])
np.vstack((b, b))
np.hstack([a, c])
np.hstack([b, v])
np.dstack([a, a])
np.column_stack([b, b])
np.column_stack([a, np.ones((3, 1))])
np.block([[a, c], [a, c]])
np.append(a, p)
np.append(a, c, axis=1)
np.append(b, 1)
np.append(b, 1.0)
np.insert(b, 1, 2.0)
np.insert(a, 0, 1, axis=1)
np.pad(a, 1)
np.pad(a, ((1, 0), (0, 2)), mode='constant')
np.pad(a, ((1, 1), (0, 0)), 'constant', constant_values=3)
np.pad(a, 1, constant_values=0.5)
np.pad(d, ((0, 0), (1, 1), (1, 1)), mode='edge')
np.pad(a, 1, mode='reflect')
np.pad(a, 1, mode='symmetric')
np.pad(a, 1, mode='wrap')
windows(a, (2, 2))
windows(v, 3)
windows(d, (2, 2), axis=(1, 2)).reshape(2, -1, 4)
"""

READ = """
a[0]
a[1, 2]
a[-1]
a[:, 1]
a[1:, ::2]
a[::-1]
a[:, ::-1] * 2
a[..., 0]
a[0, ...]
a[None]
a[:, None, :]
a[np.newaxis, 1]
a[i]
a[i, i]
a[i, :2]
a[:, i]
a[[0, 1]]
a[[0, 1], [2, 3]]
a[(0, 1)]
a[a > 0]
a[:, m]
a[np.arange(3), np.array([1, 0, 3])]
a[range(3), [1, 0, 3]]
a[np.arange(3)[:, None], i]
a[np.ix_([0, 2], [1, 3])]
a[np.int64(1)]
a[np.array(1)]
a[np.array(1), np.array(2)]
a[-1, -1]
d[0, :, 1]
d[:, [0, 2]]
d[1, i, :]
d[d > 0.2]
d[..., None, 1]
a[()]
z[()]
z[...]
a[True]
a[1][2]
a[1:][0][::2]
a.T[1]
a.T[i]
a[0:0]
a[np.array([], dtype=int)]
a[np.zeros((3, 4), bool)]
"""

WRITTEN = """
r = a * 1; r[r < 0] = 0
r = a * 1; r[0] = 0
r = a * 1; r[:, 1] = b[1]
r = a * 1; r[1] = b
r = a * 1; r[1:] = b
r = a * 1; r[:, 1:2] = c
r = a * 1; r[...] = 2
r = a * 1; r[:] = a[::-1]
r = a * 1; r[0, 0] = a[1, 1] * 2
r = a * 1; r[i] = b
r = a * 1; r[i] = p
r = a * 1; r[[0, 1], [2, 3]] = b[:2]
r = a * 1; r[a > 0] = a[a > 0] ** 2
r = a * 1; r[a > 0] += 1
r = a * 1; r[a > 0] *= 0.1
r = a * 1; r[i] += b
r = a * 1; r[:, i] -= 1.5
r = a * 1; r[1:] += r[:-1]
r = a * 1; r[1:] = r[:-1]
r = a * 1; r[:, :-1] = r[:, 1:]
r = a * 1; r += b
r = a * 1; r -= c
r = a * 1; r *= a
r = a * 1; r /= np.sum(r)
r = a * 1; r **= 2
r = np.exp(a); r /= r.sum(axis=1, keepdims=True)
r = np.exp(a); s2 = r.sum(); r /= s2; r = r * s2
r = a * 1; t = r[0]; t += 1; r = r + t
r = a * 1; t = r.T; t[0] = 5; r = r * 2
r = a * 1; t = r.reshape(-1); t[3] = b[0]; r = r * t.sum()
r = a * 1; t = r.ravel(); t *= 2
r = a * 1; t = r.flatten(); t *= 2
r = a * 1; t = r[1:]; u = t[:, 0]; u[:] = 7 * b[0]; r = r + t.sum()
r = a * 1; t = r[1, 2]; t += 1; r = r * t
r = a * 1; t = r[1, 2, ...]; t += 1; r = r * t
r = a * 1; t = a; t = t + 1; r = r * t
r = a; r[0] = 1; r = a * 2
r = a; r += 1
a += b; r = a * a
a[0] *= 3; r = a
r = np.zeros_like(a); r[0] = b
r = np.zeros_like(a); r[1] += b; r[:, 1] += 2 * b[0]
r = np.zeros_like(a); np.add.at(r, i, b)
r = np.zeros_like(a); np.add.at(r, (i, i), b[:3])
r = a * 1; np.subtract.at(r, i, 1.0)
r = np.zeros_like(a); np.add.at(r, (slice(None), i), c)
r = np.empty_like(a); r[:] = a; r.fill(3); r += b
r = np.copy(a); r[r > 0.5] = 0.5
r = a.copy(); r.sort(axis=1)
r = a * 1; np.copyto(r, b)
r = a * 1; np.copyto(r, 0, where=a > 0)
r = a * 1; np.multiply(r, b, out=r)
r = np.zeros_like(a); np.exp(a, out=r); r = r * 2
r = np.zeros_like(a); np.add(a, b, r)
r = np.zeros_like(a); np.log(a, out=r, where=a > 0)
r = np.ones_like(a); np.divide(b, a, out=r, where=a > 0.3)
r = np.zeros_like(c); np.sum(a, axis=1, keepdims=True, out=r)
r = a * 1; np.clip(r, 0, 0.5, out=r)
r = a.sum(); r += 1
r = a.sum(); r += b
r = 0; r += a.sum(); r += a[0]
r = 1; r = r - a; r **= 2
r = a[0, 0]; r *= 3; r = r * a
r = [x * 2 for x in a]; r[0] = r[0] * 2
r = a * 1; r.shape = (4, 3); r = r @ a
r = a * 1; r[0], r[1] = r[1] * 2, r[0] * 3
r = a * 1; r[i, 0] = [1, 2, 3]
r = a * 1; r[0] = [1, 2, 3, 4]
r = a * 1; r[::-1] = 2.0
r = a * 1; r[::-1, 0] = b[:3]
r = a * 1; r[None, 0] = b
r = np.tanh(a); r *= r; r = r * r
r = a * 1; q2 = r * r; r[:] = 0; r = q2 + r
r = np.zeros_like(d); r[:, 1:, :] = a[1:]; r[0] = a
r = [x for x in d]; r = np.stack(r, axis=1)
r = d * 1; r[0][1][2] = b[0]
r = a * 1; r[m.nonzero()[0][:2]] = 1
r = a * w32; r = r.dtype.itemsize
r = a * 1; r[1] = w32
r = a * 1; t = r[::-1]; t = t[1:] * 2
r = a * 1; t = r[::-1]; t = t[1:].astype(a.dtype, copy=False) * 2
"""


@pytest.mark.long(but=45)
@pytest.mark.parametrize("source", [line for lines in (MOVED, READ, WRITTEN) for line in lines.splitlines() if line])
def test_numbers_stand_where_numpy_puts_them(source):
    check(source)
    check(source, np.float32)
