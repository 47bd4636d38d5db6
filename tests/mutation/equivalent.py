"""The mutants that may survive, by ``Mutant.key``: each with the reason why no test can tell it from the code."""

WRITTEN_FIRST = "forward writes into it before anything is read"

OF_FORMULAS: dict[str, str] = {
    "convolution.py Conv2d._new: columns -> -columns": "they are zeros, and −0 is the same number",
    "norm.py _new: 1 -> 0": "torch gives an empty tensor the size that it needs",
    "norm.py _new: y -> -y": WRITTEN_FIRST,
    "norm.py _new: c -> -c": WRITTEN_FIRST,
    "norm.py _new: r -> -r": WRITTEN_FIRST,
    "norm.py _new: h -> -h": WRITTEN_FIRST,
    "recurrent.py RNN._new: saved.h -> -saved.h": WRITTEN_FIRST,
    "recurrent.py RNN._new: x -> -x": "forward puts its x in the place",
    "recurrent.py RNN._new: x -> scratch": "forward puts its x in the place",
    "pooling.py MaxPool2d.forward: torch.maximum(y, x[:, :, u, v], out=y) -> "
    "torch.maximum(x[:, :, u, v], y, out=y)": "the larger of two is the same both ways",
    "pooling.py MaxPool2d._new: winner -> -winner": WRITTEN_FIRST,
    "windows.py Windows.counted: True -> False": "all four are pairs",
}

ANOTHER_DRAW = "one draw is as good as another: what counts is that it is the same each time, which a test holds"
DETACHED = "each pass takes x and t without their history once more; here it is done for the code that comes later"
RANDOM_ERROR = "a random error puts a formula to the test as well as the one that the loss sends back"

ALREADY_FLOAT64 = "torch.where and a sum make float64 of both"
ONE_DEVICE = "where the tests run there is one device"
REAL = "half precision has no complex numbers, and the square of a real one has no sign"
TIME = "it only takes longer"

OF_CHECKER: dict[str, str] = {
    "check/network.py check_layers: 0 -> 1": ANOTHER_DRAW,
    "check/network.py _corresponding: p.detach() -> p": "Network.load_state_dict detaches what it copies, and the "
    "shapes are the same",
    "check/network.py _check_order: torch.allclose(whole, y, rtol=0.001, atol=0) -> "
    "torch.allclose(y, whole, rtol=0.001, atol=0)": "the tolerance is relative to one of two tensors that are as good "
    "as equal: it changes by a thousandth of itself",
    "check/network.py check_against: hand.error is not None -> True": "the lecture's losses check their targets "
    "themselves: where the pass came through there is nothing to raise",
    "check/network.py check_against: x.detach() -> x": DETACHED,
    "check/network.py check_against: t.detach() -> t": DETACHED,
    "check/network.py _steps: e.any -> e.all": RANDOM_ERROR,
    "check/network.py _steps: e.any() -> False": RANDOM_ERROR,
    "numbers/agreement.py compare: all_finite(by_hand, value) -> "
    "all_finite(value, by_hand)": "all are asked, in any order",
    "numbers/agreement.py _finite: … 0, 0.0, 0.0, None, None, None, count=count… -> "
    "… 0, 0.0, 0.0, None, None, None…": "the count is replaced where it is called",
    "numbers/agreement.py _finite: ulp_distance(by_hand, value) -> "
    "ulp_distance(value, by_hand)": "a distance is the same both ways",
    "numbers/agreement.py _at: size.ndim -> True": "a number without dimensions unravels to no index either way",
    "numbers/agreement.py ulp_distance: (magnitude_a - magnitude_b).abs().double() -> "
    "(magnitude_a - magnitude_b).abs()": ALREADY_FLOAT64,
    "numbers/agreement.py ulp_distance: magnitude_a.double() -> magnitude_a": ALREADY_FLOAT64,
    "numbers/agreement.py ulp_distance: magnitude_b.double() -> magnitude_b": ALREADY_FLOAT64,
    "numbers/half.py judged: exact.abs() -> exact (3)": REAL,
    "numbers/half.py judged: error.abs() -> error (2)": REAL,
    "numbers/half.py judged: 0.0 -> 1.0": "where all are 0 so is the norm that it is multiplied by",
    "numbers/half.py remainder_of: …ts, exact_parts, strict=True)), torch.zeros_like(error)… -> "
    "…ts, exact_parts, strict=True))…": "the sum begins with 0 then: that adds to tensors",
    "numbers/rounding.py file: 65537 -> 65538": ANOTHER_DRAW,
    "numbers/rounding.py Rounded.__init__: super().__init__() -> "
    "pass": "torch makes up for it when the mode is entered",
    "numbers/rounding.py Rounded._should_skip_dynamo: False -> True": TIME,
    "numbers/rounding.py _moves: 1 + max(eps, torch.finfo(dtype).eps) * _signs() -> "
    "1 - max(eps, torch.finfo(dtype).eps) * _signs()": ANOTHER_DRAW,
    "numbers/rounding.py _moves: max(eps, torch.finfo(dtype).eps) * _signs() -> "
    "max(eps, torch.finfo(dtype).eps) / _signs()": "a sign is its own inverse",
    "numbers/differences.py Slope.along: torch.vdot(doubled_tensor(gradient).flatten(), self.direction… -> "
    "torch.vdot(self.direction.flatten(), doubled_tensor(gradient)…": "its real part is the same both ways",
    "numbers/rounding.py Rounded.move: not y.is_contiguous() -> "
    "True": "both ways move the same numbers; one takes less memory",
    "numbers/rounding.py _signs: …rch.Generator().manual_seed(0), dtype=torch.int8… -> "
    "…rch.Generator().manual_seed(0)…": "it only takes eight times the memory",
    "numbers/rounding.py _signs: 2 -> 3 (2)": "more signs are drawn than are read",
    "numbers/rounding.py _signs: 0 -> 1 (2)": ANOTHER_DRAW,
    "numbers/rounding.py _is_view: any -> all": "only _unpack_dual returns a view beside another tensor",
    "numbers/rounding.py _terms: 1 -> 2 (5)": "one number that is made of one tensor has all of it for terms",
    "numbers/rounding.py _terms: 1.0 -> 0.1": "of one tensor the terms along a dimension are at least 1",
    "numbers/differences.py slope: 1000 -> 1001": "a thousand times smaller, about",
    "numbers/differences.py _slope: 0 -> 1": ANOTHER_DRAW,
    "numbers/differences.py _slope: …, q.shape, generator=generator, dtype=torch.int8… -> "
    "…, q.shape, generator=generator…": "it only takes eight times the memory",
    "numbers/differences.py _slope: zip(errors, here, strict=True) -> "
    "zip(here, errors, strict=True)": "a product is the same both ways",
    "numbers/witness.py Witness._scale_of_noise: 0 -> 1": "where there is no noise the scale is 1 either way",
    "numbers/witness.py Witness.limits: LEAST_OF_ROW.get(self.value.dtype, 0.0) -> "
    "LEAST_OF_ROW.get(self.value.dtype)": "None is as false as 0",
    "steps/upstream.py file: 11400714819323198485 -> 11400714819323198486": ANOTHER_DRAW,
    "steps/upstream.py file: 1 -> 2": ANOTHER_DRAW,
    "steps/upstream.py random_like: _of(y, seed, 0, False) -> _of(y, seed, False, 0)": "False is 0",
    "steps/upstream.py _of: torch.zeros(y.shape, device=y.device) -> torch.zeros(y.shape)": ONE_DEVICE,
    "steps/upstream.py _of: SEED + 1000 * which + seed -> SEED + 1000 * which - seed": ANOTHER_DRAW,
    "steps/upstream.py _of: SEED + 1000 * which -> SEED - 1000 * which": ANOTHER_DRAW,
    "steps/upstream.py _of: 1000 -> 1001": ANOTHER_DRAW,
    "steps/guarded.py generators_kept: torch.random.fork_rng(devices=[]) -> torch.random.fork_rng()": ONE_DEVICE,
    "steps/guarded.py as_it_was: _ARE_KEPT.get() -> False": TIME,
    "steps/guarded.py as_it_was: _ARE_KEPT.reset(before) -> pass": TIME,
    "steps/guarded.py generators_kept: True -> False": TIME,
    "steps/layouts.py variants: v.is_same and _is_as_before(values[name], again.get(name)) -> False": TIME,
    "steps/second_look.py SecondLook._is_rounding: witness.distance(inside) > MOVED * witness.norm > 0 -> False": TIME,
    "steps/meant.py Watching.__torch_function__: getattr(func, '__name__', '') -> "
    "getattr(func, '__name__')": "every function of torch has a name",
    "steps/meant.py meant_otherwise: torch.no_grad() -> "
    "__import__('contextlib').nullcontext()": "no tensor there requires a gradient; it only takes less memory",
    "steps/second_look.py file: 16 -> 17": ANOTHER_DRAW,
    "numbers/another.py by_another_algorithm: 1e-16 -> "
    "1e-15": "nobody reads whether the fifteenth or the sixteenth digit agrees",
    "numbers/another.py by_another_algorithm: 1e-16 -> "
    "9.999999999999999e-18": "nobody reads whether the sixteenth or the seventeenth digit agrees",
    "steps/second_look.py SecondLook.again: all_finite(tensor, witness.value) -> "
    "all_finite(witness.value, tensor)": "all are asked, in any order",
    "steps/second_look.py SecondLook._in_half: 1.0 -> "
    "10.0": "all of it is left, or ten times as much: it does not add up",
    "steps/second_look.py SecondLook.of_a_mistake: vars(other).update(by_hand_in_float64=self.by_hand_in_float64, … -> "
    "vars(other).update(…": TIME,
    "steps/second_look.py SecondLook._right_beside: 1 -> 2": ANOTHER_DRAW,
    "steps/finest.py Narrowest._should_skip_dynamo: False -> True": TIME,
    "steps/taken_apart.py _group_norm: x.reshape(x.shape[0], groups, -1) -> "
    "x.reshape(groups, x.shape[0], -1)": "the numbers are cut into as many pieces of the same length either way",
    "verdict/judge.py quantity: 0 -> 1": "layers count from 1, and outside a network no text has an index",
    "verdict/judge.py _ignoring: [] -> None": "both are false, and nobody looks further",
    "verdict/judge.py _ignoring: same(a, b) -> same(b, a)": "two tensors are the same both ways",
}
