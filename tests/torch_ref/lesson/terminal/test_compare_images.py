"""The walk through a small convolutional network, tensor by tensor: --network conv."""

import json

import pytest

from torch_ref.__main__ import main


def compared(capsys, *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(["compare", "--network", "conv", *arguments])
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


@pytest.mark.long(but=2)
@pytest.mark.parametrize("loss", ["squared-error", "cross-entropy"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_every_tensor_is_identical_and_has_its_equation(activation: str, loss: str, capsys) -> None:
    code, out, _ = compared(capsys, "--json", "--activation", activation, "--loss", loss)
    (walk,) = json.loads(out)["walks"]
    assert (code, walk["agrees"], walk["identical"]) == (0, True, True)
    found = {tensor["name"]: (tensor["equation"], tensor["formula"]) for tensor in walk["tensors"]}
    assert found["net^1"] == ("C1", "Σ_dij W^1_cdij x^0_duv + b^1_c")
    assert found["x^1"] == ("P1", "max_ij x_cuv")
    assert found["e^1"] == ("C2", "Σ_cij W^2_cdij δ^2_cpq")
    assert found["∂L/∂W^2"] == ("C3", "−Σ_pq δ^2_cpq x^1_duv")
    assert found["x^2"] == ("-", "x as rows, channel by channel, each row by row")
    assert found["error of " + {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "ReLU"}[activation] + " 2"] == (
        "-",
        "the error of y, in the shape of x",
    )
    assert found["W^1 after"] == ("E9", "W^1 − η ∂L/∂W^1")
    assert {tensor["ulp"] for tensor in walk["tensors"]} == {0}


def test_the_letters_of_the_windows_are_explained(capsys) -> None:
    code, out, _ = compared(capsys)
    assert code == 0
    assert "Weights as nn.Conv2d and nn.Linear draw them" in out
    assert "u = p stride + i − padding" in " ".join(out.split())
    assert "C2   e^1 = Σ_cij W^2_cdij δ^2_cpq" in out
    assert max(map(len, out.splitlines())) <= 80


def test_no_bias_and_the_phases(capsys) -> None:
    _, out, _ = compared(capsys, "--json", "--no-bias", "--phase", "gradients")
    assert [tensor["name"] for tensor in json.loads(out)["walks"][0]["tensors"]] == ["∂L/∂W^1", "∂L/∂W^2", "∂L/∂W^3"]


@pytest.mark.parametrize(("fault", "layer"), [("convolution-error-turned", 2), ("max-pooling-error-to-all", 1)])
def test_a_fault_of_images_is_shown(fault: str, layer: int, capsys) -> None:
    code, out, _ = compared(capsys, "--fault", fault)
    assert code == 1
    assert f"The fault is {fault}, in layer {layer}." in out


def test_a_fault_of_images_is_not_in_a_network_of_rows(capsys) -> None:
    assert main(["compare", "--fault", "convolution-error-turned"]) == 2
    assert "does not fit this network; it shows with --network conv" in capsys.readouterr().err


@pytest.mark.parametrize(
    "more", [("--steps", "3"), ("--data", "mnist5k"), ("--on-paper",)], ids=lambda arguments: arguments[0]
)
def test_what_goes_number_by_number_or_with_digits_is_refused(more: tuple[str, ...], capsys) -> None:
    code, _, err = compared(capsys, *more)
    assert code == 2
    assert "goes with a network of linear layers, such as --network 784-30-10, got conv" in err


def test_the_lesson_takes_rows_only(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["lesson", "--network", "conv"])
    assert "expected numbers of units, 3-4-2 for example, each from 1, got 'conv'" in capsys.readouterr().err
