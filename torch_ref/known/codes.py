"""The codes of causes, each with what it means, its smallest example and how to mend it.

``docs/causes.md`` is made from this table by ``python -m torch_ref.known.document > docs/causes.md``.
"""

from __future__ import annotations

from torch_ref.known.cause import Code

GROUPS: dict[str, dict[str, Code]] = {
    "Any formula": {
        "zeros": Code(
            "The result is 0 everywhere.",
            "d_w = torch.zeros_like(w)  # never filled",
            "Compute the formula. A tensor that was only allocated is still to be written.",
        ),
        "wrong-sign": Code(
            "Every number has the right size and the wrong sign.",
            "error = y - t  # the error is −∂L/∂y = t − y",
            "An error is −∂L/∂q, a gradient is +∂L/∂θ. Look at which of the two is asked for.",
        ),
        "factor": Code(
            "Every number, or a part of it, is the right one times the same factor, which the sentence names: 2, 1/N.",
            "d_w = -(delta.t() @ x) / len(x)  # 1/N stands in the loss already",
            "1/N and ½ belong in one place: the loss. Look for a second one, or for a missing one.",
        ),
        "constant-added": Code(
            "The same number is added to every entry.",
            "d_w = -(delta.t() @ x) + 1",
            "Remove the number that is added.",
        ),
        "weight-decay": Code(
            "A multiple of the parameter itself is added to its gradient.",
            "d_w = -(delta.t() @ x) + 0.01 * w",
            "Weight decay belongs to the update, not to the gradient of the loss.",
        ),
        "transposed": Code(
            "The numbers are right, rows and columns are exchanged.",
            "d_x = d_x.t()",
            "Give the result the shape of what it is the gradient of, (n_out, n_in) for weights.",
        ),
        "shifted": Code(
            "The numbers are right, but each stands one place beside its own.",
            "d_x = d_x.roll(1, -1)",
            "Look for an index that begins at 1 where 0 is meant, or for a shift.",
        ),
        "applied-twice": Code(
            "The function is applied to its own result.",
            "y = torch.sigmoid(torch.sigmoid(net))",
            "Apply it once.",
        ),
        "another-function": Code(
            "The numbers are those of another known function, which the sentence names.",
            "y = torch.tanh(net)  # in a layer that is a sigmoid",
            "Use the function that is asked for; or compare with the reference that you mean.",
        ),
        "wrong-argument": Code(
            "The right function is applied to the wrong argument: another sign, or a factor.",
            "y = 1 / (1 + torch.exp(net))  # e^−net is meant",
            "Check sign and factor of what the function is given.",
        ),
        "reference-differs": Code(
            "Your formula is the lecture's. The reference is another function, or has another derivative at a kink.",
            "check_layer(ReLU(), x, lambda x: x.clamp(0, 1))  # ReLU has no upper end",
            "Compare with the reference that you mean, or avoid inputs that lie exactly on a kink.",
        ),
        "another-tensor": Code(
            "A tensor of the same shape stands where another one is meant.",
            "d_w = -(delta.t() @ y)  # the layer's input x is meant",
            "Look at what forward saves, and at which of it backward reads.",
        ),
        "swapped": Code(
            "Two parts of the formula have changed places.",
            "d_w = -(x.t() @ delta)  # δᵀ x is meant",
            "Exchange the two. Unequal numbers of inputs and outputs would have shown it as a wrong shape.",
        ),
        "mean-for-sum": Code(
            "A mean stands where a sum is meant, or the reverse: the numbers are too small or too large by a count.",
            "d_x = (d - y * (d * y).mean()) / r  # y = x / r with r = x.norm(): the sum is meant",
            "What is broadcast gets the sum of what comes back; 1/N comes from the loss alone.",
        ),
        "broadcast-not-summed": Code(
            "The gradient of something that was broadcast has the shape of the result: the sum over its copies is "
            "missing.",
            "d_b = d  # y = x + b, and b was added to every sample: d.sum(0)",
            "Sum over every dimension in which it was repeated.",
        ),
        "half-precision-sum": Code(
            "A long sum is kept in half precision: in each addition digits are lost, until the total stops growing.",
            "d_w = torch.zeros(n, dtype=torch.bfloat16)\nfor row in d * x:\n    d_w += row",
            "Add up in float32 or float64, and round the result once.",
        ),
        "conjugate-missing": Code(
            "A factor of a complex product is not conjugated, or the gradient is where it must not be.",
            "d_a = d * b  # y = a * b: d * b.conj()",
            "With PyTorch's convention the gradient of a in a b is d times the conjugate of b.",
        ),
        "another-expression": Code(
            "Another expression stands in one place of backward. The sentence says in which line, and what would be "
            "right there.",
            "rows = d[:, i : i + 2]  # of every second place: d[:, 2 * i : 2 * i + 2]",
            "Look at what the sentence shows: it makes the numbers right. There may be a plainer change.",
        ),
        "another-axis": Code(
            "A sum or a normalisation runs along the wrong axis.",
            "d_b = -delta.sum(1)  # over the units; over the samples is meant",
            "Rows are samples: axis 0 is the batch, axis 1 the units.",
        ),
    },
    "The slope of a function": {
        "slope-missing": Code(
            "The derivative is missing: what came from above is handed on as it is.",
            "delta = error  # σ′(net) error is meant",
            "Multiply by the derivative.",
        ),
        "slope-twice": Code(
            "The derivative is multiplied in twice.",
            "delta = error * slope * slope",
            "Multiply once. Perhaps the layer above does it too.",
        ),
        "slope-not-here": Code(
            "The derivative of the activation is multiplied in where it does not belong: in the linear part or loss.",
            "error = (delta @ w) * x * (1 - x)  # in Linear.backward",
            "Leave it to the activation's own backward.",
        ),
        "slope-at-output": Code(
            "The derivative is taken at the output of the function, not at its input.",
            "delta = error * d_sigmoid(x)  # x = σ(net) already; σ′(net) = x (1 − x)",
            "Either d_sigmoid(net), or x * (1 - x) from the stored output.",
        ),
        "slope-at-input": Code(
            "The formula that takes the output is given the input.",
            "delta = error * net * (1 - net)  # x (1 − x) with x = σ(net) is meant",
            "Put in the output x.",
        ),
        "slope-at-upstream": Code(
            "The formula that takes the output is given the error.",
            "delta = error * error * (1 - error)",
            "Put in the output x.",
        ),
        "slope-miswritten": Code(
            "Another expression stands where the derivative is meant. The sentence says which.",
            "delta = error * x  # x (1 − x) is meant",
            "Write out the derivative: x (1 − x) for sigmoid, 1 − x² for tanh, 1 or 0 for ReLU.",
        ),
        "slope-added": Code(
            "The derivative is added, not multiplied.",
            "delta = error + x * (1 - x)",
            "The chain rule multiplies.",
        ),
        "slope-divided": Code(
            "The error is divided by the derivative.",
            "delta = error / (x * (1 - x))",
            "The chain rule multiplies.",
        ),
        "slope-of-another-function": Code(
            "The derivative is that of another activation, which the sentence names.",
            "delta = error * torch.sigmoid(net) * (1 - torch.sigmoid(net))  # in a layer that is a tanh",
            "Use the derivative of the function that forward applies.",
        ),
        "wrong-mask": Code(
            "The mask of a ReLU or a dropout is another one: reversed, taken from the error, with another threshold, "
            "or of another draw.",
            "delta = torch.where(x > 0, 0, error)",
            "ReLU: δ is the error where x > 0, else 0. Dropout: save the mask in forward, and multiply by it.",
        ),
        "at-kink": Code(
            "At the kink of ReLU, net = 0, the slope is 1 here and 0 in the reference. Both are subgradients.",
            "delta = error * (net >= 0)",
            "Take 0 at the kink, as torch does.",
        ),
    },
    "What comes from above": {
        "upstream-ignored": Code(
            "The gradient is that of the loss alone, whatever backward is given. That is right for `loss.backward()`, "
            "and wrong where the loss is scaled or part of another.",
            "return (y - t) / len(y)  # backward(d, y, t); d is not read",
            "Multiply by the gradient that backward is given.",
        ),
        "upstream-missing": Code(
            "The error of the output is not multiplied in.",
            "delta = x * (1 - x)  # times the error",
            "Multiply by the error, or by δ in the gradients of the parameters.",
        ),
        "sign-alone": Code(
            "Only the sign of the difference is kept, its size is lost.",
            "error = torch.sign(t - y)",
            "The derivative of ½ (t − y)² is t − y itself.",
        ),
        "part-missing": Code(
            "A value is used several times, and what comes back through one of these uses is missing.",
            "dh = dy @ w2.t()\ndh = dz @ w3.t()  # = where += is meant",
            "Add what comes back through each use of the value; the sentence names the way that is left out.",
        ),
        "path-detached": Code(
            "A value is taken as a constant: nothing flows back through it.",
            "d_x = d / std  # std is computed from x, too",
            "Follow every way from the output back to the input; a mean, a maximum or a norm is a function, too.",
        ),
        "upstream-twice": Code(
            "The gradient that comes from above is multiplied in twice.",
            "delta = error * error * (1 - x * x)  # x = tanh(net)",
            "Multiply with it once.",
        ),
        "projection-missing": Code(
            "Of a norm, a mean or a softmax, each entry is taken by itself: the part that comes through their sum is "
            "missing.",
            "d_x = d / x.norm()  # − x (d · x) / ‖x‖³ is missing",
            "What is summed over depends on every entry: add the gradient that comes through the sum.",
        ),
        "another-gradient": Code(
            "It is the gradient of another input, which the sentence names.",
            "d_x, d_w = d_w, d_x  # forward(x, w)",
            "Return the gradients in the order of the inputs.",
        ),
        "part-twice": Code(
            "A value is used several times, and what comes back through one of these uses is added twice.",
            "dh += dy @ w2.t()  # a second time",
            "Add what comes back through each use once.",
        ),
    },
    "Weights and biases": {
        "transposed-weights": Code(
            "The weights are used transposed. With as many inputs as outputs the shapes do not show it.",
            "error = delta @ w.t()  # delta @ w is meant",
            "W is (n_out, n_in): net = x Wᵀ, error of x = δ W.",
        ),
        "weights-missing": Code(
            "The error goes through the layer without its weights.",
            "error = delta",
            "error of x = δ W.",
        ),
        "weights-without-sign": Code(
            "The sizes of the weights are used, without their signs.",
            "error = delta @ w.abs()",
            "Use the weights themselves.",
        ),
        "stale-weights": Code(
            "The weights were updated before they were used to send the error back.",
            "w = w - lr * d_w\nerror = delta @ w",
            "First compute the error of x with the old weights, then update.",
        ),
        "unit-beside": Code(
            "The weights or the bias of the next unit are used.",
            "net = x @ w.t() + b.roll(1)",
            "Look for an index that is off by one.",
        ),
        "bias-missing": Code(
            "The bias is not added.",
            "net = x @ w.t()",
            "net = x Wᵀ + b.",
        ),
        "bias-factor": Code(
            "The bias is added with a factor: twice, or with a minus sign.",
            "net = x @ w.t() + b + b",
            "Add it once.",
        ),
        "input-missing": Code(
            "The gradient of the weights leaves out the layer's input.",
            "d_w = -delta.sum(0)[:, None].expand_as(w)",
            "∂L/∂W = −δᵀ x.",
        ),
        "input-too-often": Code(
            "The layer's input is multiplied in once too often.",
            "d_w = -(delta.t() @ (x * x))",
            "∂L/∂W = −δᵀ x, and ∂L/∂b = −Σ δ has no x at all.",
        ),
        "dead-unit": Code(
            "The numbers of single units are 0, the others are right.",
            "d_w[2] = 0",
            "Look for a loop that leaves units out, or for a mask.",
        ),
    },
    "Samples": {
        "wrong-sample": Code(
            "The rows of one tensor are paired with the rows of other samples.",
            "d_w = -(delta.t() @ x.roll(1, 0))",
            "Row i belongs to sample i in every tensor: look for shifts, shuffles and reversed orders.",
        ),
        "broadcast-over-batch": Code(
            "One row stands for all samples, or a sum over the samples comes too early.",
            "d_w = -torch.outer(delta.sum(0), x.sum(0))  # a product of sums, not a sum of products",
            "Multiply sample by sample first, and sum over the samples last.",
        ),
        "one-sample": Code(
            "Only one sample is used.",
            "d_b = -delta[0]",
            "Sum over all samples.",
        ),
        "sample-missing": Code(
            "One sample is left out of the sum.",
            "d_b = -delta[:-1].sum(0)",
            "Look for a slice or a loop that ends too early or begins too late.",
        ),
        "step-missing": Code(
            "One step in time, or one position, is left out of the sum.",
            "d_w = sum(x[t].t() @ dz[t] for t in range(1, T))  # step 0 is left out",
            "Look for a loop that ends too early or begins too late, and for = where += is meant.",
        ),
        "duplicates-overwritten": Code(
            "An entry that is looked up several times gets the last gradient only; their sum is meant.",
            "d_table[ids] = d  # d_table.index_add_(0, ids, d) adds",
            "Add what comes back for each time that it was looked up.",
        ),
        "zero-rows": Code(
            "The numbers of single samples are 0, the others are right.",
            "d_x[-1] = 0",
            "Look for a loop that leaves samples out, or for a mask.",
        ),
    },
    "Windows of an image": {
        "kernel-turned": Code(
            "The kernel is turned by 180°, or mirrored.",
            "error = F.conv2d(F.pad(delta, (2, 2, 2, 2)), w.transpose(0, 1))  # w.flip(2, 3) is meant",
            "Place i, j of the kernel sees the pixel p stride + i − padding, forward and backward.",
        ),
        "kernel-transposed": Code(
            "Rows and columns of the kernel are exchanged.",
            "net += w[:, :, j, i] * x[..., p + i, q + j]  # w[:, :, i, j] is meant",
            "i counts rows and j columns, of the kernel as of the image.",
        ),
        "columns-mixed": Code(
            "The pixels of a window stand in another order than the weights: channels and places are mixed up.",
            "columns = windows.permute(0, 2, 3, 1)  # (i, j, channel); w is (channel, i, j)",
            "Give both the same order before one becomes a matrix: channel by channel, then row by row.",
        ),
        "one-channel": Code(
            "Only one channel is used.",
            "net = F.conv2d(x[:, :1], w[:, :1])",
            "Sum over all channels: those of x in net, those of δ in the error of x.",
        ),
        "wrong-padding": Code(
            "The zeros around the image are left out, stand on other sides, or are other numbers.",
            "error = padded[:, :, :h, :w]  # padded[:, :, p : p + h, p : p + w] is meant",
            "Put the zeros on all sides before, and take them off on all sides after.",
        ),
        "stride-ignored": Code(
            "The windows lie side by side, where the kernel moves by more than one pixel.",
            "x[:, :, p : p + k, q : q + k]  # p * stride and q * stride are meant",
            "Window p begins at the pixel p stride − padding, forward and backward.",
        ),
        "window-beside": Code(
            "The windows lie one pixel beside their own.",
            "x[:, :, p + 1 : p + 1 + k, q : q + k]",
            "Look for an index that begins at 1, or for a padding that is off by one.",
        ),
        "one-window": Code(
            "Only one window is used.",
            "d_b = -delta[:, :, 0, 0].sum(0)",
            "Sum over all windows, or compute every window.",
        ),
        "window-missing": Code(
            "A row or a column of windows is left out of the sum.",
            "for p in range(h_out - 1):",
            "There are ⌊(h + 2 padding − k) / stride⌋ + 1 windows; look for a loop that ends too early.",
        ),
        "windows-overwritten": Code(
            "Where windows overlap, the last one overwrites what the others sent back.",
            "d_x[:, :, u : u + k, v : v + k] = sent  # += is meant",
            "A pixel reaches the loss through every window that holds it: add.",
        ),
        "sum-too-early": Code(
            "Two factors are summed over the windows before they are multiplied.",
            "d_w = -delta.sum((2, 3)).t() @ columns.sum(2)  # a product of sums, not a sum of products",
            "Multiply window by window first, and sum last.",
        ),
        "one-pixel": Code(
            "Only one pixel of each window is used.",
            "y = x[:, :, ::2, ::2]",
            "Look at all pixels of the window.",
        ),
        "wrong-divisor": Code(
            "A mean over the window is divided by another number than that of its pixels, or not at all.",
            "y = windows.sum((4, 5)) / k  # k * k is meant",
            "Divide by k_h k_w, forward and backward.",
        ),
        "error-to-all-pixels": Code(
            "Every pixel of a window gets an error; only its largest one is meant.",
            "d_x[:, :, u : u + k, v : v + k] += error[:, :, p, q, None, None]",
            "The maximum depends on the largest pixel alone.",
        ),
        "wrong-winner": Code(
            "Another pixel than the largest of the window gets the error, or several that are equal get it.",
            "d_x += (window == window.max()) * error  # with two equal pixels, twice",
            "Of equal pixels exactly one gets it: the first in reading order, as torch has it.",
        ),
    },
    "Losses": {
        "term-missing": Code(
            "A part of the formula is missing: the answer y or the target t.",
            "error = t  # t − y is meant",
            "error = t − y, over N for the mean.",
        ),
        "plus-for-minus": Code(
            "A plus stands where a minus is meant.",
            "error = t + y",
            "error = t − y.",
        ),
        "wrong-power": Code(
            "The difference is not squared in the loss, a root is taken, or the square is kept in the derivative.",
            "loss = (t - y).norm()  # ½ Σ (t − y)² is meant",
            "L = ½ Σ (t − y)², and its error is t − y.",
        ),
        "softmax-missing": Code(
            "The net goes in where the softmax of the net is meant.",
            "delta = t - net  # t − y with y = softmax(net) is meant",
            "y = softmax(net), error = t − y.",
        ),
        "softmax-miswritten": Code(
            "A part of the softmax is missing: the division by the sum, or the exponential.",
            "y = torch.exp(net)",
            "y_k = e^net_k / Σ_j e^net_j, the sum over the units of one sample.",
        ),
        "softmax-not-differentiated": Code(
            "The derivative of the softmax is left out, or its units are taken as independent.",
            "delta = t / y  # the error of y, handed on as it is",
            "Softmax and cross-entropy together: δ = t − y.",
        ),
        "target-unit-only": Code(
            "Only the unit of the right class gets an error.",
            "delta = t * (t - y)",
            "Every unit gets one: δ_k = t_k − y_k.",
        ),
        "wrong-logarithm": Code(
            "The logarithm is missing, stands where it is not meant, or has another base than e.",
            "loss = -(t * y).sum()",
            "L = −Σ t ln y.",
        ),
        "another-loss": Code(
            "The numbers are those of another loss, which the sentence names.",
            "loss = 0.5 * (t - y).square().sum()  # as cross-entropy",
            "Use the loss that is asked for.",
        ),
    },
    "Where it is wrong, when no known mistake explains it": {
        "one-entry": Code(
            "Exactly one number is wrong; the sentence says where.",
            "d_w[1, 3] += 1",
            "Look for a case that this place alone falls into.",
        ),
        "only-some": Code(
            "Only some rows or columns are wrong; the sentence says which.",
            "d_x[3:5] *= 2",
            "Look for a case that these rows or columns alone fall into.",
        ),
        "no-pattern": Code(
            "The numbers are wrong, and none of the mistakes on this page gives them.",
            "",
            "Compare the formula with its equation, part by part. The two numbers at the worst place may help.",
        ),
        "not-finite": Code(
            "NaN or infinity appears here first.",
            "y = torch.exp(net) / torch.exp(net).sum(1, keepdim=True)  # e^100 is inf in float32",
            "Look for 0/0, a logarithm of 0, or the exponential of a large number (subtract the largest first).",
        ),
        "keeps-state": Code(
            "The second call gives other numbers than the first: something is kept from one call to the next.",
            "self.d_w += delta.t() @ x  # never set back to 0",
            "Begin every call anew. Adding up over several batches is the work of the training loop.",
        ),
        "stale-buffer": Code(
            "With out=, in the tensors of another batch, the layer gives other numbers than without.",
            "d_w.addmm_(delta.t(), x)  # adds to what stands in out; torch.mm(..., out=d_w) writes",
            "Write every entry of out, and read none of it.",
        ),
        "not-the-derivative": Code(
            "By hand and reference agree, but finite differences of the forward formula show another derivative.",
            "return 2 * error, {}  # in the backward of a sine; the reference has the same mistake",
            "Mend both. If another derivative is meant, as in a straight-through estimator: differences=False.",
        ),
        "differs": Code(
            "The numbers differ from the right ones; they follow from a wrong forward formula of the same file.",
            "",
            "Mend the forward formula first.",
        ),
    },
    "Code that gives no numbers": {
        "raises": Code(
            "The code raised an exception; the sentence has its type and message.",
            "raise NotImplementedError",
            "Mend what the message says.",
        ),
        "changes-input": Code(
            "The code changed a tensor that it was given. It has been put back.",
            "d.mul_(x)  # the caller still needs d",
            "Write error * x. Methods whose names end in _ change a tensor in place.",
        ),
        "wrong-return": Code(
            "Something else came back than was expected: None, too few or too many things, unknown names.",
            "def forward(self, x):\n    return y  # forward(x) -> (y, saved)",
            "Return what the sentence says.",
        ),
        "nothing-to-read": Code(
            "forward gave nothing that backward could read.",
            "",
            "Mend forward first.",
        ),
        "wrong-shape": Code(
            "The result has another shape than what it is the gradient of.",
            "d_b = -delta.sum(0, keepdim=True)  # (1, n_out) for (n_out,)",
            "Give it that shape; nothing is broadcast for you.",
        ),
        "wrong-dtype": Code(
            "The result has another dtype than the reference.",
            "d_x = d_x.float()",
            "Keep the dtype of the input.",
        ),
        "wrong-device": Code(
            "The result lies on another device than the reference.",
            "return error.cpu()",
            "Keep the device of the input.",
        ),
        "wrong-for-layout": Code(
            "Right for tensors that lie in memory in order, wrong for others: strided or expanded ones.",
            "torch.as_strided(x, x.shape, (x.shape[1], 1))",
            "Read tensors by their indices, or call contiguous() first.",
        ),
        "wrong-for-choice": Code(
            "Right where all gradients are wanted, wrong where only one of them is.",
            "d_w = ... if ctx.needs_input_grad[0] else None  # [1] is meant",
            "Ask ctx.needs_input_grad for the input whose gradient you compute.",
        ),
    },
    "In the grader only": {
        "constant": Code(
            "The answer is the same for different inputs.",
            "return torch.full_like(x, 0.5)",
            "Compute it from the inputs.",
        ),
        "memorised": Code(
            "The answer is right at the public example, and the same everywhere else.",
            "return torch.tensor([[0.680267, 0.663739]])",
            "Compute it from the inputs.",
        ),
        "missing": Code(
            "The class or the method is not there.",
            "class Sigmoid: ...  # without backward",
            "Add it; the template shows its name and arguments.",
        ),
        "not-run": Code(
            "The file cannot be imported; nothing of it was run or counts.",
            'int("x")  # at the top level',
            "Mend what the sentence says.",
        ),
        "not-by-hand": Code(
            "The class, or something of the file that it calls, uses what is not by hand; none of its formulas counts.",
            "torch.nn.functional.softmax(x, 1)",
            "Use plain tensor operations. What no graded class reaches, as a test of your own, costs nothing.",
        ),
        "other-convention": Code(
            "Every gradient has the other sign: +∂L/∂q throughout, where the lecture has errors, −∂L/∂q.",
            "error = (y - t) / n  # at the loss; the lecture's is t - y",
            "Begin with t − y at the loss, and give ∂L/∂W = −δᵀ x, ∂L/∂b = −Σ δ.",
        ),
        "no-answer": Code(
            "The formula took longer than the time limit.",
            "while True:\n    ...",
            "Look for a loop without an end.",
        ),
        "out-of-memory": Code(
            "The formula took more memory than the limit.",
            "torch.zeros(10**9)",
            "The answers have about a hundred numbers: look for a tensor that is far too large.",
        ),
        "process-ended": Code(
            "The process in which the formula ran ended before it answered.",
            "os._exit(3)",
            "Remove what ends it.",
        ),
    },
}

CODES: dict[str, Code] = {code: entry for group in GROUPS.values() for code, entry in group.items()}
"""All of them; ``registry.register`` adds those of somebody else's layers."""
