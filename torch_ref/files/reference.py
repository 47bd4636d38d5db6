"""What something is compared with: a function of the file, a known one of torch, or forward itself under autograd."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from torch_ref.numbers.containers import mapped
from torch_ref.steps.calling import attempt
from torch_ref.steps.meant import Watching
from torch_ref.steps.step import can_flow, same

Function = type[torch.autograd.Function]


@dataclass(frozen=True)
class Reference:
    """What something is compared with, and the name that a report gives it."""

    of: Callable[..., Any]
    shown: str
    is_forward: bool = False
    """Whether it is the handwritten forward itself: then a wrong forward is not seen."""


ITSELF = "its own forward under autograd"

NOT_ITS_DERIVATIVE = (
    "what autograd makes of {} is not its derivative, as where a tensor is detached: define {}, a function of the same "
    "inputs made of torch operations"
)

PASSES_ON = "{} in {} passes the gradient on, as in a straight-through estimator"

CANNOT_FOLLOW = "autograd cannot follow {}: define {}, a function of the same inputs made of torch operations"


def cannot_follow(error: BaseException) -> bool:
    """Tell whether a check says of its reference that autograd cannot differentiate it."""
    return isinstance(error, ValueError) and "autograd can differentiate" in str(error)


# ------------------------------------------------------------------------------------------------- one of the file


def in_file(namespace: Mapping[str, Any], *names: str) -> Reference | None:
    """Return the function or module that the file calls the reference of one of these names."""
    for name in names_of_reference(*names):
        found = namespace.get(name)
        if callable(found):
            made = found() if isinstance(found, type) and issubclass(found, torch.nn.Module) else found
            return Reference(made, name)
    return None


def names_of_reference(*names: str) -> list[str]:
    """Return the names that a reference may have."""
    stems = [one for name in names for one in dict.fromkeys((name, snake(name)))]
    made = [made for stem in stems for made in (f"{stem}_reference", f"reference_{stem}", f"{stem}_ref")]
    return [*made, "reference"] if "forward" in names else made


def snake(name: str) -> str:
    """Return a class's name as that of a function: LayerNorm as layer_norm, GELU as gelu, ReLU as relu."""
    words = name.replace("ReLU", "Relu").replace("SiLU", "Silu").replace("LogSumExp", "Logsumexp")
    words = words.replace("LogSigmoid", "Logsigmoid").replace("1D", "1d").replace("2D", "2d")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", words).lower()


# ------------------------------------------------------------------------------------------------ one that torch has

BY_NAME = (
    *("relu", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign", "hardswish"),
    *("hardtanh", "hardsigmoid", "relu6", "logsigmoid", "sigmoid", "tanh", "exp", "log", "log1p", "expm1", "sin"),
    *("cos", "sqrt", "rsqrt", "square", "reciprocal", "matmul", "mm", "bmm", "mul", "add", "sub", "div", "linear"),
    *("conv1d", "conv2d", "conv3d", "embedding", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "nll_loss"),
    *("cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
)
"""What people write again under torch's own name."""

KNOWN: dict[str, Callable[..., Any]] = {
    **{name: getattr(functional, name, None) or getattr(torch, name) for name in BY_NAME},
    "softmax": lambda x: functional.softmax(x, -1),
    "log_softmax": lambda x: functional.log_softmax(x, -1),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
    "layer_norm": lambda x, *p: functional.layer_norm(x, x.shape[-1:], *p),
    "rms_norm": lambda x, *p: functional.rms_norm(x, x.shape[-1:], *p),
}
"""By the name of a function; those of a norm or a softmax along the last dimension."""

AROUND = re.compile(r"^(my|custom|manual|hand|our|own)_|_(function|fn|func|op|autograd|layer|manual|custom)$")
"""What people put around the name of a function that torch has: MyReLU, SigmoidFunction."""

NEAR_ENOUGH = {torch.float64: 1e-11, torch.float32: 1e-6, torch.bfloat16: 1e-2, torch.float16: 2e-3}
"""How far the outputs of a function and of torch's may be apart, as a share of their norm: rounding, no other ε."""


def known(name: str, forward: Callable[..., Any], inputs: Sequence[Any]) -> Reference | None:
    """Return torch's own function of this name, where it takes these inputs and gives what forward gives."""
    bare, before = snake(name), ""
    while bare != before:
        bare, before = AROUND.sub("", bare), bare
    bare = {"swish": "silu"}.get(bare, bare)
    if bare not in KNOWN:
        return None
    theirs = attempt(lambda: KNOWN[bare](*inputs))
    mine = attempt(lambda: forward(*mapped([*inputs], lambda _, t: t.clone())))
    return Reference(KNOWN[bare], f"torch's {bare}") if _alike(mine, theirs) else None


def _alike(mine: Any, theirs: Any) -> bool:
    if not isinstance(mine, Tensor) or not isinstance(theirs, Tensor):
        return False
    if mine.shape != theirs.shape or mine.dtype != theirs.dtype or mine.dtype not in NEAR_ENOUGH:
        return False
    off = (mine.double() - theirs.double()).norm()
    return bool(off <= NEAR_ENOUGH[mine.dtype] * theirs.double().norm())


# ------------------------------------------------------------------------------------------------------ forward itself


@dataclass
class StandIn:
    """In the place of a Function's ctx: takes whatever forward keeps there, and looks at what gets no gradient."""

    needs_input_grad: tuple[bool, ...]
    saved_tensors: tuple[Any, ...] = ()
    constant: list[Tensor] = field(default_factory=list)
    dirty: list[Tensor] = field(default_factory=list)

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors."""
        self.saved_tensors = tensors

    save_for_forward = save_for_backward

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Note outputs that get no gradient."""
        self.constant += outputs

    def mark_dirty(self, *inputs: Tensor) -> None:
        """Note inputs that are changed in place and returned."""
        self.dirty += inputs

    def set_materialize_grads(self, value: bool) -> None:
        """Take what is for backward alone."""


def itself(function: Function) -> Callable[..., Any]:
    """Return a Function's forward as a function of its inputs, of torch operations that autograd can follow.

    It is given copies: what changes a leaf in place cannot be differentiated.
    """

    @wraps(function.forward)
    def forward(*inputs: Any) -> Any:
        copies = [t.clone() if isinstance(t, Tensor) and can_flow(t) else t for t in inputs]
        ctx: Any = StandIn((True,) * len(inputs))
        if is_split(function):
            made = function.forward(*copies)
            function.setup_context(ctx, tuple(copies), made)
        else:
            made = function.forward(ctx, *copies)
        _write_back(inputs, copies, ctx)
        constant = {id(t) for t in ctx.constant}
        if isinstance(made, tuple | list):
            return type(made)(y.detach() if id(y) in constant else y for y in made)
        return made

    return forward


def _write_back(inputs: Sequence[Any], copies: Sequence[Any], ctx: StandIn) -> None:
    """Change the inputs that forward changed, running statistics, but not what it says to return."""
    dirty = {id(t) for t in ctx.dirty}
    for t, copy in zip(inputs, copies, strict=True):
        if t is not copy and not t.requires_grad and id(copy) not in dirty and not same(t, copy):
            t.copy_(copy.detach())


def is_split(function: Function) -> bool:
    """Tell whether a Function's forward takes no ctx, and its ``setup_context`` does."""
    return function.setup_context is not torch.autograd.Function.setup_context


def rounds(forward: Callable[..., Any], inputs: Sequence[Any]) -> str:
    """Return which rounding a function does: what a straight-through estimator passes the gradient through."""
    watching = Watching()

    def watched() -> None:
        with watching:
            forward(*inputs)

    attempt(watched)
    return watching.found.removeprefix("it calls ") if watching.found.startswith("it calls ") else ""
