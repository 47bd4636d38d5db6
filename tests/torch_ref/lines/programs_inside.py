"""Programs as people write them whose gradients are computed in functions of their own."""

LAYERED = """
def relu(Z):
    return np.maximum(0, Z), Z

def relu_backward(dA, cache):
    Z = cache
    dZ = np.array(dA)
    dZ[Z <= 0] = 0
    return dZ

def sigmoid(Z):
    return 1 / (1 + np.exp(-Z)), Z

def sigmoid_backward(dA, cache):
    Z = cache
    s = 1 / (1 + np.exp(-Z))
    return dA * s * (1 - s)

def linear(A, W, b):
    return W @ A + b, (A, W, b)

def linear_backward(dZ, cache):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    dW = dZ @ A_prev.T / m
    db = dZ.sum(axis=1, keepdims=True) / m
    dA_prev = W.T @ dZ
    return dA_prev, dW, db

def layer_forward(A_prev, W, b, activation):
    Z, linear_cache = linear(A_prev, W, b)
    A, activation_cache = sigmoid(Z) if activation == "sigmoid" else relu(Z)
    return A, (linear_cache, activation_cache)

def layer_backward(dA, cache, activation):
    linear_cache, activation_cache = cache
    if activation == "sigmoid":
        dZ = sigmoid_backward(dA, activation_cache)
    else:
        dZ = relu_backward(dA, activation_cache)
    dA_prev, dW, db = linear_backward(dZ, linear_cache)
    return dA_prev, dW, db

def forward(X, Y, W1, b1, W2, b2):
    A1, cache1 = layer_forward(X, W1, b1, "relu")
    A2, cache2 = layer_forward(A1, W2, b2, "sigmoid")
    cost = -(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)).mean()
    return cost, (A2, cache1, cache2)

def backward(Y, cache):
    A2, cache1, cache2 = cache
    dA2 = -(Y / A2 - (1 - Y) / (1 - A2))
    dA1, dW2, db2 = layer_backward(dA2, cache2, "sigmoid")
    dX, dW1, db1 = layer_backward(dA1, cache1, "relu")
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
"""

DROPPED = """
def affine_forward(x, w, b):
    return x @ w + b, (x, w)

def affine_backward(dout, cache):
    x, w = cache
    dx = dout @ w.T
    dw = x.T @ dout
    db = dout.sum(0)
    return dx, dw, db

def relu_forward(x):
    return np.maximum(x, 0), x

def relu_backward(dout, cache):
    return dout * (cache > 0)

def softmax_loss(scores, y):
    p = np.exp(scores - scores.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    dscores = p.copy()
    dscores[np.arange(len(y)), y] -= 1
    dscores /= len(y)
    return -np.log(p[np.arange(len(y)), y]).mean(), dscores

def loss(X, y, params, masks):
    caches, out = [], X
    for i in (0, 1):
        a, fc = affine_forward(out, params[f"W{i}"], params[f"b{i}"])
        h, rc = relu_forward(a)
        out = h * masks[i]
        caches.append((fc, rc, masks[i]))
    scores, fc = affine_forward(out, params["W2"], params["b2"])
    loss, dscores = softmax_loss(scores, y)
    grads = {}
    dout, grads["W2"], grads["b2"] = affine_backward(dscores, fc)
    for i in (1, 0):
        fc, rc, mask = caches[i]
        dout = dout * mask
        da = relu_backward(dout, rc)
        dout, grads[f"W{i}"], grads[f"b{i}"] = affine_backward(da, fc)
    return loss, grads
"""

OBJECTS = """
class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.W.T

class ReLU:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, grad):
        return grad * self.mask

class BatchNorm:
    def __init__(self, n):
        self.gamma, self.beta = np.ones(n) * 1.3, np.zeros(n)

    def forward(self, x):
        self.std = np.sqrt(x.var(axis=0) + 1e-5)
        self.xhat = (x - x.mean(axis=0)) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, grad):
        N = grad.shape[0]
        self.dgamma = (grad * self.xhat).sum(axis=0)
        self.dbeta = grad.sum(axis=0)
        dxhat = grad * self.gamma
        return (N * dxhat - dxhat.sum(axis=0) - self.xhat * (dxhat * self.xhat).sum(axis=0)) / (N * self.std)

class Net:
    def __init__(self, W1, b1, W2, b2, W3, b3):
        self.layers = [Dense(W1, b1), BatchNorm(6), ReLU(), Dense(W2, b2), ReLU(), Dense(W3, b3)]

    def forward(self, x, t):
        for layer in self.layers:
            x = layer.forward(x)
        self.p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        self.t = t
        return -np.log(self.p[np.arange(len(t)), t]).mean()

    def backward(self):
        grad = self.p.copy()
        grad[np.arange(len(self.t)), self.t] -= 1
        grad /= len(self.t)
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad
"""

SLOPES = """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))

def gelu(x):
    return 0.5 * x * (1 + np.tanh(0.8 * (x + 0.04 * x ** 3)))

def gelu_grad(x):
    t = np.tanh(0.8 * (x + 0.04 * x ** 3))
    inner = 0.8 * (1 + 0.12 * x ** 2)
    return 0.5 * (1 + t) + 0.5 * x * (1 - t ** 2) * inner

def cost_derivative(a, y):
    return a - y

def forward(x, y, W1, W2):
    z1 = x @ W1
    a1 = gelu(z1)
    z2 = a1 @ W2
    a2 = sigmoid(z2)
    loss = 0.5 * ((a2 - y) ** 2).sum()
    return loss, (z1, a1, z2, a2)

def backward(x, y, W2, cache):
    z1, a1, z2, a2 = cache
    dz2 = cost_derivative(a2, y) * sigmoid_prime(z2)
    dW2 = a1.T @ dz2
    dz1 = dz2 @ W2.T * gelu_grad(z1)
    dW1 = x.T @ dz1
    return dW1, dW2
"""

CELLS = """
def cell_forward(xt, h_prev, Wx, Wh, b):
    h_next = np.tanh(Wx @ xt + Wh @ h_prev + b)
    return h_next, (h_next, h_prev, xt, Wx, Wh)

def cell_backward(dh_next, cache):
    h_next, h_prev, xt, Wx, Wh = cache
    dtanh = (1 - h_next ** 2) * dh_next
    db = dtanh.sum(1, keepdims=True)
    return {"xt": Wx.T @ dtanh, "h_prev": Wh.T @ dtanh, "Wx": dtanh @ xt.T, "Wh": dtanh @ h_prev.T, "b": db}

def forward(x, h0, Wx, Wh, b):
    h = np.zeros((4, 3, 5))
    h_next, caches = h0, []
    for t in range(5):
        h_next, cache = cell_forward(x[:, :, t], h_next, Wx, Wh, b)
        h[:, :, t] = h_next
        caches.append(cache)
    return h, caches

def backward(dh, caches):
    dx, dh_prev = np.zeros((2, 3, 5)), np.zeros((4, 3))
    dWx, dWh, db = np.zeros((4, 2)), np.zeros((4, 4)), np.zeros((4, 1))
    for t in reversed(range(5)):
        grads = cell_backward(dh[:, :, t] + dh_prev, caches[t])
        dx[:, :, t], dh_prev = grads["xt"], grads["h_prev"]
        dWx += grads["Wx"]
        dWh += grads["Wh"]
        db += grads["b"]
    return {"x": dx, "h0": dh_prev, "Wx": dWx, "Wh": dWh, "b": db}
"""

PROPAGATE = """
def propagate(w, b, X, Y):
    m = X.shape[1]
    A = 1 / (1 + np.exp(-(w.T @ X + b)))
    cost = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m
    dw = X @ (A - Y).T / m
    db = np.sum(A - Y) / m
    return {"dw": dw, "db": db}, cost

def step(w, b, X, Y):
    grads, cost = propagate(w, b, X, Y)
    return cost, grads
"""
