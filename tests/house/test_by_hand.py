"""manual_bp is by hand: it imports no autograd, uses none, and runs whole where autograd cannot."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from cases import ACTIVATIONS, DTYPES, LOSSES, loss_id, targets
from places import ROOT

import manual_bp
from manual_bp import GradientDescent, Layer, Loss, mlp
from manual_bp.training.engine.step import ManualEngine
from manual_bp.training.images.batches import Batches
from manual_bp.training.images.data import mnist5k
from manual_bp.training.run.evaluation import evaluate
from torch_ref.grade.forbidden import STUDENTS_MODULES, violations

SOURCES = sorted(Path(manual_bp.__file__).parent.rglob("*.py"))

ALLOWED = {"transforms.py": {"torch._C", "t.requires_grad"}, "products.py": {"torch.ops"}}
"""What a file may name. transforms.py asks whether somebody differentiates by a tensor, and refuses it; products.py
takes oneDNN's product, which torch offers nowhere else."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_source_file_touches_autograd(path: Path) -> None:
    named = {violation.name for violation in violations(path.read_text(encoding="utf-8"))}
    assert named == ALLOWED.get(str(path.relative_to(SOURCES[0].parent)), set())


def test_of_torch_s_operators_one_is_used_which_is_no_backward_kernel() -> None:
    source = (Path(manual_bp.__file__).parent / "products.py").read_text(encoding="utf-8")
    assert source.count("torch.ops.") == source.count("torch.ops.mkldnn._linear_pointwise(") == 1


@pytest.mark.parametrize(
    "source",
    [
        "import torch.autograd",
        "from torch import nn",
        "import torch.nn.functional as F",
        "from torch.autograd import grad",
        "from torch.nn.functional import linear",
        "import torch_ref",
        "import torch\ntorch.nn.functional.relu(x)",
        "import torch\ntorch.autograd.grad(y, x)",
        "x.requires_grad_()",
        "torch.ops.aten.sigmoid_backward(e, y)",
        "torch.sigmoid_backward(e, y)",
        "torch._C._nn.mse_loss_backward(e, y)",
        "torch.func.vjp(f, x)",
        "from torch import *",
        "getattr(torch, 'autograd')",
        "exec(text)",
        "__import__(name)",
    ],
)
def test_the_guard_would_see_it(source: str) -> None:
    assert violations(source) != []


def test_the_guard_names_the_line_and_what_stands_there() -> None:
    source = "import torch\n\ny = torch.exp(x)\ny.backward()\ne = torch.autograd.grad(y, x)\n"
    assert violations(source) == [(5, "torch.autograd.grad")]


@pytest.mark.parametrize(
    "source", ["import torch", "from torch import Tensor", "layer.backward(e, saved)", "import re"]
)
def test_the_guard_lets_plain_code_pass(source: str) -> None:
    assert violations(source, STUDENTS_MODULES) == []


@pytest.mark.parametrize("bad", ["import torch.autograd\n", "from torch import nn\n", "import torch_ref\n"])
def test_the_lint_rule_would_see_it(bad: str) -> None:
    root = ROOT
    command = [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--stdin-filename", "manual_bp/new.py", "-"]
    outcome = subprocess.run(command, input=bad, capture_output=True, text=True, cwd=root, timeout=60, check=False)
    assert outcome.returncode == 1
    assert "TID251" in outcome.stdout


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("loss", LOSSES, ids=loss_id)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype)[6:])
def test_runs_whole_under_inference_mode(activation: Layer, loss: Loss, dtype: torch.dtype) -> None:
    """There autograd records nothing and .backward() raises: what comes out was made by hand."""
    with torch.inference_mode():
        network = mlp([6, 5, 3], activation=activation, loss=loss, dtype=dtype)
        network.load_state_dict(network.state_dict())
        before = network.state_dict()
        descent = GradientDescent(network, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
        engine = ManualEngine(network, descent)
        x, t = torch.randn(4, 6, dtype=dtype), targets(4, 3, dtype)
        first, *_, last = (engine.step(x, t).item() for _ in range(20))
        trace = network.forward(x)
        network.loss(trace, t)
        network.input_error(trace, network.backward(trace))
        assert 0 <= evaluate(network, [(x, t)]).accuracy <= 1
    assert last < first
    assert all(not torch.equal(p, before[name]) for name, p in network.parameters().items())


def test_batches_run_under_inference_mode() -> None:
    digits, _ = mnist5k()
    with torch.inference_mode():
        x, t = next(Batches(digits, 32, standard=digits, dtype=torch.float32, device="cpu").shuffled(0, 1))
        assert x.is_inference()
        assert (x.shape, t.shape) == ((32, 784), (32, 10))


def test_parameters_of_modules_are_taken_without_their_graph() -> None:
    module = torch.nn.Linear(5, 3)
    layer = manual_bp.Linear(module.weight, module.bias)
    net, saved = layer.forward(torch.randn(2, 5))
    _, gradients = layer.backward(torch.ones(2, 3), saved)
    assert not any(tensor.requires_grad for tensor in (layer.weight, layer.bias, net, *gradients.values()))
    assert layer.weight.data_ptr() == module.weight.data_ptr()


def test_importing_needs_neither_torchvision_nor_matplotlib() -> None:
    code = "import sys, manual_bp; from torch_ref import *; print({'torchvision', 'matplotlib'} & set(sys.modules))"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert outcome.stdout.strip() == "set()"
