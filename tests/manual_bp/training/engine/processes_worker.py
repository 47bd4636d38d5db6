"""One of the processes of ``test_processes``: it tries everything together with the others and keeps what came out.

    python tests/manual_bp/training/engine/processes_worker.py FOLDER

``results`` starts them as ``torchrun`` would, each with its rank in the environment, and leaves none of them running.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[4]))

from manual_bp import GradientDescent, Loss, Network, SoftmaxCrossEntropy, SquaredError, Tanh, mlp
from manual_bp.training.engine.parallel import DataParallelEngine
from manual_bp.training.engine.processes import Processes, ToldElsewhereError
from manual_bp.training.engine.protocol import Engine
from torch_ref.autograd.optimizer import TorchOptimizer

ROOT = Path(__file__).parents[4]
TIMEOUT = 30.0  # of a meeting and of an answer: processes on a busy machine take seconds to import torch
SILENCE = 2.0  # of an answer, where one keeps silent
DEADLINE = 150  # of a whole group, after which it is killed
LOSSES = {f"{kind.__name__} {r}": kind(r) for kind, r in product((SquaredError, SoftmaxCrossEntropy), ("mean", "sum"))}
ROWS = (10, 1)  # 5 + 5 or 4 + 3 + 3; and 1 + 0 (+ 0)
EVEN = 6
UPDATES = 20


class Keeping:
    """An optimizer that keeps the gradients and moves nothing."""

    lr = 0.0

    def moves(self, gradients: Mapping[str, Tensor]) -> list[Callable[[], None]]:
        """Keep copies."""
        self.kept = {name: gradient.clone() for name, gradient in gradients.items()}
        return []


OPTIMIZERS: dict[str, Callable[[Network], Any]] = {
    "gradient descent": lambda network: GradientDescent(
        network, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1
    ),
    "Adam": lambda network: TorchOptimizer("Adam", network.parameters(), lr=0.01),
}


def network(loss: Loss | None = None, seed: int = 0, dtype: torch.dtype = torch.float64) -> Network:
    """Return a small network of odd sizes."""
    generator = torch.Generator().manual_seed(seed)
    return mlp([7, 5, 3], activation=Tanh(), loss=loss or SoftmaxCrossEntropy(), generator=generator, dtype=dtype)


def beginner(optimizer: str, seed: int = 0, dtype: torch.dtype = torch.float64) -> Network:
    """Return the network that an optimizer trains: one by a mean, the other by a sum."""
    return network(SoftmaxCrossEntropy("mean" if optimizer == "Adam" else "sum"), seed, dtype)


def batch(rows: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Return x and one-hot t of a whole batch."""
    generator = torch.Generator().manual_seed(100 * rows + seed)
    x = torch.randn(rows, 7, generator=generator, dtype=dtype)
    return x, torch.eye(3, dtype=dtype)[torch.randint(3, (rows,), generator=generator)]


def part(tensor: Tensor, processes: Processes) -> Tensor:
    """Return this process's rows."""
    return tensor.tensor_split(processes.count)[processes.rank]


def train(engine: Engine, dtype: torch.dtype, processes: Processes) -> list[float]:
    """Take updates on batches of 10, 7 and 1 rows in turn; return the losses."""
    batches = (batch(rows, seed, dtype) for seed, rows in enumerate(islice(cycle((10, 7, 1)), UPDATES)))
    return [engine.step(part(x, processes), part(t, processes)).item() for x, t in batches]


# ------------------------------------------------------------------------------------------- what each process tries


def gradients(processes: Processes) -> dict[tuple[str, int], tuple[float, dict[str, Tensor]]]:
    """Return loss and gradients of a step, for each loss and number of rows."""
    found = {}
    for (name, loss), rows in product(LOSSES.items(), (*ROWS, EVEN)):
        keeping = Keeping()
        engine = DataParallelEngine(network(loss), keeping, processes)
        x, t = batch(rows)
        found[name, rows] = engine.step(part(x, processes), part(t, processes)).item(), keeping.kept
    return found


def reference(processes: Processes) -> dict[str, dict[str, Tensor]]:
    """Return the gradients of DistributedDataParallel on the mirror, which averages over the processes."""
    from torch.nn.parallel import DistributedDataParallel

    from torch_ref import mirror

    found = {}
    for name, loss in LOSSES.items():
        model, loss_of = mirror(network(loss))
        parallel = DistributedDataParallel(model)  # by this name it is still there in the backward pass
        x, t = batch(EVEN)
        loss_of(parallel(part(x, processes)), part(t, processes)).backward()
        found[name] = {key: parameter.grad for key, parameter in model.named_parameters()}
    return found


def trained(processes: Processes, *, inference: bool) -> dict[tuple[str, torch.dtype], tuple[list[float], Tensor]]:
    """Return losses and parameters after updates, where every process began with others of its own."""
    found = {}
    for (name, optimizer), dtype in product(OPTIMIZERS.items(), (torch.float32, torch.float64)):
        mine = beginner(name, processes.rank, dtype)
        with torch.inference_mode(inference):
            losses = train(DataParallelEngine(mine, optimizer(mine), processes), dtype, processes)
        found[name, dtype] = losses, mine.buffer.clone()
    return found


def told(processes: Processes) -> dict[str, object]:
    """Return what the processes say to each other."""

    def refuse() -> None:
        raise FileNotFoundError(f"nothing in process {processes.rank}")

    try:
        error: object = processes.from_main(refuse)
    except FileNotFoundError as raised:
        error = str(raised)
    except ToldElsewhereError as raised:
        error = f"told elsewhere: {raised.__cause__}"
    return {
        "last raises it": processes.any(processes.rank == processes.count - 1),
        "nobody raises it": processes.any(False),
        "value": processes.from_main(lambda: {"made by": processes.rank}),
        "error": error,
    }


def bereft(processes: Processes, leave: Callable[[], None]) -> tuple[str, float]:
    """Return what the others' step raises while the last process leaves, and after how many seconds."""
    engine = DataParallelEngine(network(), Keeping(), processes)
    began = time.monotonic()
    if processes.rank == processes.count - 1:
        leave()
        return "", 0.0
    try:
        train(engine, torch.float64, processes)
    except ConnectionError as error:
        return str(error), time.monotonic() - began
    return "", time.monotonic() - began


def die() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def keep_silent() -> None:
    """Stay, and do not answer, until the first process has given up; or for three times as long as it should wait."""
    deadline = time.monotonic() + 3 * SILENCE
    while time.monotonic() < deadline and not (Path(sys.argv[1]) / "0.pt").exists():
        time.sleep(0.05)


def main(folder: Path) -> None:
    """Try everything; in the second meeting the last process is silent, in the third it dies."""
    torch.set_num_threads(1)
    path, ports = folder / f"{os.environ['RANK']}.pt", os.environ["PORTS"].split()
    with meeting(ports[0], TIMEOUT) as processes:
        found = {
            "gradients": gradients(processes),
            "DistributedDataParallel": reference(processes),
            "trained": trained(processes, inference=False),
            "trained in inference mode": trained(processes, inference=True),
            "told": told(processes),
        }
    with meeting(ports[1], SILENCE) as processes:
        found["silence"] = bereft(processes, keep_silent)
    torch.save(found, path)
    with meeting(ports[2], TIMEOUT) as processes:
        found["death"] = bereft(processes, die)
    torch.save(found, path)


def meeting(port: str, timeout: float) -> Processes:
    """Return the processes of the environment, who meet at a port."""
    os.environ["MASTER_PORT"] = port
    return Processes.from_environment("cpu", timeout)


# ------------------------------------------------------------------------------------------------------ from outside


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def loopback() -> dict[str, str]:
    """Return an environment in which processes meet on this machine alone, one thread each."""
    return {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def results(count: int, folder: Path) -> list[dict[str, Any]]:
    """Start a group and return what each of its processes kept; raise AssertionError where one failed."""
    ports = " ".join(str(free_port()) for _ in range(3))
    meeting = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "PORTS": ports}
    command = [sys.executable, "-W", "error", __file__, str(folder)]
    group = [
        subprocess.Popen(
            command, env={**loopback(), **meeting, "RANK": str(rank), "LOCAL_RANK": str(rank)}, stderr=subprocess.PIPE
        )
        for rank in range(count)
    ]
    try:
        errors = [process.communicate(timeout=DEADLINE)[1].decode() for process in group]
    finally:
        for process in group:
            process.kill()
            process.wait()
    codes = [process.returncode for process in group]
    assert codes == [0] * (count - 1) + [-signal.SIGKILL], "\n".join(errors)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(count)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
