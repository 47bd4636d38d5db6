"""A submodule beside its counterpart as a step of its own.

What lies inside and is a step itself is not called here: the numbers that the reference had there are handed on in its
place, and the gradients that it had there are handed back. What is wrong here is wrong in this very submodule.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from torch_ref.numbers.agreement import Tolerance
from torch_ref.numbers.witness import Tensors
from torch_ref.steps.arguments import Arguments
from torch_ref.steps.function import function_step
from torch_ref.steps.guarded import as_it_was
from torch_ref.steps.modules import tensors_in, tensors_of
from torch_ref.steps.pairs import Pair
from torch_ref.steps.step import Made, Outputs, Step, can_flow, gradients_of, negative, plain, reversed_rows
from torch_ref.steps.through_autograd import through_autograd, without_absent
from torch_ref.steps.upstream import drawn
from torch_ref.steps.views import Second, View, Whole


def piece_step(
    pair: Pair,
    views: tuple[View, View],
    parameters: Tensors,
    required: Collection[str],
    inside: Mapping[str, Step],
    tolerance: Tolerance | None,
) -> Step:
    """Return the step of a pair, fed with what the reference's submodule got; ``inside`` has the steps of the parts.

    ``required`` are the inputs, outputs of parts and parameters that require a gradient.
    """
    by_hand, right = views
    given = {pair.shown_input(p): tensors_of(pair.theirs.bound)[other] for p, other in pair.inputs.items()}
    flowing = {pair.shown_input(p) for p, other in pair.inputs.items() if other in pair.theirs.flowing}
    made: Tensors = {}
    for part in pair.inside:
        outputs = tensors_in(part.theirs.output)
        made |= {part.shown_output(p): outputs[other] for p, other in part.outputs.items()}
        flowing |= {part.shown_output(p) for p, other in part.outputs.items() if other in part.theirs.flowing_out}
    own = dict.fromkeys(_parameters_of(by_hand, right, given | made | parameters))
    shown = [pair.shown_output(path) for path in pair.outputs]
    shown += [part.shown_input(path) for part in pair.inside for path in part.inputs]
    tensors = given | {name: parameters[name] for name in own} | made
    step = _step(views, tensors, flowing | own.keys(), required, tuple(_errors(pair, inside)), shown, tolerance)
    larger = drawn(tuple(plain(e).requires_grad_(can_flow(e)) for e in step.errors), 1)
    return replace(step, further=(larger,))


def second_call(step: Step, views: tuple[View, View], parameters: Collection[str], required: Collection[str]) -> Step:
    """Return the step of a pair at its second call: after an update, at inputs whose rows stand in reverse order."""
    tensors = step.inputs | step.fixed
    moved = {name: 0.75 * t if name in parameters else reversed_rows(t) for name, t in tensors.items()}
    shown = [made.name for made in step.outputs]
    by_hand, right = (Second(view, tensors) for view in views)
    return _step((by_hand, right), moved, step.gradients.keys(), required, step.errors, shown, step.tolerance)


def whole_step(
    pair: Pair,
    views: tuple[View, View],
    paths: tuple[Mapping[str, str], Mapping[str, str]],
    parameters: Tensors,
    required: Collection[str],
    buffers: Mapping[str, str],
    tolerance: Tolerance | None,
) -> Step:
    """Return the step of a whole module in which everything is called, with what each submodule gives in it.

    ``paths`` has, for each side, the names of the submodules by path; ``buffers`` those that the call writes into, by
    the names of both sides.
    """
    inside = [visited_pair for visited_pair in pair.walk() if visited_pair is not pair]
    by_hand, right = (
        Whole(replace(view, parts=[]), names, [((one.path, one.number), path) for one, path in wanted], of_side)
        for view, names, wanted, of_side in zip(
            views,
            paths,
            (
                [(p.mine, path) for p in inside for path in p.outputs],
                [(p.theirs, path) for p in inside for path in p.outputs.values()],
            ),
            ([*buffers], [*buffers.values()]),
            strict=True,
        )
    )
    given = {pair.shown_input(p): tensors_of(pair.theirs.bound)[other] for p, other in pair.inputs.items()}
    flowing = {pair.shown_input(p) for p, other in pair.inputs.items() if other in pair.theirs.flowing}
    shown = [p.shown_output(path) for p in (pair, *inside) for path in p.outputs]
    errors = [*_errors(replace(pair, inside=()), {})]
    of_inside = [tensors_in(p.theirs.output)[other] for p in inside for other in p.outputs.values()]
    written = [pair.theirs.buffers[other] for other in buffers.values()]
    everything = (*errors, *map(torch.zeros_like, [*of_inside, *written]))
    shown += [shown_buffer(name) for name in buffers]
    flowing |= {name for name, t in parameters.items() if can_flow(t)}
    return _step((by_hand, right), given | parameters, flowing, required, everything, shown, tolerance)


def shown_buffer(name: str) -> str:
    """Return the name of what a call writes into a buffer."""
    path, _, last = name.rpartition(".")
    return f"{last} of {path} after the call" if path else f"{last} after the call"


def _step(
    views: tuple[View, View] | tuple[Whole, Whole] | tuple[Second, Second],
    tensors: Tensors,
    flowing: Collection[str],
    required: Collection[str],
    errors: Outputs,
    shown: list[str],
    tolerance: Tolerance | None,
) -> Step:
    arguments = Arguments(tuple(tensors.values()), tuple(tensors))
    by_hand, right = (_as_function(view, [*tensors]) for view in views)
    compute = through_autograd(by_hand, arguments, views[0].forward, required)
    wanted = [name for name in tensors if name in flowing]
    step = function_step(by_hand, right, arguments, compute, tolerance, wanted=wanted, errors=errors)
    return without_absent(replace(step, outputs=tuple(Made(name, "forward") for name in shown)), required)


def _as_function(view: View | Whole | Second, names: list[str]) -> Callable[..., Outputs]:
    """Return a side as a function of tensors in order."""
    return lambda *values: view(dict(zip(names, values, strict=True)))


def _errors(pair: Pair, inside: Mapping[str, Step]) -> Iterator[Tensor]:
    """Yield the errors of the outputs as the reference got them, then those of what each part is given."""
    for other in pair.outputs.values():
        y = tensors_in(pair.theirs.output)[other]
        yield negative(pair.theirs.upstream.get(other, torch.zeros_like(y)))
    for part in pair.inside:
        step = inside[part.label]
        for path, other in part.inputs.items():
            name = part.shown_input(path)
            t = tensors_of(part.theirs.bound)[other]
            has_one = name in step.gradients
            yield negative(step.witnesses[f"gradient of {name}"].value) if has_one else torch.zeros_like(t)


def _parameters_of(by_hand: View, right: View, tensors: Tensors) -> Iterator[str]:
    """Yield the parameters of a piece: its own, and those of its parts that it reaches itself."""
    every = dict.fromkeys(
        name for view in (by_hand, right) for name in view.side.parameters_in(view.path).values() if name in tensors
    )
    of_parts = {
        name for view in (by_hand, right) for path, _ in view.parts for name in view.side.parameters_in(path).values()
    }
    reached = _reached(right, tensors, of_parts) | _reached(by_hand, tensors, of_parts) if of_parts else set()
    yield from (name for name in every if can_flow(tensors[name]) and (name not in of_parts or name in reached))


def _reached(view: View, tensors: Tensors, names: Collection[str]) -> set[str]:
    """Return the parameters of parts on which the outputs depend although the parts are not called."""
    try:
        with as_it_was(), torch.inference_mode(mode=False), torch.enable_grad():
            leaves = {n: plain(t).requires_grad_(n in names and can_flow(t)) for n, t in tensors.items()}
            outputs = [y for y in view(leaves) if y.requires_grad]
            wanted = {name: leaves[name] for name in names if leaves[name].requires_grad}
            found = gradients_of(outputs, wanted, [torch.ones_like(y) for y in outputs])
    except Exception:  # of somebody's forward: its step says so
        return set()
    return {name for name, d in found.items() if d is not None}
