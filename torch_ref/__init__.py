"""The network of ``manual_bp`` under autograd, and the comparison of the two, number by number.

    model, loss = torch_ref.mirror(network)               # a plain nn.Sequential with the same parameters
    report = torch_ref.crosscheck(network, x, t)          # every net, x, δ and gradient by both engines
    print(report); assert report.ok

The reference never uses a formula of ``manual_bp``: it only copies its parameters.
"""

from torch_ref.compare import ulp_distance
from torch_ref.crosscheck import crosscheck
from torch_ref.mirror import LossModule, Mirror, loss_of, mirror, module_of
from torch_ref.report import Report, Row

__all__ = [
    "LossModule",
    "Mirror",
    "Report",
    "Row",
    "crosscheck",
    "loss_of",
    "mirror",
    "module_of",
    "ulp_distance",
]
