"""Everyone who computes the step, by name. The name before a colon is the contender's, after it one of its forms."""

from __future__ import annotations

from benchmarks.contenders.autograd import FORMS, autograd
from benchmarks.contenders.by_jax import Jax
from benchmarks.contenders.by_numpy import Numpy
from benchmarks.contenders.compiled import Compiled
from benchmarks.contenders.contender import Contender, Maker
from benchmarks.contenders.expert import Expert
from benchmarks.contenders.floor import Floor
from benchmarks.contenders.manual import Manual
from benchmarks.contenders.sklearn_mlp import Sklearn

CONTENDERS: dict[str, Maker] = {
    "floor": Floor,
    "manual": Manual,
    **{f"autograd:{form}": autograd(form) for form in FORMS},
    "expert": Expert,
    "compile": Compiled,
    "jax": Jax,
    "numpy": Numpy,
    "sklearn": Sklearn,
}
QUICK = tuple(name for name in CONTENDERS if name.split(":")[0] not in ("compile", "jax", "sklearn"))

TITLES = {
    "floor": "floor",
    "manual": "manual_bp",
    "autograd": "autograd",
    "expert": "expert",
    "compile": "compile",
    "jax": "JAX jit",
    "numpy": "numpy",
    "sklearn": "sklearn",
}

LEGEND = {
    "floor": "only the matrix products of the step, torch.mm(out=) into ready buffers",
    "manual": "manual_bp: ManualEngine.step",
    "autograd": "torch.nn and torch.optim.SGD, the best of its plain, foreach and fused form",
    "expert": "autograd without objects: F.linear, updates in place under no_grad, gradients set to None",
    "compile": "torch.compile of the whole step: forward, loss, torch.autograd.grad and update in one function",
    "jax": "JAX: value_and_grad and update in one jitted function with donated parameters",
    "numpy": "numpy by hand, products and updates in place",
    "sklearn": "scikit-learn's partial_fit; in squared-error cases not the same arithmetic (its output is linear)",
}

__all__ = ["CONTENDERS", "LEGEND", "QUICK", "TITLES", "Contender", "Maker"]
