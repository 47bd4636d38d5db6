"""The mutants that may survive, by ``Mutant.key``: each with the reason why no test can tell it from the code."""

OF_FORMULAS: dict[str, str] = {}

ANOTHER_DRAW = "one draw is as good as another: what counts is that it is the same each time, which a test holds"
DETACHED = "each pass takes x and t without their history once more; here it is done for the code that comes later"
RANDOM_ERROR = "a random error puts a formula to the test as well as the one that the loss sends back"

OF_CHECKER: dict[str, str] = {
    "check/network.py check_module: 0 -> 1": ANOTHER_DRAW,
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
}
