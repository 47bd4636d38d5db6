"""Kill a training run with ``kill -9`` at random moments, go on each time, and compare its end with a run left alone.

    python tests/kills.py                  60 kills, half a minute
    python tests/kills.py --kills 500      more of them

Every start goes on by ``--resume auto`` in the run's folder, by hand and by autograd in turn: two thirds of
the kills hit a perceptron, the others a convolution with dropout and elastic distortions. Checkpoints are written
every few steps, so that many kills fall into the writing. At the end the parameters, what the optimizer remembers, the
history and the log must be those of the run that nobody disturbed, to the last bit; only the seconds may differ.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch_ref.autograd.engine  # noqa: F401  # once, before the processes are forked
import train
from manual_bp.training.run import checkpoint
from manual_bp.training.run.whole_file import unfinished

ENGINES = "manual", "autograd"
SETTINGS = "--save-interval 7 --log-interval 10 --quiet --threads 1 --average 0.99 --epochs"

NETWORKS = {
    "a perceptron": "--hidden 16",
    "a convolution with dropout and elastic distortions": (
        "--image-size 8 --network conv:2:3 relu dropout:0.2 max:2 --augment elastic"
    ),
}


def start(folder: Path, network: str, epochs: int, *more: str) -> int:
    """Begin or go on with the run in a process of its own, forked since importing torch takes a second."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        words = *SETTINGS.split(), str(epochs), *NETWORKS[network].split()
        code = train.main([*words, "--out-dir", str(folder), "--resume", "auto", *more])
    finally:
        os._exit(code)


def kill_after(pid: int, seconds: float) -> bool:
    """Kill a process after some time; return whether it was still running. Raises AssertionError where it failed."""
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), f"a run that went on ended with exit code {code}"
    return code != 0


def finish(pid: int) -> None:
    """Wait for a process to end well."""
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, f"a run ended with exit code {os.waitstatus_to_exitcode(status)}"


def assert_same_end(one: Path, other: Path) -> None:
    """Raise unless two runs ended with the same numbers, to the last bit."""
    first, second = (checkpoint.load(folder / "last.pt") for folder in (one, other))
    assert first.parameters.keys() == second.parameters.keys()
    assert first.average.keys() == second.average.keys()
    for name, parameter in first.parameters.items():
        assert torch.equal(parameter, second.parameters[name]), f"{name} differs"
        if first.average:
            assert torch.equal(first.average[name], second.average[name]), f"the average of {name} differs"
        for key, value in first.optimizer[name].items():
            assert torch.equal(value, second.optimizer[name][key]), f"{key} of {name} differs"
    assert (first.step, without_seconds(first.history)) == (second.step, without_seconds(second.history))
    logs = [
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()] for folder in (one, other)
    ]
    assert without_seconds(logs[0]) == without_seconds(logs[1]), "the logs differ"
    best = [checkpoint.load(folder / "best.pt") for folder in (one, other)]
    assert best[0].step == best[1].step, "the best checkpoints are of different steps"


def without_seconds(records: list[dict[str, float]]) -> list[dict[str, float]]:
    """Return the records without the time they took."""
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def trial(network: str, kills: int, epochs: int, seed: int, folder: Path) -> Counter[str]:
    """Disturb a run; return in which moments the kills fell. Raises AssertionError where it ends otherwise."""
    moments, chance = random.Random(seed), Counter[str]()
    finish(start(folder / "alone", network, epochs))
    disturbed = folder / "disturbed"
    while chance.total() < kills:
        engine = ENGINES[chance.total() % 2]
        if not kill_after(start(disturbed, network, epochs, "--engine", engine), moments.uniform(0.0, 0.5)):
            break
        draft = any(unfinished(disturbed / name).exists() for name in ("last.pt", "best.pt"))
        there = (disturbed / "last.pt").exists()
        chance["while writing a checkpoint" if draft else "between two" if there else "before the first"] += 1
    finish(start(disturbed, network, epochs))
    assert_same_end(folder / "alone", disturbed)
    return chance


def shares(epochs: int) -> tuple[int, int]:
    """Return the epochs of the perceptron and of the convolution: as much time for each kill."""
    return epochs * 2 // 3, max(1, epochs * 2 // 5)


def main() -> int:
    """Run a trial and print what it met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    third, total = given.kills // 3, Counter[str]()
    for network, kills, epochs in zip(NETWORKS, (given.kills - third, third), shares(given.epochs), strict=True):
        with tempfile.TemporaryDirectory() as folder:
            chance = trial(network, kills, epochs, given.seed, Path(folder))
        if chance.total() < kills:
            print(f"the run of {network} was over before {kills} kills: give it more --epochs")
            return 1
        print(f"{chance.total():4} kills of {network}")
        total += chance
    for moment, count in total.items():
        print(f"{count:4} kills {moment}")
    print(f"{total.total():4} kills; every run went on, and the end is that of a run left alone, to the last bit")
    print(f"     {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
