"""Functions that students write beside their classes, in words that torch and numpy share."""

from __future__ import annotations

HELPERS = {
    "sigmoid": """
def sigmoid(z):
    return 1 / (1 + xp.exp(-z))
""",
    "top": """
def top(x):
    return xp.amax(x, 1, keepdims=True)
""",
    "softmax": """
def softmax(x, axis=1):
    e = xp.exp(x - xp.amax(x, axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)
""",
    "log_softmax": """
def log_softmax(x):
    z = x - xp.amax(x, 1, keepdims=True)
    return z - xp.log(xp.exp(z).sum(1, keepdims=True))
""",
    "pad": """
def pad(x, p, down=0, right=0):
    n, c, h, w = x.shape
    wide = xp.zeros((n, c, h + 2 * p + 8, w + 2 * p + 8), dtype=x.dtype)
    wide[:, :, 4 + p : 4 + p + h, 4 + p : 4 + p + w] = x
    return wide[:, :, 4 + down : 4 + down + h + 2 * p, 4 + right : 4 + right + w + 2 * p]
""",
    "columns": """
def columns(x, kernel, s, p, down=0, right=0, step=None):
    (k, m), step = kernel, step or s
    h, w = (x.shape[2] + 2 * p - k) // s + 1, (x.shape[3] + 2 * p - m) // s + 1
    padded = pad(x, p, down, right)
    cols = xp.zeros((x.shape[0], x.shape[1], k, m, h, w), dtype=x.dtype)
    for i in range(k):
        for j in range(m):
            cols[:, :, i, j] = padded[:, :, i : i + step * (h - 1) + 1 : step, j : j + step * (w - 1) + 1 : step]
    return cols
""",
    "folded": """
def folded(cols, x, s, p, down=0, right=0, add=True):
    n, c, k, m, h, w = cols.shape
    wide = xp.zeros((n, c, x.shape[2] + 2 * p + 8, x.shape[3] + 2 * p + 8), dtype=x.dtype)
    for i in range(k):
        for j in range(m):
            rows, across = slice(4 + i, 4 + i + s * (h - 1) + 1, s), slice(4 + j, 4 + j + s * (w - 1) + 1, s)
            if add:
                wide[:, :, rows, across] += cols[:, :, i, j]
            else:
                wide[:, :, rows, across] = cols[:, :, i, j]
    u, v = 4 + p - down, 4 + p - right
    return wide[:, :, u : u + x.shape[2], v : v + x.shape[3]]
""",
    "rows": """
def rows(w):
    return w.reshape(len(w), -1)
""",
    "flat": """
def flat(cols):
    n, c, k, m, h, w = cols.shape
    return cols.reshape(n, c * k * m, h * w)
""",
    "shape_of": """
def shape_of(cols, c):
    return (cols.shape[0], c, cols.shape[4], cols.shape[5])
""",
    "slid": """
def slid(x, weight, b, s, p):
    (k, m), padded = weight.shape[2:], pad(x, p)
    h, w = (x.shape[2] + 2 * p - k) // s + 1, (x.shape[3] + 2 * p - m) // s + 1
    net = xp.zeros((len(x), len(weight), h, w), dtype=x.dtype)
    for q in range(h):
        for r in range(w):
            window = padded[:, :, q * s : q * s + k, r * s : r * s + m]
            net[:, :, q, r] = window.reshape(len(x), -1) @ weight.reshape(len(weight), -1).T + b
    return net
""",
    "sent_back": """
def sent_back(d, weight, x, s, p, add=True):
    (k, m), error = weight.shape[2:], pad(0 * x, p)
    for q in range(d.shape[2]):
        for r in range(d.shape[3]):
            sent = (d[:, :, q, r] @ weight.reshape(len(weight), -1)).reshape(len(x), -1, k, m)
            if not add:
                error[:, :, q * s : q * s + k, r * s : r * s + m] = sent
            else:
                error[:, :, q * s : q * s + k, r * s : r * s + m] += sent
    return error[:, :, p : p + x.shape[2], p : p + x.shape[3]]
""",
    "counts": """
def counts(cols, x, s, p):
    found = folded(xp.ones_like(cols), x, s, p)
    return xp.where(found > 0, found, xp.ones_like(found))
""",
    "first": """
def first(boxes, smallest=False, last=False):
    n, c, k, m, h, w = boxes.shape
    flat = -boxes.reshape(n, c, k * m, h, w) if smallest else boxes.reshape(n, c, k * m, h, w)
    order = xp.flip(flat, (2,)) if last else flat
    at = order.argmax(2)
    at = k * m - 1 - at if last else at
    mask = xp.zeros_like(flat)
    for i in range(k * m):
        mask[:, :, i] = 1.0 * (at == i)
    return mask.reshape(boxes.shape)
""",
    "largest": """
def largest(x, k, s):
    h, w = (x.shape[2] - k) // s + 1, (x.shape[3] - k) // s + 1
    y = xp.zeros((x.shape[0], x.shape[1], h, w), dtype=x.dtype)
    for p in range(h):
        for q in range(w):
            y[:, :, p, q] = xp.amax(x[:, :, p * s : p * s + k, q * s : q * s + k], (2, 3))
    return y
""",
    "to_winners": """
def to_winners(e, x, k, s, add=True, turned=False, beside=0):
    error = xp.zeros_like(x)
    for n in range(e.shape[0]):
        for c in range(e.shape[1]):
            for p in range(e.shape[2]):
                for q in range(e.shape[3]):
                    at = int(x[n, c, p * s : p * s + k, q * s : q * s + k].reshape(-1).argmax())
                    i, j = (at % k, at // k) if turned else (at // k, at % k)
                    u, v = p * s + i, q * s + j + beside
                    if v >= x.shape[3]:
                        continue
                    error[n, c, u, v] = e[n, c, p, q] + (error[n, c, u, v] if add else 0)
    return error
""",
    "to_all": """
def to_all(e, x, k, s, add=True):
    error = xp.zeros_like(x)
    for p in range(e.shape[2]):
        for q in range(e.shape[3]):
            part = e[:, :, p, q][:, :, None, None] + (error[:, :, p * s : p * s + k, q * s : q * s + k] if add else 0)
            error[:, :, p * s : p * s + k, q * s : q * s + k] = part
    return error
""",
    "by_paths": """
def by_paths(g, c, r, n):
    error_of_r = (g * c).sum(1, keepdims=True)
    error_of_v = -0.5 * r ** 3 * error_of_r
    error_of_c = r * g + 2 * c * error_of_v / n
    return error_of_c - error_of_c.sum(1, keepdims=True) / n
""",
    "before": """
def before(h):
    return xp.concatenate([0 * h[:, :1], h[:, :-1]], 1)
""",
    "outputs": """
def outputs(x, W, V, b, function=xp.tanh):
    h = xp.zeros((len(x), x.shape[1], len(W)), dtype=x.dtype)
    now = xp.zeros((len(x), len(W)), dtype=x.dtype)
    for t in range(x.shape[1]):
        now = function(x[:, t] @ W.T + now @ V.T + b)
        h[:, t] = now
    return h
""",
    "outputs_by_list": """
def outputs_by_list(x, W, V, b, c):
    steps = []
    for t in range(x.shape[1]):
        net = x[:, t] @ W.T + b
        net = net + c if not steps else net + (steps[-1] @ V.T + c)
        steps.append(xp.tanh(net))
    return xp.stack(steps, 1)
""",
    "went_back": """
def went_back(e, h, V, on=1, slope=True):
    deltas, after = 0 * e, 0 * e[:, 0]
    for t in range(e.shape[1] - 1, -1, -1):
        error = e[:, t] + on * after
        deltas[:, t] = error * (1 - h[:, t] ** 2) if slope else error
        after = deltas[:, t] @ V
    return deltas
""",
}  # fmt: skip
