"""One place chooses a device: what is asked for, what the environment says, what there is."""

import json
from pathlib import Path

import pytest
import torch
from tiny import example_files

from gleam.cli import main
from gleam.device import VARIABLE, choose, described
from gleam.errors import BadInput


def gpus(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("count", "environment", "said", "process", "device"),
    [
        (0, "", "auto", 0, "cpu"),
        (2, "", "auto", 0, "cuda:0"),
        (2, "", "auto", 3, "cuda:1"),  # more processes than GPUs: in turn
        (2, "", "cuda", 1, "cuda:1"),
        (2, "", "cuda:1", 0, "cuda:1"),
        (2, "", "cuda:0", 1, "cuda:0"),  # all of them on the one asked for
        (2, "", "cpu", 0, "cpu"),
        (2, "cpu", "auto", 0, "cpu"),
        (2, "cuda:1", "auto", 0, "cuda:1"),
        (2, "cpu", "cuda", 0, "cuda:0"),  # what is asked for goes before
        (0, "auto", "auto", 0, "cpu"),
    ],
)
def test_choice(
    count: int,
    environment: str,
    said: str,
    process: int,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpus(count, monkeypatch)
    monkeypatch.setenv(VARIABLE, environment)
    assert choose(said, process) == torch.device(device)


@pytest.mark.parametrize(
    ("count", "environment", "said", "says"),
    [
        (0, "", "cuda", "--device cuda: PyTorch can use no GPU here; give cpu"),
        (2, "", "cuda:2", "--device cuda:2: PyTorch can use GPUs 0 to 1 here; give one of them"),
        (2, "", "mps", "--device mps: is no device that GLEAM computes on; give auto, cpu"),
        (2, "", "cuda:-1", "--device cuda:-1: is no device"),
        (2, "", "cuda:", "--device cuda:: is no device"),
        (2, "", "", "--device : is no device"),
        (0, "tpu", "auto", "GLEAM_DEVICE tpu: is no device"),
        (0, "cuda:1", "auto", "GLEAM_DEVICE cuda:1: PyTorch can use no GPU"),
    ],
)
def test_refused_by_name(
    count: int, environment: str, said: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(count, monkeypatch)
    monkeypatch.setenv(VARIABLE, environment)
    with pytest.raises(BadInput) as error:
        choose(said)
    assert str(error.value).startswith(says)


def test_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Card {device.index + 1}")
    assert described(torch.device("cpu")) == "the CPU, 1 thread"
    assert described(torch.device("cuda", 1)) == "Card 2 (cuda:1)"


@pytest.mark.parametrize(
    "command",
    [
        ["reconstruct", "cg-sense", "scan.h5", "-o", "image.npy"],
        ["serve", "cg-sense", "--port", "0"],
        ["train", "--out", "run"],
        ["train", "--out", "run", "--devices", "2"],
        ["train", "--dry-run"],
        ["evaluate", "--data", "prepared"],
        ["compare", "recipe.yaml"],
    ],
)
@pytest.mark.parametrize("device", ["mps", "cuda:7"])
def test_every_verb_refuses_in_one_line(
    command: list[str],
    device: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gpus(0, monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text("compare: {test: {brains: prepared}}")
    assert main([*command, "--device", device]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"gleam: --device {device}: ")


def test_verbs_say_what_they_run_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = example_files(tmp_path, scans=1)
    evaluate = ["evaluate", "--data", str(examples), "--out", str(tmp_path / "scores")]
    assert main([*evaluate, "--mask.acceleration", "1.6", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == ["evaluating on the CPU, 1 thread"]
    json.loads(said.out)
    scan, image = str(tmp_path / "scans" / "scan-0.h5"), str(tmp_path / "image.npy")
    assert main(["reconstruct", "zero-filled", scan, "-o", image, "--json"]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == ["reconstructing on the CPU, 1 thread"]
    json.loads(said.out)
