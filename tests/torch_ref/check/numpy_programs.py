"""Programs of numpy as people write them: each has a loss, gradients by hand, and mistakes that can be put in."""

from __future__ import annotations

import itertools

import numpy as np


def rng(seed=0):
    return np.random.default_rng(seed)


class TwoLayers:
    """Parameters and gradients in dicts; loss and gradients in one method, in place."""

    def __init__(self, dtype=np.float64):
        r = rng()
        shapes = {"W1": (6, 8), "b1": (8,), "W2": (8, 4), "b2": (4,)}
        self.params = {name: r.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
        self.X, self.y = r.normal(size=(10, 6)).astype(dtype), r.integers(0, 4, 10)

    def loss(self, mistake=""):
        X, y, reg = self.X, self.y, 0.1
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        N = X.shape[0]
        hidden = np.maximum(0, X.dot(W1) + b1)
        scores = hidden.dot(W2) + b2
        scores -= np.max(scores, axis=1, keepdims=True)
        probs = np.exp(scores)
        probs /= np.sum(probs, axis=1, keepdims=True)
        loss = np.sum(-np.log(probs[np.arange(N), y])) / N
        loss += 0.5 * reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
        grads = {}
        dscores = probs.copy()
        dscores[np.arange(N), y] -= 1
        dscores /= 1 if mistake == "no 1/N" else N
        grads["W2"] = hidden.T.dot(dscores) + (0 if mistake == "W2 without its penalty" else reg * W2)
        grads["b2"] = np.sum(dscores, axis=0)
        dhidden = dscores.dot(W2.T)
        if mistake != "no mask":
            dhidden[hidden <= 0] = 0
        grads["W1"] = X.T.dot(dhidden) + reg * W1
        grads["b1"] = np.mean(dhidden, axis=0) if mistake == "mean for sum" else np.sum(dhidden, axis=0)
        return loss, grads


class PerSample:
    """One sample at a time as columns, weights and biases in lists, in the layout of a well-known book."""

    def __init__(self, sizes=(5, 7, 3)):
        r = rng(1)
        self.weights = [r.normal(size=(n, m)) for m, n in itertools.pairwise(sizes)]
        self.biases = [r.normal(size=(n, 1)) for n in sizes[1:]]
        self.data = [(r.normal(size=(5, 1)), np.eye(3)[:, [i % 3]]) for i in range(4)]

    def loss(self):
        total = 0.0
        for x, y in self.data:
            a = x
            for w, b in zip(self.weights, self.biases, strict=True):
                a = 1 / (1 + np.exp(-(np.dot(w, a) + b)))
            total += 0.5 * np.sum((a - y) ** 2)
        return total / len(self.data)

    def gradients(self, mistake=""):
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        for x, y in self.data:
            activations = [x]
            for w, b in zip(self.weights, self.biases, strict=True):
                activations.append(1 / (1 + np.exp(-(np.dot(w, activations[-1]) + b))))
            delta = (activations[-1] - y) * (1 if mistake == "no slope" else activations[-1] * (1 - activations[-1]))
            for l in range(1, len(self.weights) + 1):
                if l > 1:
                    a = activations[-l]
                    delta = np.dot(self.weights[-l + 1].T, delta) * a * (1 - a)
                nabla_b[-l] += delta / len(self.data)
                nabla_w[-l] += np.dot(delta, activations[-l - 1].T) / len(self.data)
        return nabla_w + nabla_b


class Recurrent:
    """A recurrent network whose states are kept in a dict, by step; its parameters are attributes."""

    def __init__(self):
        r = rng(2)
        self.Wxh, self.Whh, self.Why = r.normal(size=(6, 5)), r.normal(size=(6, 6)) / 3, r.normal(size=(5, 6))
        self.bh, self.by = r.normal(size=(6, 1)), r.normal(size=(5, 1))
        self.inputs, self.targets = [0, 3, 1, 4], [3, 1, 4, 2]

    def states(self):
        xs, hs, ps, loss = {}, {-1: np.zeros((6, 1))}, {}, 0
        for t in range(len(self.inputs)):
            xs[t] = np.zeros((5, 1))
            xs[t][self.inputs[t]] = 1
            hs[t] = np.tanh(np.dot(self.Wxh, xs[t]) + np.dot(self.Whh, hs[t - 1]) + self.bh)
            ys = np.dot(self.Why, hs[t]) + self.by
            ps[t] = np.exp(ys) / np.sum(np.exp(ys))
            loss += -np.log(ps[t][self.targets[t], 0])
        return xs, hs, ps, loss

    def loss(self):
        return self.states()[3]

    def gradients(self, mistake=""):
        xs, hs, ps, _ = self.states()
        dWxh, dWhh, dWhy = np.zeros_like(self.Wxh), np.zeros_like(self.Whh), np.zeros_like(self.Why)
        dbh, dby, dhnext = np.zeros_like(self.bh), np.zeros_like(self.by), np.zeros((6, 1))
        for t in reversed(range(len(self.inputs))):
            dy = np.copy(ps[t])
            dy[self.targets[t]] -= 1
            dWhy += np.dot(dy, hs[t].T)
            dby += dy
            dh = np.dot(self.Why.T, dy) + (0 if mistake == "nothing from later steps" else dhnext)
            draw = (1 - hs[t] * hs[t]) * dh
            dbh += draw
            dWxh += np.dot(draw, xs[t].T)
            dWhh += np.dot(draw, hs[t if mistake == "the state of its own step" else t - 1].T)
            dhnext = np.dot(self.Whh.T, draw)
        return {"dWxh": dWxh, "dWhh": dWhh, "dWhy": dWhy, "dbh": dbh, "dby": dby}


class Convolution:
    """A convolution by im2col: the columns are written into an array of zeros, which autograd cannot follow."""

    def __init__(self):
        r = rng(3)
        self.x, self.w, self.b = r.normal(size=(2, 3, 6, 6)), r.normal(size=(4, 3, 3, 3)), r.normal(size=4)
        self.weighing = r.normal(size=(2, 4, 4, 4))

    def im2col(self):
        columns = np.zeros((2, 4 * 4, 3 * 3 * 3))
        for i in range(4):
            for j in range(4):
                columns[:, 4 * i + j] = self.x[:, :, i : i + 3, j : j + 3].reshape(2, -1)
        return columns

    def forward(self):
        out = np.zeros((2, 4, 16))
        columns = self.im2col()
        for n in range(2):
            out[n] = self.w.reshape(4, -1) @ columns[n].T + self.b[:, None]
        return out.reshape(2, 4, 4, 4)

    def loss(self):
        return np.sum(self.forward() * self.weighing)

    def gradients(self, mistake=""):
        d_out = self.weighing.reshape(2, 4, 16)
        columns, d_x = self.im2col(), np.zeros_like(self.x)
        self.dw = sum(d_out[n] @ columns[n] for n in range(2)).reshape(self.w.shape)
        self.db = d_out[0].sum(1) if mistake == "the first sample alone" else d_out.sum((0, 2))
        for n in range(2):
            d_columns = (self.w.reshape(4, -1).T @ d_out[n]).T
            for i in range(4):
                for j in range(4):
                    part = d_columns[4 * i + j].reshape(3, 3, 3)
                    if mistake == "= for +=":
                        d_x[n, :, i : i + 3, j : j + 3] = part
                    else:
                        d_x[n, :, i : i + 3, j : j + 3] += part
        return {"w": self.dw, "b": self.db, "x": d_x}
