"""Cameras and pictures: a homography, a pose, a picture resampled, colours that depend on where they are seen from."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class Homography:
    """Points of a plane p (N, 2), by the matrix H (3, 3) in homogeneous coordinates."""

    def forward(self, p: Tensor, h: Tensor) -> Tensor:
        q = torch.cat([p, torch.ones_like(p[:, :1])], 1) @ h.T
        return q[:, :2] / q[:, 2:]

    def backward(self, d: Tensor, p: Tensor, h: Tensor) -> Any:
        ph = torch.cat([p, torch.ones_like(p[:, :1])], 1)
        q = ph @ h.T
        w = q[:, 2:]
        y = q[:, :2] / w
        d_q = torch.cat([d / w, -(d * y).sum(1, keepdim=True) / w], 1)
        d_h = d_q.T @ ph
        d_p = (d_q @ h)[:, :2]
        return d_p, d_h

    def draw(self, g: Numbers) -> Inputs:
        return g.between(-1, 1, 9, 2), 1.5 * torch.eye(3) + g.normal(3, 3, scale=0.25)

    mistakes = (
        wrong(
            "divisor taken as constant",
            "-(d * y).sum(1, keepdim=True) / w",
            "torch.zeros_like(w)",
            f"{PART} term-missing",
            places=((2,),),
        ),
        wrong("sign of the divisor", "-(d * y)", "(d * y)", "wrong-sign plus-for-minus", places=((2,),)),
        wrong(
            "before the division",
            "(d * y)",
            "(d * q[:, :2])",
            "another-tensor slope-at-input slope-missing term-missing wrong-power",
            places=((2,),),
        ),
        wrong("matrix transposed", "(d_q @ h)", "(d_q @ h.T)", "transposed-weights transposed"),
        wrong("transposed for the matrix", "d_q.T @ ph", "ph.T @ d_q", "transposed swapped"),
        wrong(
            "last two coordinates", "[:, :2]\n    return", "[:, 1:]\n    return", "shifted unit-beside another-tensor"
        ),
    )


class PinholePose:
    """Points (N, 3) in a camera turned about its second axis and moved by t; two focal lengths and a centre."""

    def turn(self, a: Tensor) -> Tensor:
        c, s, none, one = a.cos(), a.sin(), torch.zeros_like(a), torch.ones_like(a)
        return torch.stack([c, none, s, none, one, none, -s, none, c]).reshape(3, 3)

    def forward(self, p: Tensor, a: Tensor, t: Tensor, f: Tensor, centre: Tensor) -> Tensor:
        q = p @ self.turn(a).T + t
        return f * q[:, :2] / q[:, 2:] + centre

    def backward(self, d: Tensor, p: Tensor, a: Tensor, t: Tensor, f: Tensor, centre: Tensor) -> Any:
        r = self.turn(a)
        q = p @ r.T + t
        n = q[:, :2] / q[:, 2:]
        d_f = (d * n).sum(0)
        d_n = d * f
        d_q = torch.empty_like(q)
        d_q[:, :2] = d_n / q[:, 2:]
        d_q[:, 2] = -(d_n * n).sum(1) / q[:, 2]
        d_r = d_q.T @ p
        d_a = a.cos() * (d_r[0, 2] - d_r[2, 0]) - a.sin() * (d_r[0, 0] + d_r[2, 2])
        return d_q @ r, d_a, d_q.sum(0), d_f, d.sum(0)

    def draw(self, g: Numbers) -> Inputs:
        move = torch.tensor([0.2, -0.3, 4.0])
        return g.normal(11, 3, scale=0.7), torch.tensor(0.6), move, torch.tensor([1.4, 0.8]), g.normal(2)

    mistakes = (
        wrong("focal lengths forgotten", "d_n = d * f", "d_n = d", "weights-missing slope-missing term-missing factor"),
        wrong(
            "depth taken as constant",
            "-(d_n * n).sum(1) / q[:, 2]",
            "0",
            f"{PART} term-missing dead-unit only-some",
            places=((0, 2), (2,)),
        ),
        wrong(
            "turned the same way back",
            "return d_q @ r,",
            "return d_q @ r.T,",
            "transposed-weights transposed",
            places=((0, 2),),
        ),
        wrong("points of the camera", "d_q.T @ p", "d_q.T @ q", "another-tensor slope-at-output"),
        wrong("diagonal forgotten", " - a.sin() * (d_r[0, 0] + d_r[2, 2])", "", f"{PART} term-missing"),
        wrong(
            "sign of the sine's entry",
            "(d_r[0, 2] - d_r[2, 0])",
            "(d_r[0, 2] + d_r[2, 0])",
            "plus-for-minus wrong-sign",
        ),
        wrong("mean for the move", "d_a, d_q.sum(0)", "d_a, d_q.mean(0)", MEAN),
    )


class AffineSampler:
    """A picture (C, H, W) read bilinearly where an affine map of [−1, 1]² sends each pixel; outside of it is 0."""

    def grid(self, x: Tensor) -> Tensor:
        rows, columns = (torch.linspace(-1, 1, n, dtype=x.dtype, device=x.device) for n in x.shape[1:])
        v, u = torch.meshgrid(rows, columns, indexing="ij")
        return torch.stack([u, v, torch.ones_like(u)], -1).reshape(-1, 3)

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        _, h, w = x.shape
        places = (self.grid(x) @ theta.T + 1) * torch.tensor([w - 1, h - 1]).to(x) / 2
        first = places.floor()
        right, low = (places - first).T
        y: Any = 0
        for i in (0, 1):
            for j in (0, 1):
                column, row = (first + torch.tensor([i, j]).to(x)).long().T
                inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
                weight = (right if i else 1 - right) * (low if j else 1 - low) * inside
                y = y + weight * x[:, row.clamp(0, h - 1), column.clamp(0, w - 1)]
        picture: Tensor = y.reshape(x.shape)
        return picture

    def backward(self, d: Tensor, x: Tensor, theta: Tensor) -> Any:
        c, h, w = x.shape
        base = self.grid(x)
        u, v = (base @ theta.T + 1).T
        u, v = u * (w - 1) / 2, v * (h - 1) / 2
        a, b = u - u.floor(), v - v.floor()
        d = d.reshape(c, -1)
        d_x, d_u, d_v = torch.zeros_like(d), torch.zeros_like(u), torch.zeros_like(v)
        for i in (0, 1):
            for j in (0, 1):
                column, row = u.floor().long() + i, v.floor().long() + j
                inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
                at = row.clamp(0, h - 1) * w + column.clamp(0, w - 1)
                across = a if i else 1 - a
                down = b if j else 1 - b
                d_x.index_add_(1, at, d * (across * down * inside))
                dot = (d * x.reshape(c, -1)[:, at]).sum(0) * inside
                d_u += (2 * i - 1) * down * dot
                d_v += (2 * j - 1) * across * dot
        d_g = torch.stack([d_u * (w - 1) / 2, d_v * (h - 1) / 2], 1)
        return d_x.reshape(x.shape), d_g.T @ base

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(2, 5, 7), torch.tensor([[0.8, 0.35, 0.13], [-0.3, 0.9, -0.21]]) + g.normal(2, 3, scale=0.02)

    mistakes = (
        wrong(
            "pixels for the map's units",
            "d_u * (w - 1) / 2, d_v * (h - 1) / 2",
            "d_u, d_v",
            "factor slope-missing weights-missing term-missing",
        ),
        wrong(
            "rows and columns exchanged",
            "d_u * (w - 1) / 2, d_v * (h - 1) / 2",
            "d_v * (h - 1) / 2, d_u * (w - 1) / 2",
            "swapped transposed shifted",
        ),
        wrong("outside counted", ".sum(0) * inside", ".sum(0)", "wrong-mask term-missing"),
        wrong(
            "pixels read twice overwritten",
            "d_x.index_add_(1, at, d * (across * down * inside))",
            "d_x[:, at] = d * (across * down * inside)",
            f"{PART} duplicates-overwritten windows-overwritten",
        ),
        wrong(
            "weights of the other side",
            "across = a if i else 1 - a",
            "across = 1 - a if i else a",
            "swapped wrong-argument another-tensor shifted",
            places=((1,),),
        ),
        wrong(
            "weight of its own direction", "* down * dot", "* across * dot", "another-tensor swapped", places=((0,),)
        ),
    )


class SphericalColours:
    """Colours max(0, Σ k Y(direction) + ½) of points, real spherical harmonics up to degree 2, from one camera."""

    def basis(self, n: Tensor) -> Tensor:
        x, y, z = n.T
        first = [torch.full_like(x, 0.2821), -0.4886 * y, 0.4886 * z, -0.4886 * x]
        second = [1.0925 * x * y, -1.0925 * y * z, 0.3154 * (3 * z * z - 1), -1.0925 * x * z, 0.54625 * (x * x - y * y)]
        return torch.stack(first + second, 1)

    def forward(self, p: Tensor, camera: Tensor, k: Tensor) -> Tensor:
        ray = p - camera
        n = ray / ray.norm(dim=1, keepdim=True)
        return (torch.einsum("nb,nbc->nc", self.basis(n), k) + 0.5).clamp(min=0)

    def backward(self, d: Tensor, p: Tensor, camera: Tensor, k: Tensor) -> Any:
        ray = p - camera
        r = ray.norm(dim=1, keepdim=True)
        n = ray / r
        shown = (torch.einsum("nb,nbc->nc", self.basis(n), k) + 0.5) > 0
        d_rgb = d * shown
        d_k = self.basis(n)[:, :, None] * d_rgb[:, None, :]
        s = (k * d_rgb[:, None, :]).sum(2).T
        x, y, z = n.T
        d_x = -0.4886 * s[3] + 1.0925 * (y * s[4] - z * s[7] + x * s[8])
        d_y = -0.4886 * s[1] + 1.0925 * (x * s[4] - z * s[5] - y * s[8])
        d_z = 0.4886 * s[2] + 1.8924 * z * s[6] - 1.0925 * (y * s[5] + x * s[7])
        d_n = torch.stack([d_x, d_y, d_z], 1)
        d_p = (d_n - n * (n * d_n).sum(1, keepdim=True)) / r
        return d_p, -d_p.sum(0), d_k

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(10, 3), torch.tensor([0.5, -0.4, -3.0]), g.normal(10, 9, 3, scale=0.6)

    mistakes = (
        wrong(
            "dark colours not held",
            "d_rgb = d * shown",
            "d_rgb = d",
            "wrong-mask slope-missing only-some",
            places=((2, 4, 7, 8, 9),),
        ),
        wrong("directions without their norm", " - n * (n * d_n).sum(1, keepdim=True)", "", PROJECTION),
        wrong("distance forgotten", ") / r\n    return", ")\n    return", "slope-missing weights-missing term-missing"),
        wrong("one use of y forgotten", "x * s[4] - z * s[5]", "x * s[4]", f"{PART} term-missing"),
        wrong("square's two forgotten", "1.8924 * z", "0.9462 * z", "factor slope-miswritten wrong-power"),
        wrong(
            "first degree in the order x, y",
            "-0.4886 * s[3]",
            "-0.4886 * s[1]",
            "swapped shifted another-tensor columns-mixed",
            ("d_y = -0.4886 * s[1]", "d_y = -0.4886 * s[3]"),
        ),
        wrong("sign of the camera", "-d_p.sum(0)", "d_p.sum(0)", "wrong-sign"),
    )


PROGRAMS = programs("cameras", Homography, PinholePose, AffineSampler, SphericalColours)
