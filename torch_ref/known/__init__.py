"""What is known of each formula, in one file for each type of layer and loss: its equation, its causes, its faults.

Verdicts, the trial, the grader and the lesson read it. For a layer of your own, say what is known of it:

    from torch_ref.known import Candidate, Fault, Formula, Known, register      # see ``registry``
"""

from torch_ref.known.cause import Cause, Code
from torch_ref.known.convolution import CONVOLUTION
from torch_ref.known.dropout import DROPOUT
from torch_ref.known.faults import FAULTS, Fault
from torch_ref.known.flatten import FLATTEN
from torch_ref.known.linear import LINEAR
from torch_ref.known.norm import LAYER_NORM
from torch_ref.known.pooling import AVERAGE_POOLING, MAX_POOLING
from torch_ref.known.recurrent import RECURRENT
from torch_ref.known.registry import KNOWN, Formula, Known, formula_of, register
from torch_ref.known.relu import RELU
from torch_ref.known.scene import Addition, Candidate, Scene
from torch_ref.known.sigmoid import SIGMOID
from torch_ref.known.softmax_cross_entropy import SOFTMAX_CROSS_ENTROPY
from torch_ref.known.squared_error import SQUARED_ERROR
from torch_ref.known.tanh import TANH

__all__ = [
    "FAULTS",
    "KNOWN",
    "Addition",
    "Candidate",
    "Cause",
    "Code",
    "Fault",
    "Formula",
    "Known",
    "Scene",
    "formula_of",
    "register",
]

OF_THE_LECTURE = LINEAR, SIGMOID, TANH, RELU, SQUARED_ERROR, SOFTMAX_CROSS_ENTROPY

for _known in (
    *OF_THE_LECTURE,
    CONVOLUTION,
    MAX_POOLING,
    AVERAGE_POOLING,
    FLATTEN,
    LAYER_NORM,
    RECURRENT,
    DROPOUT,
):
    register(_known)
