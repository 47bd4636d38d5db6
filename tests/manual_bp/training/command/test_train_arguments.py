"""What train.py says to wrong arguments, and to settings from a file."""

import json
from pathlib import Path

import pytest
from conftest import Inside

SHORT = "--hidden", "8", "--epochs", "1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--epochs", "0"), "argument --epochs: expected a whole number of at least 1, got '0'"),
        (("--hidden", "30", "x"), "argument --hidden: expected a whole number of at least 1, got 'x'"),
        (("--threads", "100000"), "argument --threads: expected a whole number from 0 to 1024, got '100000'"),
        (("--lr", "-1"), "argument --lr: expected a finite number of at least 0 and below 1e+38, got '-1'"),
        (("--lr", "nan"), "argument --lr: expected a finite number of at least 0 and below 1e+38, got 'nan'"),
        (
            ("--weight-decay", "1e300"),
            "argument --weight-decay: expected a finite number of",
        ),
        (("--label-smoothing", "1"), "argument --label-smoothing: expected a finite number of at least 0 and below 1"),
        (("--seed", "-1"), "argument --seed: expected a whole number of at least 0, got '-1'"),
        (("--engine", "jax"), "argument --engine: invalid choice: 'jax' (choose from manual, autograd, both)\n"),
        (("--activation", "sigmod"), "(choose from sigmoid, tanh, relu); did you mean sigmoid?\n"),
        (("--dataset", "fashionmnist"), "; did you mean fashion-mnist?\n"),
        (("--act", "relu"), "unrecognized arguments: --act relu; did you mean --"),
        (("--lerning-rate", "1"), "unrecognized arguments: --lerning-rate 1; did you mean --lr?\n"),
        (("--learning_rate=1",), "unrecognized arguments: --learning_rate=1; did you mean --lr?\n"),
        (("--eta", "1"), "unrecognized arguments: --eta 1; did you mean --lr?\n"),
        (("--gpu",), "unrecognized arguments: --gpu; did you mean --device?\n"),
        (("--batchsize", "9"), "unrecognized arguments: --batchsize 9; did you mean --batch-size?\n"),
        (("--xyzzy",), "unrecognized arguments: --xyzzy\n"),
        (("--optimzer=Adam",), "unrecognized arguments: --optimzer=Adam; did you mean --optimizer?\n"),
        (("predict.png",), "unrecognized arguments: predict.png\n"),
        (("--optimizer", "adam"), "SGD, got 'adam'; did you mean Adam?\n"),
        (("--optimizer", "LBFGS"), "SGD, got 'LBFGS': it evaluates the loss by itself\n"),
        (("--optimizer", "Adam", "--momentum", "0.9"), "argument --momentum: Adam has no such setting; leave it out\n"),
        (("--optimizer", "NAdam", "--lr", "0", "--weight-decay", "0", "--nesterov"), "argument --nesterov: NAdam has"),
        (("--hidden", "9" * 15), f"argument --hidden: a network 784-{'9' * 15}-10 does not fit into memory here"),
        (("--network", "conv:8"), "argument --network: expected mlp, lenet, or layers such as conv:16:3, relu, max:2"),
        (
            ("--network", "dropout:1"),
            "argument --network: expected mlp, lenet, or layers such as conv:16:3, relu, max:2",
        ),
        (("--dropout", "1"), "argument --dropout: "),
        (
            ("--network", "lenet", "--dropout", "0.5"),
            "argument --dropout: it is for the hidden layers of mlp; put dropout:0.5 among the layers of --network\n",
        ),
        (("--network", "conv:0:3"), "argument --network: expected whole numbers from 1, got conv:0:3\n"),
        (("--network", "conv:8:3:0:0"), "argument --network: expected whole numbers from 1, got conv:8:3:0:0\n"),
        (("--network", "mlp", "relu"), "expected mlp alone, or layers such as conv:16:3, got mlp relu\n"),
        (("--network", "relu", "lenet"), "expected lenet alone, or layers such as conv:16:3, got relu lenet\n"),
        (
            ("--network", "linear:9", "conv:8:3"),
            "--network: conv:8:3 expects images, got rows: put it before linear:N\n",
        ),
        (("--network", "relu", "max:2"), "--network: max:2 expects images, got rows: put it before any other layer\n"),
        (("--network", "max:9", "conv:8:5"), "--network: conv:8:5 does not fit into images of 3 × 3 pixels\n"),
        (
            ("--network", "linear:9000000", "linear:9000000"),
            "--network: a network linear:9000000 linear:9000000 linear:10",
        ),
        (("--device", "cpux"), "argument --device: torch cannot use 'cpux' here"),
        (("--device", "meta"), "argument --device: torch cannot use 'meta' here"),
        (("--eval-only",), "argument --eval-only: expected --resume too, the network to test\n"),
        (("--tensorboard",), "argument --tensorboard: expected --out-dir too, the folder to write to\n"),
        (("--resume", "auto"), "argument --resume: auto expects --out-dir, the folder to go on in\n"),
        (("--resume", "x.pt", "--seeds", "2"), "argument --seeds: several runs cannot go on from one checkpoint"),
        (("--tensorboard", "--resume", "auto"), "argument --resume: auto expects --out-dir"),
        (("--warmup-epochs", "30"), "argument --warmup-epochs: expected less than --epochs, 30, got 30.0\n"),
        (
            ("--epochs", "1", "--warmup-epochs", "0.999999"),
            "argument --warmup-epochs: expected less than",
        ),
        (("--warmup-epochs", "1e308"), "argument --warmup-epochs: expected less than --epochs, 30, got 1e+308\n"),
        (("--seed", f"{2**63 - 1}", "--seeds", "2"), f"--seeds: expected seeds of at most {2**63 - 1}, got {2**63}"),
        (("--image-size", "2", "--augment", "shift"), "argument --augment: images of 2 pixels cannot shift by 2\n"),
        (("--image-size", "1", "--augment", "affine"), "cannot be distorted; expected --image-size 2 or more\n"),
        (("--image-size", "1", "--augment", "elastic"), "argument --augment: images of 1 pixel cannot be distorted; "),
        (("--augment", "elastics"), "(choose from none, shift, affine, elastic); did you mean elastic?\n"),
        (("--out-dir", ""), "argument --out-dir: expected a path, got ''\n"),
        (("--device", "privateuseone"), "argument --device: torch cannot use 'privateuseone' here"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_a_wrong_argument_is_named_and_exits_with_2(inside: Inside, arguments: tuple[str, ...], message: str) -> None:
    code, out, errors = inside(*arguments)
    assert (code, out) == (2, "")
    assert message in errors
    assert errors.count("\n") <= 3


def test_seeds_beyond_the_largest_are_refused_before_the_first_one_begins(inside: Inside, tmp_path: Path) -> None:
    """What a run of theirs had written could not be read again."""
    config = tmp_path / "config.json"
    config.write_text(f'{{"seed": {2**63 - 2}}}')
    for words in (("--seed", 2**63 - 2), ("--config", config)):
        code, out, errors = inside(*words, "--seeds", 3, "--out-dir", tmp_path / "runs")
        message = f"expected seeds of at most {2**63 - 1}, got {2**63} as the last one"
        assert (code, out, errors) == (2, "", f"train.py: error: argument --seeds: {message}\n")
    assert list(tmp_path.iterdir()) == [config]


def test_help_is_in_groups_with_defaults(inside: Inside) -> None:
    code, out, _ = inside("--help")
    assert code == 0
    for group in ("data:", "network:", "training:", "the run's files:", "this session:"):
        assert f"\n{group}\n" in out
    assert "(default: None)" not in out
    assert "passes over the training images (default: 30)" in " ".join(out.split())
    assert "--engine {manual,autograd,both}" in out
    assert "--nesterov, --no-nesterov" in out


def test_a_config_repeats_a_run(inside: Inside, tmp_path: Path) -> None:
    settings = "--lr", "0.07", "--no-nesterov", "--seed", "5", "--augment", "shift", "--label-smoothing", "0.1"
    _, first, _ = inside(*SHORT, *settings, "--out-dir", tmp_path / "first")
    _, again, _ = inside("--config", tmp_path / "first" / "config.json", "--out-dir", tmp_path / "again")
    assert first.splitlines()[2] == again.splitlines()[2]
    configs = [json.loads((tmp_path / run / "config.json").read_text()) for run in ("first", "again")]
    assert configs[0] == configs[1]
    assert (configs[0]["lr"], configs[0]["momentum"], configs[0]["nesterov"]) == (0.07, 0.9, False)


def test_the_command_line_goes_before_the_config(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"hidden": [8, 7], "epochs": 1, "activation": "tanh"}))
    code, out, _ = inside("--config", tmp_path / "config.json", "--activation", "sigmoid", "--hidden", "6")
    assert code == 0
    assert out.startswith("784-6-10, sigmoid")


def test_the_rates_of_a_config_are_not_another_optimizers(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"hidden": [8], "epochs": 1, "lr": 0.5, "momentum": 0.9}))
    code, _, errors = inside("--config", tmp_path / "config.json", "--optimizer", "Adam", "--out-dir", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (code, errors) == (0, "")
    assert (config["lr"], config["momentum"]) == (0.001, None)


def test_an_optimizer_of_torch_has_its_own_defaults(inside: Inside, tmp_path: Path) -> None:
    code, _, _ = inside(*SHORT, "--optimizer", "RMSprop", "--momentum", "0.5", "--out-dir", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert code == 0
    assert [config[name] for name in ("lr", "momentum", "weight_decay", "nesterov")] == [0.01, 0.5, 0, None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected JSON in"),
        ("[1]", "expected a JSON object of settings in"),
        ('{"learning_rate": 1}', "expected settings of a run in {path}, got 'learning_rate'"),
        ('{"out_dir": "x"}', "expected settings of a run in {path}, got 'out_dir'"),
        ('{"epochs": "many"}', "argument --epochs: expected a whole number of at least 1, got 'many'"),
        ('{"lr": [1]}', "argument --lr: expected a finite number of at least 0 and below 1e+38, got [1] in {path}"),
        ('{"lr": "0.1"}', "expected a finite number of at least 0 and below 1e+38, got '0.1' in {path}"),
        ('{"lr": 1e999}', "expected JSON in {path}"),
        ('{"lr": NaN}', "expected JSON in {path}"),
        ('{"hidden": true}', "--hidden: expected a list, each entry a whole number of at least 1, got True in {path}"),
        ('{"hidden": [8, 0]}', "--hidden: expected a list, each entry a whole number of at least 1, got [8, 0]"),
        ('{"nesterov": 3}', "argument --nesterov: expected true or false, got 3 in {path}"),
        ('{"lr": "--seeds=9"}', "argument --lr: expected a finite number"),
        ('{"lr": {"a": 1}}', "expected a finite number of at least 0 and below 1e+38, got {{'a': 1}} in {path}"),
        ('{"hidden": [[8]]}', "argument --hidden: expected a list, each entry a whole number of at least 1, got [[8]]"),
        ('{"epochs": 1.5}', "argument --epochs: expected a whole number of at least 1, got 1.5 in {path}"),
        ('{"epochs": true}', "argument --epochs: expected a whole number of at least 1, got True in {path}"),
        ('{"epochs": null}', "argument --epochs: expected a whole number of at least 1, got None in {path}"),
        (
            '{"seed": 9223372036854775808}',
            "--seed: expected a whole number of at least 0, got 9223372036854775808",
        ),
        ('{"threads": 1025}', "argument --threads: expected a whole number from 0 to 1024, got 1025 in {path}"),
        ('{"activation": "sigmod"}', "(choose from sigmoid, tanh, relu); did you mean sigmoid? in {path}"),
        ('{"activation": 1}', "argument --activation: expected one of sigmoid, tanh, relu, got 1 in {path}"),
        ('{"data_root": 1}', "argument --data-root: expected text, got 1 in {path}"),
        ('{"optimizer": ["Adam"]}', "argument --optimizer: expected text, got ['Adam'] in {path}"),
        ("[" * 100_000, "expected JSON in"),
    ],
)
def test_a_wrong_config_is_named(inside: Inside, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    code, out, errors = inside("--config", path)
    assert (code, out) == (1, "")
    assert message.format(path=path) in errors


@pytest.mark.parametrize(("name", "reason"), [("nowhere.json", "No such file or directory"), (".", "Is a directory")])
def test_a_missing_config_is_named(inside: Inside, tmp_path: Path, name: str, reason: str) -> None:
    path = tmp_path / name
    code, _, errors = inside("--config", path)
    assert code == 1
    assert errors == f"train.py: error: argument --config: expected a run's config.json at {path}: {reason}\n"
