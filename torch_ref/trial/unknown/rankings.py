"""Losses of orders, of a teacher and of labels without places: RankNet, ListMLE, distillation, CTC."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as fn
from torch import Tensor

from torch_ref.trial.unknown.program import MEAN, PART, PROJECTION, Inputs, Numbers, programs, wrong


class RankedPairs:
    """Σ gain ln(1 + e^(s_j − s_i)) over pairs, the gain y_i − y_j where it is above 0; the mean over the queries."""

    def forward(self, s: Tensor, y: Tensor) -> Tensor:
        gap = s[:, :, None] - s[:, None, :]
        gain = (y[:, :, None] - y[:, None, :]).clamp(min=0)
        return (gain * fn.softplus(-gap)).sum((1, 2)).mean()

    def backward(self, d: Tensor, s: Tensor, y: Tensor) -> Any:
        n = s.shape[1]
        d_s = torch.zeros_like(s)
        for i in range(n):
            for j in range(n):
                gain = (y[:, i] - y[:, j]).clamp(min=0)
                lost = torch.sigmoid(s[:, j] - s[:, i])
                g = gain * lost
                d_s[:, i] -= g
                d_s[:, j] += g
        return d * d_s / len(s), None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(6, 5), g.below(4, 6, 5)

    mistakes = (
        wrong("loser not moved", "            d_s[:, j] += g\n", "", f"{PART} step-missing"),
        wrong(
            "sigmoid of the other sign",
            "(s[:, j] - s[:, i])",
            "(s[:, i] - s[:, j])",
            "wrong-argument swapped wrong-sign",
        ),
        wrong("gain as yes or no", ".clamp(min=0)", ".sign().clamp(min=0)", "sign-alone weights-missing term-missing"),
        wrong("every pair", ".clamp(min=0)", "", "wrong-mask"),
        wrong(
            "slope of a sigmoid",
            "g = gain * lost",
            "g = gain * lost * (1 - lost)",
            "slope-not-here slope-twice slope-miswritten",
        ),
        wrong(
            "last winner alone",
            "d_s[:, i] -= g",
            "d_s[:, i] = -g",
            f"{PART} duplicates-overwritten step-missing one-sample windows-overwritten",
        ),
        wrong("mean over all scores", "/ len(s)", "/ s.numel()", MEAN),
    )


class WholeOrder:
    """−ln of the probability of an order, best first (Plackett and Luce); the mean over the lists."""

    def forward(self, s: Tensor, order: Tensor) -> Tensor:
        o = s.gather(1, order)
        return (o.flip(1).logcumsumexp(1).flip(1) - o).sum(1).mean()

    def backward(self, d: Tensor, s: Tensor, order: Tensor) -> Any:
        o = s.gather(1, order)
        e = torch.exp(o - o.max(1, keepdim=True).values)
        left = e.flip(1).cumsum(1).flip(1)
        d_o = e * (1 / left).cumsum(1) - 1
        d_s = torch.zeros_like(s).scatter(1, order, d_o)
        return d * d_s / len(s), None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(7, 6), g.normal(7, 6).argsort(1)

    mistakes = (
        wrong(
            "the order for its inverse",
            "torch.zeros_like(s).scatter(1, order, d_o)",
            "d_o.gather(1, order)",
            "swapped wrong-sample shifted columns-mixed another-tensor wrong-argument",
        ),
        wrong("own place alone", "(1 / left).cumsum(1)", "(1 / left)", f"{PART} step-missing term-missing"),
        wrong(
            "those placed before counted",
            "e.flip(1).cumsum(1).flip(1)",
            "e.cumsum(1)",
            "swapped another-tensor wrong-argument shifted",
        ),
        wrong("what is chosen not taken off", ".cumsum(1) - 1", ".cumsum(1)", f"{PART} term-missing constant-added"),
        wrong("exponential forgotten", "e * (1 / left)", "(1 / left)", "softmax-miswritten slope-missing term-missing"),
        wrong("sum over the lists", "d * d_s / len(s)", "d * d_s", MEAN),
    )


class Distilled:
    """0.3 cross-entropy + 0.7 τ² KL(softmax(u / τ) from softmax(z / τ)), τ = 3, the mean; teacher u learns, too."""

    tau, hard = 3.0, 0.3

    def forward(self, z: Tensor, u: Tensor, t: Tensor) -> Tensor:
        teacher, pupil = torch.log_softmax(u / self.tau, 1), torch.log_softmax(z / self.tau, 1)
        kl = fn.kl_div(pupil, teacher, reduction="batchmean", log_target=True)
        return self.hard * fn.cross_entropy(z, t) + (1 - self.hard) * self.tau**2 * kl

    def backward(self, d: Tensor, z: Tensor, u: Tensor, t: Tensor) -> Any:
        p = torch.softmax(z, 1)
        log_q = torch.log_softmax(z / self.tau, 1)
        log_r = torch.log_softmax(u / self.tau, 1)
        q, r = log_q.exp(), log_r.exp()
        of_labels = p - fn.one_hot(t, z.shape[1])
        of_teacher = self.tau * (q - r)
        d_z = self.hard * of_labels + (1 - self.hard) * of_teacher
        gap = log_r - log_q
        d_u = (1 - self.hard) * self.tau * r * (gap - (r * gap).sum(1, keepdim=True))
        return d * d_z / len(z), d * d_u / len(z), None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(10, 5, scale=2), g.normal(10, 5, scale=2), g.below(5, 10)

    mistakes = (
        wrong("temperature twice", "of_teacher = self.tau *", "of_teacher = self.tau**2 *", "factor wrong-power"),
        wrong(
            "labels at the temperature, too",
            "p = torch.softmax(z, 1)",
            "p = torch.softmax(z / self.tau, 1)",
            "wrong-argument another-tensor",
        ),
        wrong(
            "teacher's softmax entry by entry",
            " - (r * gap).sum(1, keepdim=True)",
            "",
            f"{PROJECTION} softmax-not-differentiated term-missing",
        ),
        wrong("labels forgotten", "self.hard * of_labels + ", "", f"{PART} term-missing"),
        wrong(
            "shares exchanged",
            "(1 - self.hard) * of_teacher",
            "self.hard * of_teacher",
            "swapped factor wrong-argument",
        ),
        wrong("no logarithm", "gap = log_r - log_q", "gap = r - q", "wrong-logarithm another-tensor slope-miswritten"),
        wrong("from teacher to pupil", "(q - r)", "(r - q)", "wrong-sign swapped"),
    )


class LabelsWithoutPlaces:
    """CTC of one sequence: −ln of the probability of all paths; scores x (T, K), 0 is the blank."""

    def states(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        state = torch.zeros(2 * len(label) + 1, dtype=torch.long, device=label.device)
        state[1::2] = label
        skip = torch.zeros(len(state)).to(x)
        skip[2:] = ((state[2:] != 0) & (state[2:] != state[:-2])).to(x)
        start = torch.zeros_like(skip)
        start[:2] = 1
        return state, skip, start

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        state, skip, start = self.states(x, label)
        p = torch.softmax(x, 1)[:, state]
        a = start * p[0]
        for t in range(1, len(x)):
            a = (a + fn.pad(a[:-1], (1, 0)) + fn.pad(a[:-2], (2, 0)) * skip) * p[t]
        return -torch.log(a[-1] + a[-2])

    def backward(self, d: Tensor, x: Tensor, label: Tensor) -> Any:
        state, skip, arrived = self.states(x, label)
        y = torch.softmax(x, 1)
        p = y[:, state]
        come = [arrived]
        for t in range(1, len(x)):
            a = come[-1] * p[t - 1]
            come.append(a + fn.pad(a[:-1], (1, 0)) + fn.pad(a[:-2], (2, 0)) * skip)
        total = (come[-1] * p[-1])[-2:].sum()
        d_a, d_p = torch.zeros_like(skip), torch.zeros_like(p)
        d_a[-2:] = -d / total
        for t in reversed(range(len(x))):
            d_p[t] = d_a * come[t]
            d_come = d_a * p[t]
            d_a = d_come + fn.pad(d_come[1:], (0, 1))
            d_a += fn.pad((d_come * skip)[2:], (0, 2))
        d_y = torch.zeros_like(y).index_add_(1, state, d_p)
        return y * (d_y - (y * d_y).sum(1, keepdim=True)), None

    def draw(self, g: Numbers) -> Inputs:
        return g.normal(8, 4), torch.tensor([2, 1, 1, 3])

    mistakes = (
        wrong(
            "blanks always passed through",
            "        d_a += fn.pad((d_come * skip)[2:], (0, 2))\n",
            "",
            f"{PART} step-missing",
            places=((0, 1, 2, 3, 4, 5, 6),),
        ),
        wrong(
            "equal labels skipped to",
            "(d_come * skip)[2:]",
            "d_come[2:]",
            "wrong-mask",
            places=((0, 1, 2, 3, 4, 5, 6),),
        ),
        wrong(
            "one place of each label",
            "torch.zeros_like(y).index_add_(1, state, d_p)",
            "torch.zeros_like(y).index_copy_(1, state, d_p)",
            "duplicates-overwritten windows-overwritten part-missing step-missing",
            places=((0, 1, 2, 3, 4, 5, 6),),
        ),
        wrong("ends in the blank alone", "d_a[-2:] = ", "d_a[-1:] = ", f"{PART} step-missing sample-missing"),
        wrong(
            "softmax entry by entry",
            " - (y * d_y).sum(1, keepdim=True)",
            "",
            f"{PROJECTION} softmax-not-differentiated term-missing",
        ),
        wrong(
            "states moved the other way",
            "fn.pad(d_come[1:], (0, 1))",
            "fn.pad(d_come[:-1], (1, 0))",
            "shifted swapped wrong-padding another-tensor unit-beside wrong-sample",
            places=((0, 1, 2, 3, 4, 5, 6),),
        ),
        wrong("slope of the logarithm forgotten", "-d / total", "-d", "slope-missing wrong-logarithm term-missing"),
    )


PROGRAMS = programs("orders, teachers and paths", RankedPairs, WholeOrder, Distilled, LabelsWithoutPlaces)
