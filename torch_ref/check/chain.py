"""Named values of one forward pass, each with its gradient by hand: which of them is wrong by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manual_bp.layer import described
from torch_ref.check.reading import check_no_autocast
from torch_ref.numbers.agreement import Tolerance, check_tolerance
from torch_ref.numbers.given import as_gradient
from torch_ref.steps.chain import Chain, Claim
from torch_ref.steps.graph import place_of
from torch_ref.steps.step import Failure, plain
from torch_ref.verdict.chain import report_of_chain
from torch_ref.verdict.report import Report

NOT_REACHED = "the loss is not made of this very tensor; it may be a copy, or detached"


def check_chain(
    loss: Tensor,
    named: Mapping[str, tuple[Tensor, Any]],
    *,
    upstream: Tensor | None = None,
    tolerance: Tolerance | None = None,
    strict: bool = False,
    power: bool = True,
) -> Report:
    """Compare the gradients by hand of named values of a forward pass with autograd's, each by itself.

        check_chain(loss, {"logits": (logits, dlogits), "h": (h, dh), "W1": (W1, dW1)})

    ``loss`` is one number with the graph of autograd that it was computed in, and each named tensor a value or a
    parameter of that graph. Its gradient by hand, +∂L/∂value in the shape of the value, may be a numpy array or, of a
    single number, a float. Before ``loss.backward()``, which frees the graph. Outputs other than one number take the
    gradient of the output as ``upstream``.

    Autograd goes backward with every gradient by hand in place of its own. What differs from what arrives so is wrong
    by itself; what differs in the plain backward pass only is a consequence. So of many gradients that are wrong, the
    ones whose own lines are wrong are named, in the order of the backward pass. Where a value is used several times,
    the verdict says which part of its gradient is missing. What the loss is not made of is in ``not_compared``.

    ``tolerance``, ``strict`` and ``power`` are those of ``check_function``. Nothing that is given is changed.

    Raises TypeError where loss or a value is no tensor, or ``named`` no mapping to pairs; ValueError where a value has
    no history, the loss is not one number, there is nothing to compare, or the graph was freed; RuntimeError under
    autocast.
    """
    check_tolerance(tolerance)
    check_no_autocast()
    root, d_root = _root(loss, upstream)
    claims = _claims(named)
    with torch.inference_mode(mode=False):
        chain = Chain([(root, d_root)], claims, tolerance=tolerance, strict=strict)
        left = tuple((f"gradient of {c.name}", NOT_REACHED) for c in claims if not chain.graph.reaches(c.places[0]))
        claims = [claim for claim in claims if chain.graph.reaches(claim.places[0])]
        if not claims:
            names = ", ".join(named)
            raise ValueError(
                f"check_chain expects values that the loss is made of, got {names}: {NOT_REACHED}. Name the tensors "
                "that the forward pass itself computed"
            )
        chain = Chain([(root, d_root)], claims, tolerance=tolerance, strict=strict)
        try:
            return report_of_chain(chain, power=power, not_compared=left)
        except RuntimeError as error:
            if (wrong := _of_autograd(error)) is None:
                raise
            raise wrong from error


def _of_autograd(error: RuntimeError) -> Exception | None:
    """Return what to raise where autograd cannot go backward through what is given."""
    text = str(error)
    if "second time" in text:
        return ValueError(
            "check_chain expects a graph that is still there, got one that backward() has freed: check before "
            "loss.backward(), or call loss.backward(retain_graph=True)"
        )
    if "modified by an inplace operation" in text:
        return ValueError(f"check_chain expects values that are as the forward pass left them: {text}")
    return None


def _root(loss: Any, upstream: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the loss with its upstream gradient; raise where it is none."""
    if not isinstance(loss, Tensor):
        hint = ": loss.item() and float(loss) have no history" if isinstance(loss, float | np.generic) else ""
        raise TypeError(f"check_chain expects the loss as a tensor, got {described(loss)}{hint}")
    if not loss.requires_grad:
        raise ValueError(
            "check_chain expects a loss that autograd has followed, got one without history: let the parameters "
            "require a gradient (W.requires_grad_()) and compute the forward pass again, not under torch.no_grad()"
        )
    if upstream is None:
        if loss.numel() != 1:
            raise ValueError(
                f"check_chain expects a loss of one number, got shape {tuple(loss.shape)}: give upstream=, the "
                "gradient of this output"
            )
        return loss, torch.ones_like(loss)
    if not isinstance(upstream, Tensor) or upstream.shape != loss.shape:
        raise ValueError(
            f"check_chain expects upstream of the output's shape {tuple(loss.shape)}, got {_shape(upstream)}"
        )
    return loss, plain(upstream).to(loss.dtype)


def _shape(value: Any) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else described(value)


def _claims(named: Any) -> list[Claim]:
    """Return the claims of named pairs."""
    if not isinstance(named, Mapping):
        raise TypeError("check_chain expects the values by name, {'h': (h, dh)}, got " + described(named))
    if not named:
        raise ValueError("check_chain expects at least one value, {'h': (h, dh)}, got none")
    return [_claim(str(name), pair) for name, pair in named.items()]


def _claim(name: str, pair: Any) -> Claim:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(f"check_chain expects {name} as a pair (value, its gradient by hand), got {described(pair)}")
    value, gradient = pair
    if not isinstance(value, Tensor):
        raise TypeError(f"check_chain expects the value of {name} as a tensor of the graph, got {described(value)}")
    if not value.requires_grad:
        raise ValueError(
            f"check_chain expects values that autograd has followed, but {name} has no history: let it, or what it is "
            "computed from, require a gradient before the forward pass"
        )
    by_hand = as_gradient(gradient, value)
    if by_hand is None:
        text = f"is {described(gradient)}, where a tensor of shape {tuple(value.shape)} is expected"
        return Claim(name, (place_of(value),), ((),), Failure("wrong-return", text))
    return Claim(name, (place_of(value),), ((by_hand,),))
