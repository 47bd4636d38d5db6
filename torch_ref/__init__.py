"""The network of ``manual_bp`` under autograd, and the comparison of the two, number by number.

    model, loss = torch_ref.mirror(network)               # a plain nn.Sequential with the same parameters
    report = torch_ref.crosscheck(network, x, t)          # every net, x, δ and gradient by three witnesses
    print(report); assert report.ok

    torch_ref.check_layer(layer, x, reference)            # one layer of your own
    torch_ref.check_function(forward, backward, inputs)   # a pair of plain functions
    torch_ref.check_gradients(loss, parameters, gradients)  # of numpy or torch, however they were computed
    torch_ref.check_chain(loss, {"h": (h, dh), ...})      # many gradients of one pass: which is wrong by itself
    torch_ref.check_lines(forward, backward, inputs)      # two functions as they are: which line is wrong
    torch_ref.functions_of(layer, x, {"W": "dW"})         # the same pair of an object that keeps things on itself
    torch_ref.check_autograd_function(Function, inputs, reference)
    torch_ref.check_module(mine, reference, inputs)       # two nn.Modules, or a network and an nn.Module
    torch_ref.assert_gradients_match(report)              # raise the verdict, in a test

The reference never uses a formula of ``manual_bp``: it only copies its parameters. Names are imported when they are
first asked for, so that the pytest plugin and ``--help`` do not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch_ref.autograd.mirrored import LossModule, Mirror, loss_of, mirror, module_of
    from torch_ref.check.autograd_function import check_autograd_function
    from torch_ref.check.chain import check_chain
    from torch_ref.check.function import check_function
    from torch_ref.check.gradients import check_gradients
    from torch_ref.check.layer import check_layer
    from torch_ref.check.lines import check_lines
    from torch_ref.check.module import check_module
    from torch_ref.check.network import crosscheck
    from torch_ref.numbers.agreement import ulp_distance
    from torch_ref.steps.objects import functions_of
    from torch_ref.verdict.assertion import GradientMismatchError, assert_gradients_match
    from torch_ref.verdict.report import Report
    from torch_ref.verdict.row import Row

_HOME = {
    "verdict.assertion": ("GradientMismatchError", "assert_gradients_match"),
    "check.autograd_function": ("check_autograd_function",),
    "check.chain": ("check_chain",),
    "check.function": ("check_function",),
    "check.gradients": ("check_gradients",),
    "check.layer": ("check_layer",),
    "check.lines": ("check_lines",),
    "numbers.agreement": ("ulp_distance",),
    "steps.objects": ("functions_of",),
    "check.module": ("check_module",),
    "check.network": ("crosscheck",),
    "autograd.mirrored": ("LossModule", "Mirror", "loss_of", "mirror", "module_of"),
    "verdict.report": ("Report",),
    "verdict.row": ("Row",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "GradientMismatchError",
    "LossModule",
    "Mirror",
    "Report",
    "Row",
    "assert_gradients_match",
    "check_autograd_function",
    "check_chain",
    "check_function",
    "check_gradients",
    "check_layer",
    "check_lines",
    "check_module",
    "crosscheck",
    "functions_of",
    "loss_of",
    "mirror",
    "module_of",
    "ulp_distance",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module, and keep it."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'torch_ref' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"torch_ref.{_MODULE_OF[name]}"), name)
    return value


def load_ipython_extension(shell: Any) -> None:
    """Make ``%check``, ``%%check`` and ``%%grade`` magics of a notebook: ``%load_ext torch_ref``."""
    import_module("torch_ref.files.notebook").register(shell)
    import_module("torch_ref.grade.formats.hidden").register(shell)
