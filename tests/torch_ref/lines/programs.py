"""Programs as people write them, as texts: each with right lines, and ways to break one of them."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import torch

_numbers = count(1)


def made(text: str, **variables: Any) -> dict[str, Any]:
    """Return what a text defines; its lines are known by a name of their own, as those of a file are."""
    name = f"program{next(_numbers)}.py"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    found = {"__name__": "program", "torch": torch, "np": np, "F": torch.nn.functional, **variables}
    exec(compile(text, name, "exec"), found)
    return found


def broken(text: str, line: str, instead: str) -> tuple[str, str]:
    """Return a text with one line replaced, and how a report names that line: its text and its number."""
    lines = text.splitlines()
    (where,) = [i for i, one in enumerate(lines) if one.strip() == line]
    lines[where] = lines[where].replace(line, instead)
    return "\n".join(lines) + "\n", f":{where + 1}"


def arrays(rng: np.random.Generator, *shapes: tuple[int, ...]) -> list[Any]:
    return [rng.normal(size=shape) for shape in shapes]


CS231N = """
def loss(X, y, W1, b1, W2, b2, reg=0.1):
    N = X.shape[0]
    h = np.maximum(0, X.dot(W1) + b1)
    scores = h.dot(W2) + b2
    shifted = scores - scores.max(axis=1, keepdims=True)
    probs = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    loss = -np.log(probs[range(N), y]).mean() + reg * ((W1 * W1).sum() + (W2 * W2).sum())
    grads = {}
    dscores = probs.copy()
    dscores[range(N), y] -= 1
    dscores /= N
    grads['W2'] = h.T.dot(dscores)
    grads['W2'] += 2 * reg * W2
    grads['b2'] = dscores.sum(axis=0)
    dh = dscores.dot(W2.T)
    dh[h <= 0] = 0
    grads['W1'] = X.T.dot(dh) + 2 * reg * W1
    grads['b1'] = dh.sum(axis=0)
    return loss, grads
"""

NAIVE = """
def loss(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores = scores - scores.max()
        p = np.exp(scores)
        p /= p.sum()
        loss = loss - np.log(p[y[i]])
        dscores = p.copy()
        dscores[y[i]] -= 1
        dW += np.outer(X[i], dscores)
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    dW = dW / X.shape[0] + 2 * reg * W
    return loss, dW
"""

NET = """
class Net:
    def __init__(self, W1, b1, W2):
        self.W1, self.b1, self.W2 = W1, b1, W2

    def forward(self, X, t):
        self.X, self.t = X, t
        self.z1 = X @ self.W1 + self.b1
        self.a1 = 1 / (1 + np.exp(-self.z1))
        self.y = self.a1 @ self.W2
        return ((self.y - t) ** 2).sum() / len(X)

    def backward(self):
        dy = 2 * (self.y - self.t) / len(self.X)
        self.dW2 = self.a1.T @ dy
        da1 = dy @ self.W2.T
        dz1 = da1 * self.a1 * (1 - self.a1)
        self.dW1 = self.X.T @ dz1
        self.db1 = dz1.sum(axis=0)
"""

RNN = """
def lossFun(inputs, targets, hprev):
    xs, hs, ys, ps = {}, {}, {}, {}
    hs[-1] = np.copy(hprev)
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((V, 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t-1]) + bh)
        ys[t] = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
        loss += -np.log(ps[t][targets[t], 0])
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[t].T)
        dWhh += np.dot(dhraw, hs[t-1].T)
        dhnext = np.dot(Whh.T, dhraw)
    return loss, dWxh, dWhh, dWhy, dbh, dby, hs[len(inputs)-1]
"""

NIELSEN = """
def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))

class Network:
    def __init__(self, weights, biases):
        self.weights, self.biases = weights, biases

    def cost(self, x, y):
        a = x
        for b, w in zip(self.biases, self.weights):
            z = np.dot(w, a) + b
            a = sigmoid(z)
        return 0.5 * np.sum((a - y) ** 2)

    def backprop(self, x, y):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        activation = x
        activations = [x]
        for b, w in zip(self.biases, self.weights):
            activation = sigmoid(np.dot(w, activation) + b)
            activations.append(activation)
        delta = (activations[-1] - y) * activations[-1] * (1 - activations[-1])
        nabla_b[-1] = delta
        nabla_w[-1] = np.dot(delta, activations[-2].transpose())
        for l in range(2, len(self.weights) + 1):
            s = activations[-l]
            delta = np.dot(self.weights[-l+1].transpose(), delta) * s * (1 - s)
            nabla_b[-l] = delta
            nabla_w[-l] = np.dot(delta, activations[-l-1].transpose())
        return (nabla_b, nabla_w)
"""

LAYERS = """
class Linear:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(0)
        return grad @ self.W.T

class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, grad):
        return grad * (1 - self.y ** 2)

class Sequential:
    def __init__(self, *layers):
        self.layers = layers

    def forward(self, x, t):
        self.t = t
        for layer in self.layers:
            x = layer.forward(x)
        self.out = x
        return ((x - t) ** 2).mean()

    def backward(self):
        grad = 2 * (self.out - self.t) / self.t.size
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad
"""

MLP = """
def forward(x, W1, b1, W2, b2, t):
    h = torch.relu(x @ W1 + b1)
    return F.cross_entropy(h @ W2 + b2, t)

def backward(dL, x, W1, b1, W2, b2, t):
    z1 = x @ W1 + b1
    h = torch.relu(z1)
    scores = h @ W2 + b2
    p = torch.softmax(scores, 1)
    dscores = p - F.one_hot(t, p.shape[1])
    dscores = dscores * dL / len(t)
    dW2 = h.t() @ dscores
    db2 = dscores.sum(0)
    dh = dscores @ W2.t()
    dz1 = dh * (z1 > 0)
    dW1 = x.t() @ dz1
    db1 = dz1.sum(0)
    dx = dz1 @ W1.t()
    return dx, dW1, db1, dW2, db2, None
"""

LSTM = """
def forward(xs, h, c, W, U, b):
    out = []
    for x in xs:
        i, f, g, o = (x @ W.t() + h @ U.t() + b).chunk(4, -1); c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh(); out.append(h)
    return torch.stack(out)

def backward(dout, xs, h0, c0, W, U, b):
    cache, h, c = [], h0, c0
    for x in xs:
        i, f, g, o = (x @ W.t() + h @ U.t() + b).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        cn = f * c + i * g
        cache.append((x, h, c, i, f, g, o, cn))
        h, c = o * cn.tanh(), cn
    dW, dU, db, dxs = torch.zeros_like(W), torch.zeros_like(U), torch.zeros_like(b), torch.zeros_like(xs)
    dh_next, dc_next = torch.zeros_like(h0), torch.zeros_like(c0)
    for t in reversed(range(len(xs))):
        x, h, c, i, f, g, o, cn = cache[t]
        dh = dout[t] + dh_next
        dc = dh * o * (1 - cn.tanh()**2) + dc_next
        do = dh * cn.tanh() * o * (1 - o)
        df = dc * c * f * (1 - f)
        di = dc * g * i * (1 - i)
        dg = dc * i * (1 - g**2)
        z = torch.cat([di, df, dg, do], -1)
        dW += z.t() @ x; dU += z.t() @ h
        db += z.sum(0)
        dxs[t] = z @ W
        dh_next = z @ U
        dc_next = dc * f
    return dxs, dh_next, dc_next, dW, dU, db
"""


def mlp() -> list[Any]:
    shapes = (6, 5), (5, 8), (8,), (8, 4), (4,)
    return [*(torch.randn(shape) for shape in shapes), torch.randint(0, 4, (6,))]


def lstm(dtype: torch.dtype = torch.float32) -> list[Any]:
    T, N, D, H = 3, 3, 5, 6
    shapes = (T, N, D), (N, H), (N, H), (4 * H, D), (4 * H, H), (4 * H,)
    return [torch.randn(shape).to(dtype) for shape in shapes]


def pair_of(text: str, **variables: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the forward and the backward that a text defines."""
    found = made(text, **variables)
    return found["forward"], found["backward"]
