"""Whose matrix products a run takes: torch's, those of a library by name, or the fastest, which is measured."""

from __future__ import annotations

import sys
import time

import torch

from manual_bp import Network, one_hot
from manual_bp.training.command.networks import new_network
from manual_bp.training.command.settings import FASTEST, Settings
from manual_bp.training.command.usage import UsageError
from manual_bp.training.engine.fastest import (
    ENOUGH,
    TORCH,
    at_hand,
    fastest,
    multiplied_by,
    seconds_of_a_step,
    set_threads,
)
from manual_bp.training.engine.processes import Processes
from manual_bp.training.engine.step import threads_for
from manual_bp.training.images.data import Images


def chosen_network(settings: Settings, training: Images, processes: Processes) -> tuple[Network, Settings]:
    """Return the network for the images, and the settings, in which the fastest products are replaced by their name.

    A run keeps that name, so it is measured once. Where a run goes on without the library, torch's products take their
    place, and a line says so; where it goes on by autograd, nobody asks for them.
    """
    network = new_network(settings, training.pixels.shape[1], len(training.names), processes.device)
    if settings.engine == "autograd":
        return network, settings
    if settings.products == FASTEST:
        settings = settings.replaced({"products": _measured(settings, network, training)})
    if settings.products not in at_hand(network.buffer.dtype, network.buffer.device.type):
        if processes.is_main:
            line = "cannot multiply here: torch's products take their place, which differ by rounding"
            print(f"{settings.products} {line}", file=sys.stderr)
        return network, settings
    return multiplied_by(network, settings.products), settings


def _measured(settings: Settings, network: Network, training: Images) -> str:
    """Return the name of the fastest, and say what a step takes with each."""
    began, device = time.perf_counter(), network.buffer.device
    if len(at_hand(network.buffer.dtype, device.type)) == 1:
        _say(settings, f"products of {TORCH}: no other library multiplies here, in {settings.dtype} on {device}")
        return TORCH
    rows, pixels, classes = min(settings.batch_size, len(training)), training.pixels[0].numel(), len(training.names)
    x = torch.linspace(0, 1, rows * pixels, dtype=network.buffer.dtype, device=device).view(rows, -1)
    t = one_hot(torch.arange(rows) % classes, classes, like=x)
    threads = threads_of(settings, network, 1)
    seconds = seconds_of_a_step(network, x, t, threads)
    name = fastest(seconds)
    if name != TORCH:
        gain = f", {seconds[TORCH] / seconds[name]:.2f} times as fast as {TORCH}'s"
    else:
        gain = f", no other is {ENOUGH - 1:.0%} faster" if min(seconds.values()) < seconds[TORCH] else ""
    each = ", ".join(f"{1e3 * taken:.3g} ms with {other}'s" for other, taken in seconds.items())
    took = f"on {threads} thread{'s' * (threads > 1)}, measured in {time.perf_counter() - began:.1f} s"
    _say(settings, f"products of {name}{gain}: a step takes {each} ({took})")
    return name


def _say(settings: Settings, line: str) -> None:
    if not settings.quiet:
        print(line)


def threads_of(settings: Settings, network: Network, processes: int) -> int:
    """Return how many threads a step of a process takes: those of --threads, or those that its batch is worth."""
    return settings.threads or threads_for(network, settings.batch_size // processes)


def take_threads(settings: Settings, network: Network, processes: Processes) -> None:
    """Set the threads of the run: torch's, or numpy's where numpy multiplies."""
    name = TORCH if settings.engine == "autograd" else settings.products
    set_threads(threads_of(settings, network, processes.count), name)


def check_products(settings: Settings, processes: int) -> None:
    """Raise UsageError where the products that the command line names cannot be taken."""
    name = settings.products
    if name == TORCH:
        return
    if settings.engine == "autograd":
        got = f"got {name} with --engine autograd; --products torch goes with it"
        raise UsageError(f"argument --products: they are the engine's by hand, {got}")
    if name == FASTEST:
        if processes > 1:
            hint = "name one of torch, mkldnn, numpy, or measure with one process"
            raise UsageError(f"argument --products: several processes cannot measure them at once; {hint}")
        return
    here = at_hand(getattr(torch, settings.dtype), torch.device(settings.device).type)
    if name not in here:
        others = " and ".join(here)
        where = f"in {settings.dtype} on {settings.device}"
        raise UsageError(f"argument --products: {name} cannot multiply here {where}; choose from {others}, or fastest")
