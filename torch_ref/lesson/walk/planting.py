"""Spot the bug: one wrong formula of the catalogue in the network by hand, shown with a single sample."""

from __future__ import annotations

import difflib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from manual_bp import RNN, AvgPool2d, Conv2d, Dropout, LayerNorm, Linear, MaxPool2d
from torch_ref.known.faults import FAULTS, Fault
from torch_ref.lesson.walk.activations import ACTIVATIONS
from torch_ref.lesson.walk.both import Both
from torch_ref.lesson.walk.examples import LOSSES, Example, of_images, random_example

VISIBLE = 0.01
"""A 'random' fault is off by at least this share of the largest number of its tensor."""


OF_IMAGES = (Conv2d, MaxPool2d)
"""The layers of the random network of images."""

IN_NO_WALK = (AvgPool2d, Dropout, LayerNorm, RNN)
"""Layers that no network of a walk has."""


class UnshownFaultError(ValueError):
    """A fault that is not in the catalogue, or that this walk cannot show."""


@dataclass(frozen=True)
class Planted:
    """An example by both engines, with a fault in the one by hand."""

    fault: Fault
    l: int
    both: Both

    @property
    def answer(self) -> str:
        """Name the fault and its place."""
        place = "the loss" if self.fault.is_of_loss else f"layer {self.l}"
        return f"The fault is {self.fault.name}, in {place}."


def fault_named(name: str) -> Fault:
    """Return a fault of the catalogue; raise with the nearest names where there is none."""
    if name in FAULTS:
        return FAULTS[name]
    near = [known for known in FAULTS if name and name in known]
    near = (difflib.get_close_matches(name, FAULTS, n=3, cutoff=0.6) + near)[:3]
    hint = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ";"
    raise UnshownFaultError(
        f"--fault expects a fault of the catalogue, got {name!r}{hint} '--fault list' names those that show here"
    )


def planted(example: Example, fault: Fault, layer: int | None) -> Planted:
    """Plant a fault in the layer given, or in the first one where it shows; raise and say why where there is none."""
    if layer is not None and not 1 <= layer <= example.network.depth:
        raise UnshownFaultError(
            f"--layer expects a layer from 1 to {example.network.depth} of this network, got {layer}"
        )
    if layer is not None and fault.is_of_loss:
        raise UnshownFaultError(f"{fault.name} is in the loss: leave --layer out")
    for l in _layers(example, fault) if layer is None else [layer]:
        found = _attempt(example, fault, l)
        if isinstance(found, Planted):
            return found
    raise UnshownFaultError(_because(example, fault, layer))


def drawn(example: Example, seed: int) -> Planted:
    """Plant one of the faults that show in this network, drawn by the seed."""
    places = [(fault, l) for fault in FAULTS.values() for l in _layers(example, fault)]
    random.Random(seed).shuffle(places)
    found = (_attempt(example, fault, l) for fault, l in places)
    return next(attempt for attempt in found if isinstance(attempt, Planted) and _is_plain(attempt))


def _is_plain(planted: Planted) -> bool:
    """Tell whether a class can find the fault by the six digits that are printed: it is off by a percent or more."""
    both = planted.both
    first = next(name for name, wrong in both.wrong.items() if wrong.any())
    hand, auto = both.hand[first], both.autograd[first]
    return bool((hand - auto).abs().max() > VISIBLE * auto.abs().max())


def showing(example: Example) -> dict[str, list[int]]:
    """Return every fault that shows in this network, with the layers where it does."""
    where = {fault.name: _layers_that_show(example, fault) for fault in FAULTS.values()}
    return {name: layers for name, layers in where.items() if layers}


def fitting_options(fault: Fault) -> str:
    """Return options of the command that make a network with the formula that the fault spoils."""
    if fault.of in OF_IMAGES:
        return "--network conv"
    activation, loss = _kinds(fault)
    options = ["--network 3-3-3"]
    options += [f"--activation {activation}"] if activation != "sigmoid" else []
    options += [f"--loss {loss}"] if loss != "squared-error" else []
    return " ".join(options)


def _attempt(example: Example, fault: Fault, l: int) -> Planted | str:
    """Plant a fault in one layer, or return the reason where it does not fit, stops the pass or changes no number."""
    layer = example.network.layers[example.network.net_positions[l - 1]]
    if fault.of is Linear and "bias" in fault.name and getattr(layer, "bias", None) is None:
        return "expects a bias"
    try:
        both = Both.of(example, fault.plant(example.network, l))
    except Exception as error:  # a fault may break a pass in any way
        return f"stops the pass ({error})"
    first = next((name for name, wrong in both.wrong.items() if wrong.any()), None)
    if first is None:
        return "changes no number"
    guilty = fault.quantity(example.network, l)
    if first != (guilty if guilty in both.hand else "y"):
        return f"overwrites {first}, which it was given"
    return Planted(fault, l, both)


def _because(example: Example, fault: Fault, layer: int | None) -> str:
    """Say why a fault is not shown, and what would show it."""
    if fault.of in IN_NO_WALK:
        return f"{fault.name} cannot be walked through: no network here has the layer {fault.of.__name__}"
    elsewhere = _layers_that_show(example, fault)
    if layer is not None and elsewhere:
        return f"{fault.name} does not show in layer {layer} of this network; it does in layer {elsewhere[0]}"
    activation, loss = _kinds(fault)
    if fault.of in OF_IMAGES:
        fitting = of_images(activation, loss, seed=1, lr=0.5, bias=True)
    else:
        fitting = random_example([3, 3, 3], activation, loss, seed=1, lr=0.5, bias=True)
    if _layers_that_show(fitting, fault):
        reasons = [_attempt(example, fault, l) for l in _layers(example, fault)]
        here = "changes no number of" if "changes no number" in reasons else "does not fit"
        return f"{fault.name} {here} this network; it shows with {fitting_options(fault)}"
    depth = 1 if fault.of is MaxPool2d else 2 if fault.of is Conv2d else fitting.network.depth
    reason = _attempt(fitting, fault, depth)
    if reason == "changes no number":
        return f"{fault.name} needs a batch of several samples; a walk has one, and there it changes no number"
    return f"{fault.name} cannot be walked through: it {reason}"


def _layers_that_show(example: Example, fault: Fault) -> list[int]:
    return [l for l in _layers(example, fault) if isinstance(_attempt(example, fault, l), Planted)]


def _layers(example: Example, fault: Fault) -> Sequence[int]:
    """Return the layers to try; a loss stands behind the last one."""
    depth = example.network.depth
    return [depth] if fault.is_of_loss else range(1, depth + 1)


def _kinds(fault: Fault) -> tuple[str, str]:
    """Return the activation and the loss of a network that has the fault's formula."""
    activation = next((name for name, known in ACTIVATIONS.items() if type(known.layer) is fault.of), "sigmoid")
    return activation, next((name for name, loss in LOSSES.items() if type(loss) is fault.of), "squared-error")
