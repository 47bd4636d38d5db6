"""The settings of a run. Each is defined once: its kind and range, its default, its help, and whether a run keeps it.

The options of the command line are made from this table (``options.py``). Settings that a run keeps, in its config.json
and its checkpoints, may come back from elsewhere: they are held to the same table (``kept.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, field, inspect

from manual_bp.training.command.usage import UsageError, option
from manual_bp.training.command.words import EXPECTED, PATTERN, PERCEPTRON

LARGEST = 2**63 - 1
Whole = Annotated[int, Meta(ge=0, le=LARGEST)]
Count = Annotated[int, Meta(ge=1, le=LARGEST)]
Threads = Annotated[int, Meta(ge=0, le=1024)]  # torch crashes on absurd numbers
Side = Annotated[int, Meta(ge=1, le=64)]
Number = Annotated[float, Meta(ge=0, le=sys.float_info.max)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Rate = Annotated[float, Meta(ge=0, lt=1e38)]  # float32 holds it
Word = Annotated[str, Meta(pattern=PATTERN, max_length=40)]
Factor = Annotated[float, Meta(ge=1, lt=1e38)]

DataSet = Literal["mnist5k", "mnist", "fashion-mnist", "kmnist", "emnist-balanced", "qmnist", "usps", "folder"]
OWN = "own"
"""In the place of another data set to test with: the test images of the one that is trained with."""
TestDataSet = Literal[
    "own", "mnist5k", "mnist", "fashion-mnist", "kmnist", "emnist-balanced", "qmnist", "usps", "folder"
]
Augment = Literal["none", "shift", "affine", "elastic"]
Activation = Literal["sigmoid", "tanh", "relu"]
Loss = Literal["cross-entropy", "squared-error"]
Schedule = Literal["constant", "cosine", "linear", "step"]

GRADIENT_DESCENT = "gradient-descent"
FASTEST = "fastest"
"""The products that are chosen by measurement, once for a run."""

Kept = Literal["with the run", "with the run, but it may change", "no"]
FIXED: Kept = "with the run"
LOOSE: Kept = "with the run, but it may change"
"""When the run goes on, the setting may be another."""
NOT: Kept = "no"
"""The setting is the session's, not the run's."""


class Option(NamedTuple):
    """What the command line says of a setting, and whether the run keeps it."""

    group: str
    help: str
    metavar: str | None = None
    kept: Kept = FIXED


def two_layers() -> list[int]:
    """Return the units of the hidden layers where none are given: a list of its own for each run."""
    return [256, 128]


def perceptron() -> list[str]:
    """Return the network that is trained where none is named."""
    return [PERCEPTRON]


data, network, training, files, session = (
    partial(Option, group) for group in ("data", "network", "training", "the run's files", "this session")
)
"""The groups of the help."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that ``train.py`` can be told, with its defaults."""

    dataset: Annotated[
        DataSet, data("mnist5k comes along; folder: your pictures, in DIR/CLASS, or DIR/train/CLASS and DIR/test/CLASS")
    ] = "mnist5k"
    data_root: Annotated[Path, data("where the other data sets are, or your pictures", "DIR", LOOSE)] = Path("data")
    test_dataset: Annotated[
        TestDataSet,
        data("test with the test images of this data set, and train with all images of --dataset; folder: all of it"),
    ] = "own"
    test_root: Annotated[Path | None, data("where that one is (default: --data-root)", "DIR", LOOSE)] = None
    download: Annotated[bool, data("download what is missing to there", kept=NOT)] = False
    image_size: Annotated[Side | None, data("scale images to N x N; 16 gives the lecture's 256 inputs", "N")] = None
    validation: Annotated[
        Whole, data("hold N of the training images out: best.pt is the best on them, not on the test images", "N")
    ] = 0
    augment: Annotated[
        Augment, data("change each image in every epoch: shift; affine: turn and scale it too; elastic: bend it too")
    ] = "none"

    network: Annotated[list[Word], network(EXPECTED, "LAYER")] = field(default_factory=perceptron)
    hidden: Annotated[list[Count], network("mlp: units of each hidden layer", "N")] = field(default_factory=two_layers)
    activation: Annotated[Activation, network("mlp and lenet: σ of E2")] = "relu"
    dropout: Annotated[Share, network("mlp: share of every hidden layer that is left out in training", "P")] = 0.0
    loss: Annotated[Loss, network("E8 of a softmax, or E6")] = "cross-entropy"
    label_smoothing: Annotated[Share, network("share of t given to all classes", "A")] = 0.0

    engine: Annotated[Literal["manual", "autograd", "both"], training("who computes", kept=LOOSE)] = "manual"
    products: Annotated[
        Literal["torch", "fastest", "mkldnn", "numpy"],
        training("whose matrix products; fastest measures it, and the run keeps what it found", kept=LOOSE),
    ] = "torch"
    epochs: Annotated[Count, training("passes over the training images", "N", LOOSE)] = 30
    patience: Annotated[
        Whole,
        training(
            "with --validation: stop after N epochs without a better held-out accuracy, and report the best network; "
            "0 never stops; the learning rate falls as for all --epochs",
            "N",
            LOOSE,
        ),
    ] = 0
    batch_size: Annotated[Count, training("images per update", "N")] = 50
    optimizer: Annotated[
        str, training("gradient-descent (E9), or one of torch.optim by its name, with the same gradients", "NAME")
    ] = GRADIENT_DESCENT
    lr: Annotated[Rate | None, training("learning rate, η of E9 (default: 0.05, or torch.optim's)", "ETA")] = None
    momentum: Annotated[Rate | None, training("0 is plain E9 (default: 0.9, or torch.optim's)", "M")] = None
    nesterov: Annotated[
        bool | None, training("Nesterov's form of the momentum, if any (default: yes, or torch.optim's)")
    ] = None
    weight_decay: Annotated[
        Rate | None,
        training("pull to 0 (default: 16 / training images, which is 0.004 for 4,000, or torch.optim's)", "W"),
    ] = None
    lr_schedule: Annotated[Schedule, training("cosine and linear fall to 0 at the end")] = "cosine"
    lr_drop_every: Annotated[Count, training("step: the learning rate drops every N epochs", "N")] = 10
    lr_drop_factor: Annotated[Factor, training("step: it is divided by F each time", "F")] = 10.0
    average: Annotated[
        Share,
        training(
            "test a moving average of the weights, of which D stays in each step, say 0.999; "
            "0 tests the weights of the last step",
            "D",
        ),
    ] = 0.0
    warmup_epochs: Annotated[Number, training("the learning rate climbs for N epochs first", "N")] = 0.0
    seed: Annotated[Whole, training("fixes the first weights, every order, shift and mask", "S")] = 0
    seeds: Annotated[Count, training("train with N seeds from --seed on; mean and deviation", "N", NOT)] = 1
    ensemble: Annotated[bool, training("with --seeds: test the mean of their networks' answers too", kept=NOT)] = False

    out_dir: Annotated[
        Path | None, files("keep settings, log, checkpoints and pictures in this new folder", "DIR", NOT)
    ] = None
    resume: Annotated[
        str | None,
        files("go on from a checkpoint or a run's folder, or auto: from --out-dir if it can", "PATH", NOT),
    ] = None
    config: Annotated[
        Path | None, files("take the settings from a run's config.json; options given here replace them", "FILE", NOT)
    ] = None
    save_interval: Annotated[Whole, files("save every N steps too, not every epoch only", "N", LOOSE)] = 0
    log_interval: Annotated[Whole, files("log every N steps too, not every epoch only", "N", LOOSE)] = 0
    tensorboard: Annotated[bool, files("log for TensorBoard too (extra 'tensorboard')", kept=NOT)] = False

    check_gradients: Annotated[Whole, session("cross-check with autograd every N steps", "N", LOOSE)] = 0
    eval_only: Annotated[bool, session("test the network of --resume, train nothing", kept=NOT)] = False
    dry_run: Annotated[bool, session("try everything, one step too, and write nothing", kept=NOT)] = False
    quiet: Annotated[bool, session("print the result only", kept=NOT)] = False
    device: Annotated[str, session("cpu, cuda, cuda:1, ...", "D", NOT)] = "cpu"
    threads: Annotated[Threads, session("CPU threads; 0 is one for a small network, else all", "N", LOOSE)] = 0
    dtype: Annotated[Literal["float32", "float64"], session("floating-point numbers")] = "float32"

    def with_rates(self, own: Mapping[str, Any]) -> Settings:
        """Return the settings with an optimizer's own rates where none were given; UsageError for one it lacks."""
        if unknown := [name for name in RATES if name not in own and getattr(self, name) is not None]:
            raise UsageError(f"argument {option(unknown[0])}: {self.optimizer} has no such setting; leave it out")
        return self.replaced({name: own[name] for name in RATES if name in own and getattr(self, name) is None})

    def rates(self) -> dict[str, Any]:
        """Return the optimizer's rates by name, without those that it does not have.

        Nesterov's form of our gradient descent is one of the momentum: without any it is left out.
        """
        rates = {name: getattr(self, name) for name in RATES if getattr(self, name) is not None}
        if self.optimizer == GRADIENT_DESCENT:
            rates["nesterov"] = rates["nesterov"] and rates["momentum"] > 0
        return rates

    def replaced(self, others: Mapping[str, Any]) -> Settings:
        """Return the settings with others in the place of those that ``others`` names."""
        return msgspec.structs.replace(self, **others)

    def kept(self) -> dict[str, Any]:
        """Return the settings that a run keeps, as JSON has them."""
        plain = msgspec.to_builtins(self, enc_hook=str)
        return {name: plain[name] for name in KEPT}


def _kind(annotated: Any) -> inspect.Type:
    """Return the kind of a setting, without the None of 'not given', its names in the order in which they stand."""
    declared, *_ = get_args(annotated)
    if get_origin(declared) is Literal:
        return inspect.LiteralType(get_args(declared))  # msgspec sorts them
    kind = inspect.type_info(annotated)
    if isinstance(kind, inspect.UnionType):
        (kind,) = (each for each in kind.types if not isinstance(each, inspect.NoneType))
    return kind


FIELDS = {each.name: each for each in msgspec.structs.fields(Settings)}
KINDS = {name: _kind(each.type) for name, each in FIELDS.items()}
OPTIONS: dict[str, Option] = {
    name: next(each for each in given.type.__metadata__ if isinstance(each, Option)) for name, given in FIELDS.items()
}
KEPT = [name for name, each in OPTIONS.items() if each.kept != NOT]
RATES = ("lr", "momentum", "nesterov", "weight_decay")
"""Settings of the optimizer. Where they are not given, they are the optimizer's own."""
PULL = 16.0
"""The weight decay of our gradient descent times the number of training images: the more images, the less it takes."""


def descent_on(images: int) -> dict[str, Any]:
    """Return the rates of our gradient descent on so many training images."""
    return {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": PULL / images}


def default_of(name: str) -> Any:
    """Return what a setting is where it is not given."""
    return getattr(Settings(), name)
