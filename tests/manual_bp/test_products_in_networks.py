"""Linear layers by another library in a network: recorded, copied, mirrored, and judged by the checker."""

import copy
import pickle

import pytest
import torch
from cases import DTYPES, assert_identical, blamed, library_linear, targets
from torch import Tensor

from manual_bp import LibraryLinear, Linear, Network, ReLU, Sigmoid, SoftmaxCrossEntropy, SquaredError
from manual_bp.layer import parameters
from manual_bp.products import LIBRARIES, Library, product
from manual_bp.training.engine.recorder import Recorder
from torch_ref import check_layer, crosscheck, module_of
from torch_ref.known.faults import FAULTS

every_library = pytest.mark.parametrize("library", LIBRARIES.values(), ids=list(LIBRARIES))
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])


def network(library: Library, dtype: torch.dtype = torch.float32) -> Network:
    layers = (library_linear(dtype, library), Sigmoid(), LibraryLinear(torch.randn(2, 3, dtype=dtype), library=library))
    return Network((*layers, ReLU()), SquaredError())


@every_library
def test_a_product_is_one_operation_to_a_recorder_which_repeats_it(library: Library) -> None:
    a, b, c, out = torch.randn(4, 5), torch.randn(5, 3), torch.randn(3), torch.empty(4, 3)
    with Recorder() as recorder:
        product(library, a, b, c, out=out)
        product(library, out.t(), a, sign=-1, out=b.t())
    assert recorder.obstacle is None
    assert len(recorder.calls) == 2
    a.copy_(torch.randn(4, 5))
    expected = product(library, a, b, c)
    expected = expected, product(library, expected.t(), a, sign=-1)
    for call in recorder.calls:
        call()
    assert_identical(out, expected[0])
    assert_identical(b.t(), expected[1])


@every_library
def test_a_product_without_out_is_not_repeated(library: Library) -> None:
    with Recorder() as recorder:
        product(library, torch.ones(4, 5), torch.ones(5, 3))
    assert recorder.obstacle is not None


@every_library
def test_names_copies_and_state_are_those_of_linear(library: Library) -> None:
    made = network(library)
    plain = Network(tuple(Linear(l.weight, l.bias) if parameters(l) else l for l in made.layers), made.loss_function)
    assert plain.state_dict().keys() == made.state_dict().keys()
    plain.load_state_dict(made.state_dict())
    x = torch.randn(4, 5)
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert [type(layer) for layer in other.layers] == [type(layer) for layer in made.layers]
        assert_identical(other.forward(x).y, made.forward(x).y)
    assert repr(made.layers[0]) == f"LibraryLinear(5 → 3, {library.name})"
    assert repr(made.layers[2]) == f"LibraryLinear(3 → 2, no bias, {library.name})"


@every_library
@every_dtype
def test_crosscheck_says_that_it_agrees_but_for_rounding(library: Library, dtype: torch.dtype) -> None:
    """Where the library gives other bits than torch: on some processors both add in the same order."""
    layers = (LibraryLinear(torch.randn(30, 300, dtype=dtype) / 17, library=library), Sigmoid())
    last = LibraryLinear(torch.randn(4, 30, dtype=dtype), torch.randn(4, dtype=dtype), library=library)
    made = Network((*layers, last), SoftmaxCrossEntropy())
    x, t = torch.randn(33, 300, dtype=dtype), targets(33, 4, dtype)
    report = crosscheck(made, x, t)
    assert report.ok
    assert [row.of.formula for row in report.rows[:2]] == ["E1", "E2"]
    plain = Network(tuple(Linear(l.weight, l.bias) if parameters(l) else l for l in made.layers), made.loss_function)
    same = all(map(torch.equal, everything(made, x, t), everything(plain, x, t)))
    assert report.identical == same
    assert ("differ by rounding" in report.verdict) == (not same)
    assert same or (dtype in library.dtypes and library.is_here())


def everything(network: Network, x: Tensor, t: Tensor) -> list[Tensor]:
    """Return all values and all gradients, x too."""
    trace = network.forward(x)
    network.loss(trace, t)
    gradients = network.backward(trace)
    return [*(trace.value(i) for i in range(len(network.layers) + 1)), *gradients.values()]


class Doubled(LibraryLinear):
    def gradients(self, error, saved, out=None):
        d = super().gradients(error, saved, out)
        d["weight"].mul_(2)
        return d


@every_library
def test_a_wrong_formula_of_such_a_layer_is_rejected_with_its_cause(library: Library) -> None:
    layers = library_linear(torch.float32, library), Sigmoid(), Doubled(torch.randn(3, 3), library=library)
    x, t = torch.randn(33, 5), torch.rand(33, 3)
    report = crosscheck(Network(layers, SquaredError()), x, t)
    assert not report.ok
    assert blamed(report) == {"∂L/∂W^2": "a factor of 2"}
    assert not check_layer(layers[2], torch.randn(33, 3), module_of(layers[2])).ok


@pytest.mark.long(but=3)
@every_library
@pytest.mark.parametrize(
    "name", ["linear-forward-1.0005", "linear-error-transposed", "linear-weight-last-missing", "linear-bias-decay"]
)
def test_the_causes_known_of_linear_are_found_in_it(library: Library, name: str) -> None:
    fault = FAULTS[name]
    layers = (LibraryLinear(torch.randn(5, 5), torch.randn(5), library=library) for _ in range(2))
    made = Network((next(layers), Sigmoid(), *layers), SquaredError())
    report = crosscheck(fault.plant(made, 2), torch.randn(8, 5), torch.rand(8, 5), power=False)
    assert [(row.quantity, row.code) for row in report.guilty] == [(fault.quantity(made, 2), fault.code)]


@every_library
def test_the_module_is_nn_linear(library: Library) -> None:
    module = module_of(library_linear(torch.float32, library))
    assert type(module) is torch.nn.Linear
    assert (module.in_features, module.out_features) == (5, 3)
