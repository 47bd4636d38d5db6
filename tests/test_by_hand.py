"""manual_bp is by hand: it imports no autograd, uses none, and runs whole where autograd cannot."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from cases import ACTIVATIONS, DTYPES, LOSSES, loss_id, targets

import manual_bp
from manual_bp import GradientDescent, Layer, Loss, mlp
from manual_bp.training.data import Batches, mnist5k
from manual_bp.training.step import ManualEngine, accuracy

SOURCES = sorted(Path(manual_bp.__file__).parent.rglob("*.py"))
FORBIDDEN_MODULES = ("torch.autograd", "torch.nn", "torch.optim", "torch.func", "torch.ops", "torch_ref")
FORBIDDEN_NAMES = {
    "autograd", "nn", "optim", "func", "ops", "_C", "grad", "requires_grad", "requires_grad_", "retain_grad",
    "enable_grad", "set_grad_enabled", "vjp", "jvp", "compile", "register_hook", "grad_fn", "eval", "exec",
}  # fmt: skip


def violations(source: str) -> list[str]:
    """Name every import and attribute in the source that belongs to autograd, torch.nn or a backward kernel."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.startswith(FORBIDDEN_MODULES)]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{a.name}" for a in node.names]
            found += [name for name in names if name.startswith(FORBIDDEN_MODULES)]
        elif isinstance(node, ast.Attribute):
            of_torch = ast.unparse(node).startswith("torch.")
            kernel = node.attr.endswith("_backward") or (of_torch and "backward" in node.attr)
            found += [ast.unparse(node)] if node.attr in FORBIDDEN_NAMES or kernel else []
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_source_file_touches_autograd(path: Path) -> None:
    assert violations(path.read_text(encoding="utf-8")) == []


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
    ],
)
def test_the_guard_would_see_it(source: str) -> None:
    assert violations(source) != []


@pytest.mark.parametrize("bad", ["import torch.autograd\n", "from torch import nn\n", "import torch_ref\n"])
def test_the_lint_rule_would_see_it(bad: str) -> None:
    root = Path(__file__).parents[1]
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
        assert 0 <= accuracy(network, [(x, t)]) <= 1
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
