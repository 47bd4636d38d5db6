"""An epoch of 60,000 images: what feeding the data costs, against the usual DataLoader."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.cases import C128, CASES, FED, Case, problem
from benchmarks.contenders.manual import Manual
from benchmarks.machine import cores
from benchmarks.part import Part
from manual_bp.training.engine.step import threads_for
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import Images

METHOD = (
    f"Synthetic uint8 images, shuffled; medians of 3 in turn. First whole epochs of {C128.title} on one thread; the "
    "DataLoader has no worker processes and makes each image a PIL image, then a tensor, then standardises it. Then, "
    "for every case, the share of Batches in an epoch of 60,000 by manual_bp (in a part of it for case e), with two "
    "threads where train.py takes them."
)
ENOUGH = 75e9
"""Multiplications by weights in the part of an epoch that is timed: whole epochs but for case e."""


class PerImage(Dataset[tuple[Tensor, int]]):
    """The usual data set: one image at a time, through a Python transform."""

    def __init__(self, images: Images, mean: float = 0.5, deviation: float = 0.29) -> None:
        """Take the images, and the mean and standard deviation of their pixels from 0 to 1."""
        self.images, self.labels, self.mean, self.deviation = images, images.labels.tolist(), mean, deviation

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        """Return image and label."""
        image = Image.fromarray(self.images.pixels[i].numpy())
        pixels = torch.from_numpy(np.array(image))[None].to(torch.float32).div(255)
        return pixels.sub_(self.mean).div_(self.deviation), self.labels[i]


def measure(*, quick: bool = False) -> Part:
    """Measure an epoch of 60,000 images (when quick, of 6,000), and what feeding costs in every case."""
    n = 6_000 if quick else 60_000
    torch.set_num_threads(1)
    times = seconds(synthetic(n))
    shares = {name: feeding_share(CASES[name]) for name in (FED[:3] if quick else FED)}
    part = Part(f"An epoch of {n:,} images", ("", "seconds or share"), method=METHOD)
    part.rows = [(name, f"{value:.3f}") for name, value in times.items()]
    part.rows += [(f"share of data feeding, case {name}", f"{share:.1%}") for name, share in shares.items()]
    part.figures = {"images": n, "seconds": times}
    part.figures |= {f"feeding_share_{name}": share for name, share in shares.items()}
    return part


def synthetic(n: int, side: int = 28) -> Images:
    """Return random images."""
    generator = torch.Generator().manual_seed(2)
    pixels = torch.randint(256, (n, side, side), dtype=torch.uint8, generator=generator)
    return Images(pixels, torch.randint(10, (n,), generator=generator))


def seconds(images: Images) -> dict[str, float]:
    """Return the seconds of every way through an epoch."""
    batches = Batches(images, C128.batch, standard=images, dtype=torch.float32, device="cpu")
    usual = DataLoader(PerImage(images), C128.batch, shuffle=True)
    engine = Manual(problem(C128)).engine
    return medians(
        {
            "Batches alone": lambda: consume(batches.shuffled(0, 1), lambda x, t: None),
            "epoch of manual_bp, Batches": lambda: consume(batches.shuffled(0, 1), engine.step),
            "DataLoader alone": lambda: consume(usual, lambda x, t: None),
            "epoch of manual_bp, DataLoader": lambda: consume(as_rows(usual), engine.step),
        }
    )


def feeding_share(case: Case) -> float:
    """Return what part of the time Batches takes while manual_bp trains the network of a case."""
    images = synthetic(60_000, math.isqrt(case.sizes[0]))
    batches = Batches(images, case.batch, standard=images, dtype=torch.float32, device="cpu")
    engine = Manual(problem(case)).engine
    torch.set_num_threads(min(2, cores()))
    torch.set_num_threads(threads_for(engine.network, case.batch))
    some = min(len(batches), int(ENOUGH / (case.batch * engine.network.buffer.numel())))
    times = medians(
        {
            "alone": lambda: consume(islice(batches.shuffled(0, 1), some), lambda x, t: None),
            "epoch": lambda: consume(islice(batches.shuffled(0, 1), some), engine.step),
        }
    )
    return times["alone"] / times["epoch"]


def medians(runs: Mapping[str, Callable[[], None]]) -> dict[str, float]:
    """Return the median seconds of every run, after one untimed run of each."""
    with torch.inference_mode():
        for run in runs.values():
            run()
        rounds = [{name: timed(run) for name, run in runs.items()} for _ in range(3)]
    return {name: median(r[name] for r in rounds) for name in runs}


def timed(run: Callable[[], None]) -> float:
    """Return the seconds of a call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def consume(batches: Iterable[Any], step: Callable[[Tensor, Tensor], Any]) -> None:
    """Give every batch to ``step``."""
    for x, t in batches:
        step(x, t)


def as_rows(batches: Iterable[Any]) -> Iterable[tuple[Tensor, Tensor]]:
    """Turn images and labels into rows and one-hot rows."""
    eye = torch.eye(C128.sizes[-1])
    return ((x.flatten(1), eye[labels]) for x, labels in batches)
