"""Networks that multiply by a library: the same steps recorded, who is fastest, and whose threads there are."""

import ctypes
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cases import assert_close, assert_identical, targets
from twins import SETTINGS, Twins

from manual_bp import Conv2d, Flatten, LibraryLinear, Linear, Network, ReLU, SoftmaxCrossEntropy, mlp
from manual_bp.initial import random_conv2d, random_linear
from manual_bp.products import LIBRARIES, NUMPY, Library, _mkldnn_is_here
from manual_bp.training.engine import fastest as here
from manual_bp.training.engine.fastest import at_hand, fastest, multiplied_by, seconds_of_a_step, set_threads

every_library = pytest.mark.parametrize("name", LIBRARIES)


@every_library
@pytest.mark.usefixtures("each_size")
def test_recorded_steps_equal_steps_by_the_formulas_with_every_library(name: str) -> None:
    """To the last bit, over two batch sizes; and there is something to repeat."""
    twins = Twins(multiplied_by(mlp([60, 50, 40, 3], activation=ReLU()), name), **SETTINGS)
    buffers = [(torch.empty(rows, 60), torch.empty(rows, 3)) for rows in (33, 9)]
    for number in range(12):
        x, t = buffers[number % 2]
        x.copy_(torch.randn(x.shape))
        t.copy_(targets(len(x), 3, torch.float32))
        twins.assert_same_step(x, t, f"at step {number}")
    assert twins.repeat


@every_library
def test_the_linear_layers_multiply_by_the_library_and_no_number_of_theirs_changes(name: str) -> None:
    layers = random_conv2d(1, 2, 3), ReLU(), Flatten(), random_linear(32, 5), ReLU(), random_linear(5, 3, bias=False)
    network = Network(layers, SoftmaxCrossEntropy())
    made = multiplied_by(network, name)
    kinds = [Conv2d, ReLU, Flatten, LibraryLinear, ReLU, LibraryLinear]
    assert [type(layer) for layer in made.layers] == kinds
    assert {layer.library.name for layer in made.layers if isinstance(layer, LibraryLinear)} == {name}
    assert made.parameters().keys() == network.parameters().keys()
    assert_identical(made.buffer, network.buffer)
    x = torch.randn(4, 1, 6, 6)
    assert_close(made.forward(x).y, network.forward(x).y, 1e-5)


def test_torch_s_products_are_the_network_itself() -> None:
    network = mlp([5, 3])
    assert multiplied_by(network, "torch") is network
    without = Network((random_conv2d(1, 2, 3), Flatten()), SoftmaxCrossEntropy())
    assert multiplied_by(without, "numpy") is without


def test_a_layer_that_inherits_from_linear_stays_as_it_is() -> None:
    class Own(Linear):
        pass

    layers = Own(torch.randn(4, 5)), ReLU(), Linear(torch.randn(3, 4))
    made = multiplied_by(Network(layers, SoftmaxCrossEntropy()), "numpy")
    assert [type(layer) for layer in made.layers] == [Own, ReLU, LibraryLinear]


# ------------------------------------------------------------------------------------------------------- who is here


def test_who_is_at_hand_depends_on_dtype_and_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, library in LIBRARIES.items():
        monkeypatch.setitem(LIBRARIES, name, library._replace(is_here=lambda: True))
    monkeypatch.setattr(here, "_numpy_threads", lambda: print)
    assert at_hand(torch.float32, "cpu") == ("torch", "mkldnn", "numpy")
    assert at_hand(torch.float64, "cpu") == ("torch", "numpy")
    assert at_hand(torch.bfloat16, "cpu") == at_hand(torch.float32, "cuda") == ("torch",)


def test_a_library_that_is_missing_is_not_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace())
    monkeypatch.setattr(here, "_numpy_threads", lambda: None)
    _mkldnn_is_here.cache_clear()
    try:
        assert at_hand(torch.float32, "cpu") == ("torch",)
    finally:
        _mkldnn_is_here.cache_clear()


# --------------------------------------------------------------------------------------------------------- measuring


def test_what_is_measured_is_the_steps_of_copies_with_each_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that sleeps for 2 ms in each of three products is found out, and nothing is left changed."""

    def slow(*given) -> torch.Tensor:
        time.sleep(0.002)
        return NUMPY.multiply(*given)

    monkeypatch.setitem(LIBRARIES, "slow", Library("slow", (torch.float32,), slow, lambda: True))
    network, x, t = mlp([6, 4, 3]), torch.rand(5, 6), torch.rand(5, 3)
    before, drawn = network.buffer.clone(), torch.get_rng_state()
    torch.set_num_threads(2)
    seconds = seconds_of_a_step(network, x, t, 1)
    assert torch.get_num_threads() == 2
    assert tuple(seconds) == at_hand(torch.float32, "cpu")
    assert seconds["slow"] > 5 * 0.002 > max(taken for name, taken in seconds.items() if name != "slow")
    assert fastest(seconds) != "slow"
    assert_identical(network.buffer, before)
    assert_identical(torch.get_rng_state(), drawn)


@pytest.mark.parametrize(
    ("seconds", "name"),
    [
        ({"torch": 1.0}, "torch"),
        ({"torch": 1.0, "mkldnn": 0.97, "numpy": 1.2}, "torch"),  # nothing that noise could not do
        ({"torch": 1.0, "mkldnn": 0.9, "numpy": 0.8}, "numpy"),
        ({"torch": 1.0, "mkldnn": 0.5, "numpy": 0.8}, "mkldnn"),
    ],
)
def test_the_fastest_is_another_than_torch_only_where_it_gains(seconds: dict[str, float], name: str) -> None:
    assert fastest(seconds) == name


# ----------------------------------------------------------------------------------------------------------- threads


def test_one_pool_of_threads_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(here, "_numpy_threads", lambda: given.append)
    set_threads(2, "mkldnn")
    assert (torch.get_num_threads(), given) == (2, [])
    set_threads(2, "numpy")
    assert (torch.get_num_threads(), given) == (1, [2])
    set_threads(2, "torch")
    assert (torch.get_num_threads(), given) == (2, [2])
    monkeypatch.setattr(here, "_numpy_threads", lambda: None)
    set_threads(2, "numpy")  # numpy's products are not taken where its threads cannot be set
    assert torch.get_num_threads() == 2


def test_the_threads_of_numpy_s_openblas_are_set() -> None:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    setter = here._numpy_threads()
    assert (setter is not None) == ("openblas" in blas)
    if setter is not None:
        library = ctypes.CDLL(here._file_of_numpy())
        count = getattr(library, setter.__name__.replace("set", "get"))
        before = count()
        for number in (1, 2, before):
            setter(number)
            assert count() == number
