"""Networks as people write them in numpy, found in courses, books and blogs; none of them knows that it is followed."""

from __future__ import annotations

import numpy as np

rng = np.random.default_rng(3)
X, Y = rng.normal(size=(7, 6)), rng.integers(0, 3, 7)
IMAGES = rng.normal(size=(2, 2, 5, 6))
TEXT = rng.integers(0, 5, 6)


def two_layers(p):
    """Scores, softmax in place, mean of −log p, and L2."""
    hidden = np.maximum(0, np.dot(X, p["W1"]) + p["b1"])
    scores = hidden.dot(p["W2"]) + p["b2"]
    scores -= np.max(scores, axis=1, keepdims=True)
    probabilities = np.exp(scores)
    probabilities /= np.sum(probabilities, axis=1, keepdims=True)
    loss = -np.log(probabilities[np.arange(len(X)), Y]).sum() / len(X)
    loss += 0.05 * (np.sum(p["W1"] * p["W1"]) + np.sum(p["W2"] ** 2))
    return loss


class Network:
    """One sample after the other, with lists of column vectors."""

    def __init__(self, p):
        self.biases, self.weights = p["biases"], p["weights"]

    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights, strict=True):
            a = sigmoid(np.dot(w, a) + b)
        return a


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def per_sample(p):
    network, cost = Network(p), 0.0
    for x, y in zip(X, Y, strict=True):
        target = np.zeros((3, 1))
        target[y] = 1.0
        a = network.feedforward(x.reshape(6, 1))
        cost += 0.5 * np.linalg.norm(a - target) ** 2 / len(X)
        cost += np.sum(np.nan_to_num(-target * np.log(a) - (1 - target) * np.log(1 - a))) / len(X)
    return cost


def characters(p):
    """A recurrent network of characters: dicts by time."""
    xs, hs, ps, loss = {}, {}, {}, 0
    hs[-1] = np.copy(np.zeros((4, 1)))
    for t in range(len(TEXT) - 1):
        xs[t] = np.zeros((5, 1))
        xs[t][TEXT[t]] = 1
        hs[t] = np.tanh(np.dot(p["Wxh"], xs[t]) + np.dot(p["Whh"], hs[t - 1]) + p["bh"])
        y = np.dot(p["Why"], hs[t]) + p["by"]
        ps[t] = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(ps[t][TEXT[t + 1], 0])
    return loss


def lstm(p):
    """Gates side by side in one matrix."""
    h, c, states = np.zeros((7, 3)), np.zeros((7, 3)), []
    for t in range(3):
        z = np.hstack((X[:, 2 * t : 2 * t + 2], h)) @ p["W"] + p["b"]
        i, f, o = (sigmoid(part) for part in np.split(z[:, :9], 3, axis=1))
        g = np.tanh(z[:, 9:])
        c = f * c + i * g
        h = o * np.tanh(c)
        states.append(h)
    states = np.stack(states, axis=1)
    return np.mean(np.square(states[:, -1] - X[:, :3])) + np.abs(states).mean()


def convolution_by_windows(p):
    """im2col with sliding windows, ReLU in place, max pooling by reshape."""
    padded = np.pad(IMAGES, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="constant")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, 2 * 3 * 3)
    out = (columns @ p["W"].reshape(3, -1).T + p["b"]).reshape(2, 5, 6, 3).transpose(0, 3, 1, 2)
    out[out < 0] = 0
    pooled = out[:, :, :4, :].reshape(2, 3, 2, 2, 3, 2).max(axis=(3, 5))
    return np.einsum("ncij,ncij->", pooled, np.cos(np.arange(36.0)).reshape(2, 3, 2, 3))


def convolution_by_loops(p):
    """Every output written into np.zeros."""
    out = np.zeros((2, 3, 3, 4))
    for n in range(2):
        for f in range(3):
            for i in range(3):
                for j in range(4):
                    out[n, f, i, j] = np.sum(IMAGES[n, :, i : i + 3, j : j + 3] * p["W"][f]) + p["b"][f]
    return np.tanh(out).sum()


def convolution_by_kernel_places(p):
    """im2col by index arrays, as in many courses."""
    k, i, j = np.repeat(np.arange(2), 9), np.tile(np.repeat(np.arange(3), 3), 2), np.tile(np.arange(3), 6)
    rows, columns = i[:, None] + np.repeat(np.arange(3), 4), j[:, None] + np.tile(np.arange(4), 3)
    stacked = IMAGES[:, k[:, None], rows, columns].transpose(1, 2, 0).reshape(18, -1)
    out = p["W"].reshape(3, -1) @ stacked + p["b"].reshape(-1, 1)
    return np.tanh(out.reshape(3, 3, 4, 2).transpose(3, 0, 1, 2)).sum()


def batch_norm(p):
    """Training mode, with running statistics in a dict."""
    statistics = {"mean": np.zeros(4), "var": np.ones(4)}
    x = X @ p["W"]
    mean, var = x.mean(axis=0), x.var(axis=0)
    normal = (x - mean) / np.sqrt(var + 1e-5)
    statistics["mean"] = 0.9 * statistics["mean"] + 0.1 * mean
    statistics["var"] = 0.9 * statistics["var"] + 0.1 * var
    out = p["gamma"] * normal + p["beta"]
    return np.mean(np.where(out > 0, out, 0.1 * out) ** 3) + np.log1p(statistics["var"]).sum()


def attention(p):
    """Two heads, a causal mask, layer norm."""
    x = X.reshape(1, 7, 6)
    q, k, v = (np.swapaxes((x @ p[name]).reshape(1, 7, 2, 3), 1, 2) for name in ("Q", "K", "V"))
    scores = np.matmul(q, k.transpose(0, 1, 3, 2)) / np.sqrt(k.shape[-1])
    scores = scores + np.triu(np.full((7, 7), -1e9), k=1)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights = weights / weights.sum(-1, keepdims=True)
    joined = np.concatenate([(weights @ v)[:, head] for head in range(2)], axis=-1)
    out = joined + x
    out = (out - out.mean(axis=-1, keepdims=True)) / (out.std(axis=-1, keepdims=True) + 1e-6)
    return np.sum(out * np.sin(np.arange(42.0)).reshape(1, 7, 6))


def embedding(p):
    """Word vectors, negative sampling, and a bag of words added up in place."""
    vectors = p["E"][TEXT]
    bag = np.zeros_like(p["E"])
    np.add.at(bag, TEXT, vectors * p["scale"])
    scores = np.dot(p["E"], vectors.mean(axis=0))
    positive, negative = sigmoid(scores[TEXT[:3]]), sigmoid(-scores[TEXT[3:]])
    return -np.log(positive).sum() - np.sum(np.log(negative)) + (bag**2).sum()


def mixed_layers(p):
    """Dropout, leaky ReLU, clipping, one-hot targets by np.eye, and a number made by a method of a float."""
    generator = np.random.RandomState(0)
    mask = (generator.rand(7, 4) < 0.8) / 0.8
    hidden = np.where(X @ p["W1"] > 0, X @ p["W1"], 0.01 * (X @ p["W1"])) * mask
    out = sigmoid(hidden @ p["W2"])
    out = np.clip(out, 1e-7, 1 - 1e-7)
    targets = np.eye(3)[Y]
    losses = [-(t * np.log(o) + (1 - t) * np.log(1 - o)).mean() for t, o in zip(targets, out, strict=True)]
    return sum(losses) / len(losses)


def mean_of_a_list(p):
    """np.mean of a list of losses makes a plain array of them."""
    return np.mean([np.sum(np.tanh(x @ p["W"])) for x in X])


def logarithm_of_a_float(p):
    """The math module wants floats."""
    import math

    return -math.log(sigmoid(np.sum(p["W"] ** 2) / 10))


def method_of_plain_data(p):
    """The method of a plain array asks nobody: np.dot(X, W) and X @ W do."""
    return np.sum(np.tanh(X.dot(p["W"])))


def states_in_zeros(p):
    """A recurrent layer that writes its states into an array."""
    h = np.zeros((7, 4, 3))
    for t in range(1, 4):
        h[:, t] = np.tanh(X[:, t : t + 2] @ p["Wx"] + h[:, t - 1] @ p["Wh"])
    return np.sum(h**2)


def _drawn(*shape):
    return rng.normal(size=shape) * 0.7


FOLLOWED = {
    two_layers: {"W1": _drawn(6, 5), "b1": _drawn(5), "W2": _drawn(5, 3), "b2": _drawn(1, 3)},
    per_sample: {"biases": [_drawn(4, 1), _drawn(3, 1)], "weights": [_drawn(4, 6), _drawn(3, 4)]},
    characters: {"Wxh": _drawn(4, 5), "Whh": _drawn(4, 4), "Why": _drawn(5, 4), "bh": _drawn(4, 1), "by": _drawn(5, 1)},
    lstm: {"W": _drawn(5, 12), "b": _drawn(12)},
    convolution_by_windows: {"W": _drawn(3, 2, 3, 3), "b": _drawn(3)},
    convolution_by_kernel_places: {"W": _drawn(3, 2, 3, 3), "b": _drawn(3)},
    batch_norm: {"W": _drawn(6, 4), "gamma": _drawn(4), "beta": _drawn(4)},
    attention: {"Q": _drawn(6, 6), "K": _drawn(6, 6), "V": _drawn(6, 6)},
    embedding: {"E": _drawn(5, 3), "scale": _drawn(1)},
    mixed_layers: {"W1": _drawn(6, 4), "W2": _drawn(4, 3)},
}

NOT_FOLLOWED = {
    convolution_by_loops: {"W": _drawn(3, 2, 3, 3), "b": _drawn(3)},
    mean_of_a_list: {"W": _drawn(6, 2)},
    logarithm_of_a_float: {"W": _drawn(6, 2)},
    method_of_plain_data: {"W": _drawn(6, 2)},
    states_in_zeros: {"Wx": _drawn(2, 3), "Wh": _drawn(3, 3)},
}
