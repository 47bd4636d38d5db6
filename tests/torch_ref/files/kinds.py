"""One piece of code of each kind that is found in files, right, with what to change in it to make it wrong."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A file that is right, an edit that makes it wrong, the shapes of its inputs, and what the report says."""

    code: str
    right: str
    wrong: str
    shapes: str
    reference: str
    said: str = ""
    """A remark that the right one gets."""


FUNCTIONS = {
    "forward and backward": Kind(
        "def forward(x, w):\n    return x @ w\ndef backward(d_y, x, w):\n    return d_y @ w.T, x.T @ d_y\n",
        "x.T @ d_y", "x.T @ d_y / 4", "x=4,5 w=5,3", "autograd through forward itself",
    ),
    "forward_NAME and backward_NAME": Kind(
        "def forward_net(x):\n    return x.tanh()\ndef backward_net(d_y, x):\n    return d_y * (1 - x.tanh() ** 2)\n",
        "1 - x.tanh() ** 2", "1 - x ** 2", "x=4,5", "autograd through forward_net itself",
    ),
    "NAME and NAME_backward": Kind(
        "def cube(x):\n    return x ** 3\ndef cube_backward(d_y, x):\n    return d_y * 3 * x ** 2\n",
        "3 * x ** 2", "3 * x", "x=4,5", "autograd through cube itself",
    ),
    "the upstream gradient last": Kind(
        "def scale(x, gain):\n    return x * gain\n"
        "def scale_backward(x, gain, dout):\n    return dout * gain, (dout * x).sum(0)\n",
        "dout * x", "-dout * x", "x=4,5 gain=5", "autograd through scale itself",
    ),
    "the output in place of the input": Kind(
        "def sigmoid(x):\n    return x.sigmoid()\n"
        "def sigmoid_backward(dout, out):\n    return dout * out * (1 - out)\n",
        "out * (1 - out)", "(1 - out)", "x=4,5", "autograd through sigmoid itself",
    ),
    "some of the inputs": Kind(
        "def add(x, b):\n    return x + b\ndef add_backward(d_y, x):\n    return d_y, d_y.sum(0)\n",
        "d_y.sum(0)", "d_y.mean(0)", "x=4,5 b=5", "autograd through add itself",
    ),
    "the upstream gradient alone": Kind(
        "def half(x):\n    return x / 2\ndef half_backward(d_y):\n    return d_y / 2\n",
        "return d_y / 2", "return d_y * 2", "x=4,5", "autograd through half itself",
    ),
    "two outputs": Kind(
        "def two(x):\n    return x.exp(), x ** 2\n"
        "def two_backward(d_a, d_b, x):\n    return d_a * x.exp() + d_b * 2 * x\n",
        "+ d_b", "- d_b", "x=4,5", "autograd through two itself",
    ),
    "gradients by name": Kind(
        "def net(x, w):\n    return x @ w\n"
        "def net_backward(d_y, x, w):\n    return {'dw': x.T @ d_y, 'dx': d_y @ w.T}\n",
        "x.T @ d_y", "x.T @ d_y * 2", "x=4,5 w=5,3", "autograd through net itself",
    ),
    "a module of torch": Kind(
        "net = torch.nn.Linear(5, 3)\ndef net_backward(d_y, input):\n    return d_y @ net.weight.detach()\n",
        "d_y @", "-d_y @", "input=4,5", "autograd through net itself",
    ),
    "a slope": Kind(
        "def square(x):\n    return x ** 2\ndef d_square(x):\n    return 2 * x\n",
        "2 * x", "x", "x=4,5", "autograd through square itself",
    ),
    "a slope of the output": Kind(
        "def tanh(x):\n    return x.tanh()\ndef tanh_grad(y):\n    return 1 - y ** 2\n",
        "1 - y ** 2", "1 - y", "x=4,5", "autograd through tanh itself",
    ),
    "a loss": Kind(
        "def mse(y, t):\n    return ((y - t) ** 2).mean()\ndef mse_grad(y, t):\n    return 2 * (y - t) / y.numel()\n",
        "y.numel()", "len(y)", "y=4,5 t=4,5", "autograd through mse itself", "Not compared: gradient of t",
    ),
    "keyword-only": Kind(
        "def norm(*, x, gain):\n    return x * gain\n"
        "def norm_backward(d_y, *, x, gain):\n    return {'x': d_y * gain, 'gain': (d_y * x).sum(0)}\n",
        "d_y * gain", "d_y", "x=4,5 gain=5", "autograd through norm itself",
    ),
    "any number of inputs": Kind(
        "def mix(*xs):\n    return xs[0] * xs[1]\ndef mix_backward(d_y, *xs):\n    return d_y * xs[1], d_y * xs[0]\n",
        "d_y * xs[0]", "d_y * xs[1]", "4,5 4,5", "autograd through mix itself",
    ),
    "a reference of the file": Kind(
        "def relu(x):\n    return x.clamp(min=0)\ndef relu_backward(d_y, x):\n    return d_y * (x > 0)\n"
        "def relu_reference(x):\n    return torch.relu(x)\n",
        "x.clamp(min=0)", "x.clamp(min=0.1)", "x=4,5", "relu_reference",
    ),
    "arrays of numpy": Kind(
        "import numpy as np\ndef net(x, w):\n    return np.tanh(x @ w)\n"
        "def net_backward(d_y, x, w):\n    d = d_y * (1 - np.tanh(x @ w) ** 2)\n    return d @ w.T, x.T @ d\n",
        "x.T @ d", "x.T @ d_y", "x=4,5 w=5,3", "autograd through net itself",
    ),
    "a loss in numpy": Kind(
        "import numpy as np\ndef mse(y, t):\n    return np.mean((y - t) ** 2)\n"
        "def mse_backward(y, t):\n    return 2 * (y - t) / y.size\n",
        "2 * (y", "(y", "y=4,5 t=4,5", "autograd through mse itself", "Not compared: gradient of t",
    ),
    "a slope in numpy": Kind(
        "import numpy as np\ndef sigmoid(x):\n    return 1 / (1 + np.exp(-x))\n"
        "def d_sigmoid(s):\n    return s * (1 - s)\n",
        "s * (1 - s)", "s * s", "x=4,5", "autograd through sigmoid itself",
    ),
    "a cache": Kind(
        "import numpy as np\ndef linear_forward(A, W, b):\n    return W.dot(A) + b, (A, W, b)\n"
        "def linear_backward(dZ, cache):\n    A, W, b = cache\n"
        "    return W.T.dot(dZ), dZ.dot(A.T), dZ.sum(axis=1, keepdims=True)\n",
        "dZ.dot(A.T)", "dZ.dot(A.T) / A.shape[1]", "A=4,6 W=3,4 b=3,1", "autograd through linear_forward itself",
    ),
    "a cache, which comes first": Kind(
        "def tanh_forward(x):\n    y = x.tanh()\n    return y, y\n"
        "def tanh_backward(cache, dout):\n    return dout * (1 - cache ** 2)\n",
        "cache ** 2", "cache", "x=4,5", "autograd through tanh_forward itself",
    ),
    "the output by another name": Kind(
        "def softmax(z):\n    return z.softmax(1)\n"
        "def softmax_backward(dprobs, probs):\n    return probs * (dprobs - (dprobs * probs).sum(1, keepdim=True))\n",
        "- (dprobs", "+ (dprobs", "z=4,5", "autograd through softmax itself",
    ),
    "the input by another name": Kind(
        "def relu(x):\n    return x.clamp(min=0)\ndef relu_backward(dA, Z):\n    return dA * (Z > 0)\n",
        "Z > 0", "Z < 0", "x=4,5", "autograd through relu itself",
    ),
    "the output, or is it the input": Kind(
        "def tanh(x):\n    return x.tanh()\ndef tanh_backward(dA, Z):\n    return dA * (1 - Z ** 2)\n",
        "Z ** 2", "Z", "x=4,5", "autograd through tanh itself", "tanh_backward is right where Z is the output",
    ),
    "the inputs in another order and by other names": Kind(
        "def linear(inp, weight):\n    return inp @ weight\n"
        "def linear_backward(g, w, x):\n    return g @ w.T, x.T @ g\n",
        "x.T @ g", "2 * x.T @ g", "inp=4,5 weight=5,3", "autograd through linear itself", "w is weight, x is inp",
    ),
    "the input, or is it the output": Kind(
        "def swish(x):\n    return x * x.sigmoid()\n"
        "def swish_backward(dA, a):\n    s = a.sigmoid()\n    return dA * (s + a * s * (1 - s))\n",
        "s + a", "s - a", "x=4,5", "autograd through swish itself", "swish_backward is right where a is the input",
    ),
    "names in capitals": Kind(
        "def linear(x, w):\n    return x @ w\ndef linear_backward(dZ, W, X):\n    return dZ @ W.T, X.T @ dZ\n",
        "X.T @ dZ", "-X.T @ dZ", "x=4,5 w=5,3", "autograd through linear itself",
    ),
    "a straight-through estimator": Kind(
        "def quantise(x):\n    return x.round()\ndef quantise_backward(d_y, x):\n    return d_y\n",
        "return d_y", "return 2 * d_y", "x=4,5", "autograd through quantise itself",
        "round in quantise passes the gradient on",
    ),
}  # fmt: skip

HEAD = "class {}(torch.autograd.Function):\n    @staticmethod\n    def forward("
BACKWARD = "    @staticmethod\n    def backward(ctx, d_y):\n"

AUTOGRAD_FUNCTIONS = {
    "a Function": Kind(
        HEAD.format("Cube") + "ctx, x):\n        ctx.save_for_backward(x)\n        return x ** 3\n" + BACKWARD
        + "        return d_y * 3 * ctx.saved_tensors[0] ** 2\n",
        "* 3", "* 2", "x=4,5", "its own forward under autograd", "--second-order compares them",
    ),
    "of torch's name": Kind(
        HEAD.format("MyReLU") + "ctx, x):\n        ctx.save_for_backward(x)\n        return x.clamp(min=0)\n" + BACKWARD
        + "        return d_y * (ctx.saved_tensors[0] > 0)\n",
        "> 0", "< 0", "x=4,5", "torch's relu",
    ),
    "of torch's name with another formula": Kind(
        HEAD.format("GELU") + "ctx, x):\n        ctx.save_for_backward(x)\n"
        "        return x * torch.sigmoid(1.702 * x)\n" + BACKWARD
        + "        (x,) = ctx.saved_tensors\n        s = torch.sigmoid(1.702 * x)\n"
        "        return d_y * (s + 1.702 * x * s * (1 - s))\n",
        "d_y * (s +", "d_y * (s -", "x=4,5", "its own forward under autograd",
    ),
    "a norm": Kind(
        HEAD.format("RMSNormFunction") + "ctx, x, gain):\n"
        "        r = (x.square().mean(-1, keepdim=True) + torch.finfo(x.dtype).eps).rsqrt()\n"
        "        ctx.save_for_backward(x * r, gain, r)\n        return x * r * gain\n" + BACKWARD
        + "        n, gain, r = ctx.saved_tensors\n        d = d_y * gain\n"
        "        return r * (d - n * (d * n).mean(-1, keepdim=True)), (d_y * n).sum(0)\n",
        "- n * (d * n).mean(-1, keepdim=True)", "", "x=4,5 gain=5", "torch's rms_norm",
    ),
    "with setup_context and a default": Kind(
        HEAD.format("Times") + "x, y, scale=2.0):\n        return x * y * scale\n"
        "    @staticmethod\n    def setup_context(ctx, inputs, output):\n        x, y, ctx.scale = inputs\n"
        "        ctx.save_for_backward(x, y)\n" + BACKWARD
        + "        x, y = ctx.saved_tensors\n        return d_y * y * ctx.scale, d_y * x * ctx.scale, None\n",
        "d_y * x", "d_y * y", "x=4,5 y=4,5", "its own forward under autograd",
    ),
    "with indices": Kind(
        HEAD.format("Largest") + "ctx, x):\n        value, i = x.max(1)\n        ctx.mark_non_differentiable(i)\n"
        "        ctx.save_for_backward(i)\n        ctx.shape = x.shape\n        return value, i\n"
        "    @staticmethod\n    def backward(ctx, d_y, _):\n        (i,) = ctx.saved_tensors\n"
        "        return d_y.new_zeros(ctx.shape).scatter(1, i[:, None], d_y[:, None])\n",
        "d_y[:, None])", "2 * d_y[:, None])", "x=4,5", "its own forward under autograd",
    ),
    "in place": Kind(
        HEAD.format("Triple") + "ctx, x):\n        ctx.mark_dirty(x)\n        return x.mul_(3)\n" + BACKWARD
        + "        return 3 * d_y\n",
        "return 3", "return 4", "x=4,5", "its own forward under autograd",
    ),
    "with running statistics": Kind(
        HEAD.format("Centre") + "ctx, x, running):\n        mean = x.mean(0)\n"
        "        running.mul_(0.9).add_(mean, alpha=0.1)\n        return x - mean\n" + BACKWARD
        + "        return d_y - d_y.mean(0), None\n",
        "d_y - d_y.mean(0)", "d_y", "x=4,5 running=5", "its own forward under autograd", "gradient of running (the",
    ),
    "that rounds": Kind(
        HEAD.format("Round") + "ctx, x):\n        return x.round()\n" + BACKWARD + "        return d_y\n",
        "return d_y", "return d_y / 2", "x=4,5", "its own forward under autograd", "round in forward passes the",
    ),
    "with a reference of the file": Kind(
        HEAD.format("ViaNumpy") + "ctx, x):\n        ctx.save_for_backward(x)\n"
        "        return torch.from_numpy(x.detach().numpy() ** 2)\n" + BACKWARD
        + "        return 2 * d_y * ctx.saved_tensors[0]\n"
        "def via_numpy_reference(x):\n    return x ** 2\n",
        "2 * d_y", "-2 * d_y", "x=4,5", "via_numpy_reference",
    ),
}  # fmt: skip

LAYERS = {
    "a layer's class": Kind(
        "class Scale:\n    def __init__(self, gain):\n        self.gain = gain\n"
        "    def forward(self, x):\n        return x * self.gain, x\n"
        "    def backward(self, error, x):\n        return error * self.gain, {'gain': -(error * x).sum(0)}\n",
        "-(error * x)", "(error * x)", "gain=5 x=4,5", "its own forward under autograd, error being the error −∂L/∂y",
    ),
    "an object": Kind(
        "class Sine:\n    def forward(self, x):\n        return x.sin(), x\n"
        "    def backward(self, error, x):\n        return error * x.cos(), {}\n"
        "sine = Sine()\n",
        "x.cos()", "x.sin()", "x=4,5", "its own forward under autograd, error being the error −∂L/∂y",
    ),
    "with a module as reference": Kind(
        "class Tanh:\n    def forward(self, x):\n        return x.tanh(), x.tanh()\n"
        "    def backward(self, error, y):\n        return error * (1 - y * y), {}\n"
        "class TanhReference(torch.nn.Module):\n    def forward(self, x):\n        return torch.tanh(x)\n"
        "Tanh_reference = TanhReference\n",
        "y * y", "y", "x=4,5", "Tanh_reference, error being the error −∂L/∂y",
    ),
}  # fmt: skip

AFFINE = (
    "import numpy as np\nclass Affine:\n    def __init__(self, W, b):\n        self.W, self.b = W, b\n"
    "    def forward(self, x):\n        self.x = x\n        return x @ self.W + self.b\n"
)

SAVING = (
    "class Dense:\n    def __init__(self, W):\n        self.W = W\n"
    "    def forward(self, x):\n        return x @ self.W, x\n"
)

OBJECTS = {
    "a layer with a cache, by gradients": Kind(
        SAVING + "    def backward(self, dout, x):\n        return dout @ self.W.T, {'W': x.T @ dout}\n",
        "x.T @ dout", "-x.T @ dout", "W=5,3 x=4,5", "its own forward under autograd, dout being the gradient +∂L/∂y",
    ),
    "a layer with a cache, by gradients, in numpy": Kind(
        "import numpy as np\n" + SAVING
        + "    def backward(self, dout, x):\n        return dout @ self.W.T, {'W': x.T @ dout}\n",
        "x.T @ dout", "x.T @ dout / 4", "W=5,3 x=4,5", "its own forward under autograd, dout being the gradient +∂L/∂y",
    ),
    "a layer with a cache, in numpy": Kind(
        "import numpy as np\nclass Tanh:\n    def forward(self, x):\n        y = np.tanh(x)\n        return y, y\n"
        "    def backward(self, dout, y):\n        return dout * (1 - y * y), {}\n",
        "y * y", "y", "x=4,5", "its own forward under autograd, dout being the gradient +∂L/∂y",
    ),
    "gradients in attributes": Kind(
        AFFINE + "    def backward(self, dout):\n        self.dW, self.db = self.x.T @ dout, dout.sum(0)\n"
        "        return dout @ self.W.T\n",
        "dout.sum(0)", "dout.mean(0)", "W=5,3 b=3 x=4,5", "its own forward under autograd",
    ),
    "gradients among what backward returns": Kind(
        AFFINE + "    def backward(self, dout):\n        return dout @ self.W.T, self.x.T @ dout, dout.sum(0)\n",
        "self.x.T @ dout", "self.x.T @ dout / 4", "W=5,3 b=3 x=4,5", "its own forward under autograd",
    ),
    "gradients in a dict that backward returns": Kind(
        AFFINE + "    def backward(self, dout):\n"
        "        return dout @ self.W.T, {'dW': self.x.T @ dout, 'db': dout.sum(0)}\n",
        "dout.sum(0)", "-dout.sum(0)", "W=5,3 b=3 x=4,5", "its own forward under autograd",
    ),
    "an object that updates itself": Kind(
        AFFINE + "    def backward(self, dout, lr):\n        dx = dout @ self.W.T\n"
        "        self.W -= lr * self.x.T @ dout\n        self.b -= lr * dout.sum(0)\n        return dx\n",
        "lr * self.x.T", "lr * 2 * self.x.T", "W=5,3 b=3 x=4,5", "its own forward under autograd",
    ),
    "an object that updates itself by a rate inside": Kind(
        AFFINE.replace("self.W, self.b = W, b", "self.W, self.b, self.lr = W, b, 0.1")
        + "    def backward(self, dout):\n        dx = dout @ self.W.T\n"
        "        self.W -= self.lr * self.x.T @ dout\n        self.b -= self.lr * dout.sum(0)\n        return dx\n",
        "self.lr * dout.sum(0)", "self.lr * dout.mean(0)", "W=5,3 b=3 x=4,5", "its own forward under autograd",
    ),
    "a dict of parameters": Kind(
        "class Net:\n    def __init__(self, w):\n        self.params, self.grads = {'w': w}, {}\n"
        "    def forward(self, x):\n        self.x = x\n        return (x @ self.params['w']).tanh()\n"
        "    def backward(self, d):\n        d = d * (1 - (self.x @ self.params['w']).tanh() ** 2)\n"
        "        self.grads['w'] = self.x.T @ d\n        return d @ self.params['w'].T\n",
        "self.x.T @ d", "self.x.T @ (d - d.mean(0))", "w=5,3 x=4,5", "its own forward under autograd",
    ),
    "lists of parameters": Kind(
        "import numpy as np\nclass MatMul:\n    def __init__(self, W):\n        self.params = [W]\n"
        "        self.grads = [np.zeros_like(W)]\n"
        "    def forward(self, x):\n        self.x = x\n        return x @ self.params[0]\n"
        "    def backward(self, dout):\n        self.grads[0][...] = self.x.T @ dout\n"
        "        return dout @ self.params[0].T\n",
        "self.x.T @ dout", "self.x.T @ abs(dout)", "W=5,3 x=4,5", "its own forward under autograd",
    ),
    "layers in a list": Kind(
        AFFINE + "    def backward(self, dout):\n        self.dW, self.db = self.x.T @ dout, dout.sum(0)\n"
        "        return dout @ self.W.T\n"
        "rng = np.random.default_rng(0)\n"
        "class Net:\n    def __init__(self):\n"
        "        self.layers = [kinds[0](rng.normal(size=(5, 3)), rng.normal(size=3))]\n"
        "    def forward(self, x):\n        for one in self.layers:\n            x = one.forward(x)\n        return x\n"
        "    def backward(self, dout):\n        for one in self.layers[::-1]:\n            dout = one.backward(dout)\n"
        "        return dout\n"
        "kinds, Affine = [Affine], None\nnet, Net = Net(), None\n",
        "dout.sum(0)", "dout.sum(0) + 1e-3", "x=4,5", "its own forward under autograd",
    ),
    "a loss that keeps its target": Kind(
        "import numpy as np\nclass Mse:\n    def forward(self, y, t):\n        self.y, self.t = y, t\n"
        "        return np.mean((y - t) ** 2)\n"
        "    def backward(self):\n        return 2 * (self.y - self.t) / self.y.size\n",
        "2 * (self", "(self", "y=4,5 t=4,5", "its own forward under autograd", "Not compared: gradient of t",
    ),
}  # fmt: skip

KINDS = FUNCTIONS | AUTOGRAD_FUNCTIONS | LAYERS | OBJECTS
