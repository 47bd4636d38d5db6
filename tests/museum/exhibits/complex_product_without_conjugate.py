"""The gradient of a product of complex matrices leaves out the conjugate.

Source: https://github.com/tensorflow/tensorflow/issues/4859
What it did: gradients through complex products were wrong from the first report to the second, ten months later; no
test had complex numbers.
"""

import torch
from museum.exhibit import Exhibit


def forward(a, b):
    return a @ b


def right(d, a, b):
    return d @ b.mH, a.mH @ d


def wrong(d, a, b):
    return d @ b.mT, a.mT @ d


def inputs():
    generator = torch.Generator().manual_seed(13)
    return [torch.randn(shape, generator=generator, dtype=torch.cfloat) for shape in ((3, 4), (4, 2))]


EXHIBIT = Exhibit(
    title="complex product: no conjugate",
    source="https://github.com/tensorflow/tensorflow/issues/4859",
    check="check_function",
    guilty=("gradient of a", "gradient of b"),
    causes=frozenset({"conjugate-missing", "another-tensor"}),
)
