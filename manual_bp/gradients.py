"""What one backward pass computed: the error of every value, and the gradient of every parameter.

``Network.backward_by_layer`` takes from here where each layer writes (``room``), and hands back what came out
(``keep_error``, ``keep_gradients``). ``Gradients`` keeps all of it; ``GradientsOfOneLayer`` has room for one layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from torch import Tensor

from manual_bp.layer import ByName, check_like, described
from manual_bp.layout import Layout
from manual_bp.structure import Structure
from manual_bp.trace import Trace


class Gradients(Mapping[str, Tensor]):
    """Every δ^l, and the gradient ∂L/∂parameter under each parameter's name ('0.weight', '0.bias', ...).

    Passed back as ``out=`` it is overwritten by the next pass.

    network     the network, as its structure: layers, loss and the lecture's index
    buffer      all gradients side by side, as the parameters lie in ``Network.buffer``
    delta(l)    δ^l
    errors      the error of every value, by position: e^0, δ^1, e^1, ...
    complete    whether ``buffer`` holds every gradient of one pass
    """

    def __init__(self, network: Structure) -> None:
        """Make room; ``Network.backward`` fills it."""
        self.network = network
        self.buffer = self._new_buffer()
        self._lay_out([None] * (len(network.layers) + 1))
        self._reached = len(self._rooms)
        self._shape_of_x: tuple[int, ...] | None = None

    def _lay_out(self, errors: Sequence[Tensor | None]) -> None:
        """Make the views of the buffer, and the rooms with these errors."""
        self._views = self._views_of_buffer()
        self._named = {i: {f"{i}.{name}": view for name, view in views.items()} for i, views in self._views.items()}
        self._rooms = [(error, dict(self._views.get(i, {}))) for i, error in enumerate(errors)]

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle holds: all but the views of the buffer, which a copy makes for itself."""
        return self.__dict__ | {"_views": None, "_named": None, "_rooms": [error for error, _ in self._rooms]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take that, and make the views of the buffer."""
        self.__dict__.update(state)
        self._lay_out(state["_rooms"])

    def _new_buffer(self) -> Tensor:
        """Return a buffer for the gradients."""
        return self.network.layout.buffer()

    def _views_of_buffer(self) -> dict[int, ByName]:
        """Return the gradients of each layer in the buffer, by position and name."""
        views = self.network.layout.views(self.buffer)
        owned = ((i, self.network.owned[i]) for i in self.network.net_positions)
        return {i: {name: views[f"{i}.{name}"] for name in mine} for i, mine in owned}

    # ------------------------------------------------------------------------------ what the backward pass calls

    def begin(self, trace: Trace) -> None:
        """Forget the pass before. Raises ValueError for an x of another shape than that of its pass."""
        x = tuple(trace.value(0).shape)
        before = self._shape_of_x or x
        if x != before:
            raise ValueError(f"Gradients expects x of shape {before} as in its last pass, got {x}")
        self._shape_of_x = x
        self._reached = len(self.network.layers)

    def room(self, position: int) -> tuple[Tensor | None, ByName]:
        """Return where a layer writes the error of its x (None: nowhere yet) and its gradients; last, the loss."""
        return self._rooms[position]

    def keep_error(self, position: int, error: Tensor, x: Tensor) -> Tensor:
        """Keep the error of x; check it where it was not written into its room. Raises ValueError or TypeError."""
        room, views = self._rooms[position]
        if error is not room or room is None:
            owner = type([*self.network.layers, self.network.loss_function][position]).__name__
            check_like("Network", f"the error of x from {owner}", error, x)
            error = self._placed(error, room)
            self._rooms[position] = error, views
        return error

    def _placed(self, error: Tensor, room: Tensor | None) -> Tensor:
        """Return the error of a layer that wrote it elsewhere: there it stays."""
        return error

    def keep_gradients(self, position: int, gradients: ByName | None) -> ByName:
        """Keep a layer's gradients; return them by full name. Copy those that were not written into their room.

        Raises ValueError where the names are not those of the layer's parameters, or a shape is another.
        """
        d, views = {} if gradients is None else gradients, self._views.get(position, {})
        owner = type(self.network.layers[position]).__name__
        if not isinstance(d, Mapping) or d.keys() != views.keys():
            got = list(d) if isinstance(d, Mapping) else described(d)
            raise ValueError(
                f"Gradients expects {owner} to give gradients of {list(views)}, got {got} (a parameter "
                "is a floating-point tensor in a public attribute: what is none has a name that begins with _)"
            )
        for name, view in views.items():
            if d[name] is not view:
                check_like("Gradients", f"{owner}'s gradient of {name}", d[name], view)
                view.copy_(d[name])
        self._reached = position
        return self._named.get(position, {})

    # --------------------------------------------------------------------------------------- what a reader calls

    def _holds(self, position: int) -> bool:
        """Tell whether a layer's gradients are those of this pass."""
        return position >= self._reached

    def _holds_error(self, position: int) -> bool:
        """Tell whether the error of a value is that of this pass."""
        return position >= self._reached

    @property
    def complete(self) -> bool:
        """Tell whether the buffer holds every gradient of one pass."""
        return self._reached == self.network.net_positions[0]

    @property
    def errors(self) -> list[Tensor | None]:
        """Return the error of every value, by position; None where there is none.

        There is none below δ^1, where no gradient needs it, and none that the pass has not computed yet.
        """
        return [error if self._holds_error(i) else None for i, (error, _) in enumerate(self._rooms)]

    def delta(self, l: int) -> Tensor:
        """Return δ^l = −∂L/∂net^l (N, n^l), the sensitivity of layer l = 1 ... L (E13, E14, E17).

        Raises ValueError where the pass has not come so far, IndexError for a layer that there is not.
        """
        delta = self.errors[self.network.index_of_net(l)]
        if delta is None:
            raise ValueError(f"Gradients expects a backward pass as far as δ^{l}: {self._missing(l)}")
        return delta

    def _missing(self, l: int) -> str:
        return "call Network.backward first"

    def __getitem__(self, name: str) -> Tensor:
        """Return ∂L/∂parameter, of the parameter's shape.

        Raises KeyError for a name that there is not, ValueError where the gradient is not of this pass.
        """
        for position, gradients in self._named.items():
            if name in gradients:
                if not self._holds(position):
                    raise ValueError(f"Gradients does not hold {name} of this pass (not yet, or no longer)")
                return gradients[name]
        raise KeyError(f"no gradient named {name!r}; there are {', '.join(self)}")

    def __repr__(self) -> str:
        """Return what there is: 'Gradients(δ^1 (128, 30), ..., 0.weight (30, 784), ...)'."""
        deltas = {f"δ^{l}": self.errors[self.network.index_of_net(l)] for l in range(1, self.network.depth + 1)}
        named = {name: view for i, views in self._named.items() if self._holds(i) for name, view in views.items()}
        shown = [f"{name} {tuple(value.shape)}" for name, value in (deltas | named).items() if value is not None]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __iter__(self) -> Iterator[str]:
        """Iterate over the parameters' names, from the first layer to the last."""
        return (name for gradients in self._named.values() for name in gradients)

    def __len__(self) -> int:
        """Count the gradients."""
        return sum(map(len, self._named.values()))


class GradientsOfOneLayer(Gradients):
    """The same with room for one layer: its gradients and its δ are good until the pass goes on to the layer below.

    ``buffer`` is as large as the largest layer needs, and all errors take turns in two tensors.
    """

    def _layouts(self) -> dict[int, Layout]:
        return {i: Layout(self.network.owned[i]) for i in self.network.net_positions}

    def _new_buffer(self) -> Tensor:
        return max(self._layouts().values(), key=lambda layout: layout.size).buffer()

    def _views_of_buffer(self) -> dict[int, ByName]:
        return {i: layout.views(self.buffer) for i, layout in self._layouts().items()}

    def begin(self, trace: Trace) -> None:
        """Forget the pass before; before the first one, make the two tensors."""
        super().begin(trace)
        if self._rooms[-1][0] is None:
            above = {i: value for i, value in enumerate(trace.values) if i > self.network.net_positions[0]}
            largest = max(above.values(), key=Tensor.numel)
            turns = [largest.new_empty(largest.numel()) for _ in range(2)]  # one is read, the other is written
            for i, value in above.items():
                self._rooms[i] = turns[i % 2][: value.numel()].view_as(value), self._rooms[i][1]

    def _placed(self, error: Tensor, room: Tensor | None) -> Tensor:
        """Return the error copied into its room: where it is now may be the other room, which is written next."""
        return cast("Tensor", room).copy_(error)

    def _holds(self, position: int) -> bool:
        """Tell whether the layer's gradients are those that came last."""
        return position == self._reached

    def _holds_error(self, position: int) -> bool:
        """Tell whether the error of a value is there still: that of x and that of y of the layer that came last."""
        return self._reached <= position <= self._reached + 1

    @property
    def complete(self) -> bool:
        """Tell that the buffer never holds every gradient of one pass."""
        return False

    def _missing(self, l: int) -> str:
        gone = self.network.index_of_net(l) > self._reached
        return "its room was for one layer" if gone else super()._missing(l)
