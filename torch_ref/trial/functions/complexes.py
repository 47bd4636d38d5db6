"""Complex inputs and outputs, by torch's convention: the gradient is the conjugate of the derivative."""

from __future__ import annotations

import torch

from torch_ref.trial.functions.kind import COMPLEX, Kind

KINDS = (
    Kind(
        "complex product of matrices",
        "complex",
        lambda a, b: a @ b,
        lambda d, a, b: (d @ b.mH, a.mH @ d),
        lambda g: [g.normal(g.rows, g.columns), g.normal(g.columns, 4)],
        {
            "second factor not conjugate": lambda d, a, b: (d @ b.mT, a.mH @ d),
            "first factor not conjugate": lambda d, a, b: (d @ b.mH, a.mT @ d),
            "upstream gradient conjugate": lambda d, a, b: (d.conj() @ b.mH, a.mH @ d),
            "real parts alone": lambda d, a, b: ((d @ b.mH).real + 0j * d.real.sum(), a.mH @ d),
        },
        dtypes=COMPLEX,
    ),
    Kind(
        "squared absolute value",
        "complex",
        lambda z: z.real**2 + z.imag**2,
        lambda d, z: 2 * d * z,
        lambda g: [g.normal(g.rows, g.columns)],
        {
            "conjugate": lambda d, z: 2 * d * z.conj(),
            "no factor of 2": lambda d, z: d * z,
            "real part alone": lambda d, z: torch.complex(2 * d * z.real, torch.zeros_like(d)),
        },
        dtypes=COMPLEX,
    ),
    Kind(
        "complex product of entries",
        "complex",
        lambda a, b: a * b,
        lambda d, a, b: (d * b.conj(), (d * a.conj()).sum(0)),
        lambda g: [g.normal(g.rows, g.columns), g.normal(g.columns)],
        {
            "no conjugate": lambda d, a, b: (d * b, (d * a.conj()).sum(0)),
            "all conjugate": lambda d, a, b: (d * b.conj(), (d * a.conj()).sum(0).conj()),
            "mean for sum": lambda d, a, b: (d * b.conj(), (d * a.conj()).mean(0)),
        },
        dtypes=COMPLEX,
        as_function=True,
    ),
    Kind(
        "real rotation of complex numbers",
        "complex",
        lambda z, a: z * torch.polar(torch.ones_like(a), a),
        lambda d, z, a: _turned(d, z, a),
        lambda g: [g.normal(g.rows, g.columns), g.normal(g.columns, scale=1.0).real.clone()],
        {
            "turned forwards": lambda d, z, a: (d * torch.polar(torch.ones_like(a), a), _turned(d, z, a)[1]),
            "angle of the real part": lambda d, z, a: (_turned(d, z, a)[0], (d * z.conj()).real.sum(0)),
            "angle of the other sign": lambda d, z, a: (_turned(d, z, a)[0], -_turned(d, z, a)[1]),
        },
        dtypes=COMPLEX,
    ),
)


def _turned(d: torch.Tensor, z: torch.Tensor, a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    e = torch.polar(torch.ones_like(a), a)
    return d * e.conj(), (d * (1j * z * e).conj()).real.sum(0)
