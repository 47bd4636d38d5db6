"""What the cell state brings back from the next step is overwritten, and has to be added to.

Source: https://github.com/apache/mxnet/issues/4057
What it did: a reader found it in the example of a library, and could not say how to mend it.
"""

import torch
from museum.exhibit import Exhibit, normal


def forward(x, c0, Wi, Wf, Wg, Wo):
    zi, zf, zg, zo = x @ Wi, x @ Wf, x @ Wg, x @ Wo
    i, f, g, o = torch.sigmoid(zi), torch.sigmoid(zf), torch.tanh(zg), torch.sigmoid(zo)
    cell = f * c0 + i * g
    h = o * torch.tanh(cell)
    return h, cell


def right(dh, dc, x, c0, Wi, Wf, Wg, Wo):
    i, f, g, o = torch.sigmoid(x @ Wi), torch.sigmoid(x @ Wf), torch.tanh(x @ Wg), torch.sigmoid(x @ Wo)
    cell = f * c0 + i * g
    dcell = dc + dh * o * (1 - torch.tanh(cell) ** 2)
    dzf = dcell * c0 * f * (1 - f)
    dzi = dcell * g * i * (1 - i)
    dzg = dcell * i * (1 - g**2)
    dzo = dh * torch.tanh(cell) * o * (1 - o)
    dx = dzi @ Wi.T + dzf @ Wf.T + dzg @ Wg.T + dzo @ Wo.T
    return dx, dcell * f, x.T @ dzi, x.T @ dzf, x.T @ dzg, x.T @ dzo


def wrong(dh, dc, x, c0, Wi, Wf, Wg, Wo):
    i, f, g, o = torch.sigmoid(x @ Wi), torch.sigmoid(x @ Wf), torch.tanh(x @ Wg), torch.sigmoid(x @ Wo)
    cell = f * c0 + i * g
    dcell = dh * o * (1 - torch.tanh(cell) ** 2)
    dzf = dcell * c0 * f * (1 - f)
    dzi = dcell * g * i * (1 - i)
    dzg = dcell * i * (1 - g**2)
    dzo = dh * torch.tanh(cell) * o * (1 - o)
    dx = dzi @ Wi.T + dzf @ Wf.T + dzg @ Wg.T + dzo @ Wo.T
    return dx, dcell * f, x.T @ dzi, x.T @ dzf, x.T @ dzg, x.T @ dzo


def inputs():
    return normal((3, 4), (3, 5), (4, 5), (4, 5), (4, 5), (4, 5), seed=46)


EXHIBIT = Exhibit(
    title="LSTM: cell gradient, = for +=",
    source="https://github.com/apache/mxnet/issues/4057",
    check="check_lines",
    guilty=("gradient of cell",),
    causes=frozenset({"part-missing", "path-detached", "step-missing"}),
    line="dcell = dh * o * (1 - torch.tanh(cell) ** 2)",
)
