"""CUDA graphs on a GPU: to the bit what launching does. On a CPU, where a stand-in records, too."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from recorders import Again, Failing
from stepping import RUNS, equal, learner_of, learnt, recipe_of, toy_batch
from torch import Tensor

from gleam.data.batch import Batch
from gleam.training.graph import CudaRecorder, Recorder
from gleam.training.loss import l1
from gleam.training.plateau import Plateau

pytestmark = pytest.mark.cuda

ORDER = "AAABBABDDADBAC"


@pytest.fixture
def recorder(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Of the device, whose convolutions repeat themselves to the bit."""
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    return CudaRecorder(device) if device.type == "cuda" else Again()


def batches_of(kind: str, shapes: str = ORDER) -> list[Batch]:
    return [toy_batch(kind, shape, number) for number, shape in enumerate(shapes)]


@pytest.mark.parametrize("storage", ["store", "checkpoint"])
@pytest.mark.parametrize("kind", ["2D", "2D+t", "3D"])
@pytest.mark.parametrize("network", [
    {"family": "modl"}, {"family": "pgd"}, {"family": "reversible"},
    {"family": "pgd", "regulariser": {"kind": "unet"}},
], ids=["modl", "pgd", "reversible", "unet"])  # fmt: skip
def test_families_dimensions_and_storages(
    network: dict[str, Any], kind: str, storage: str, recorder: Recorder, device: torch.device
) -> None:
    recipe, batches = recipe_of((network, kind, {"storage": storage})), batches_of(kind)
    losses, weights = learnt(learner_of(recipe, recorder, device), batches, spoiled=False)
    expected_losses, expected = learnt(learner_of(recipe, None, device), batches)
    assert equal(losses, expected_losses)
    assert equal(weights, expected)


@pytest.mark.parametrize("name", ["MoDL, bf16, no clipping", "PGD, cine, SSIM", "momentum"])
def test_steps_after_validation(name: str, recorder: Recorder, device: torch.device) -> None:
    recipe, batches = recipe_of(RUNS[name]), batches_of(RUNS[name][1])
    learner, launched = (learner_of(recipe, one, device) for one in (recorder, None))
    for _ in range(2):
        assert equal(learnt(learner, batches, spoiled=False)[1], learnt(launched, batches)[1])
        assert learner.validate(batches) == launched.validate(batches)
    assert learner.graphs.recording


def test_modules_that_stop_are_recorded_anew(recorder: Recorder, device: torch.device) -> None:
    """Whatever was recorded is forgotten by then, and the pool of all graphs still takes more."""
    recipe, batches = recipe_of(RUNS["MoDL"]), batches_of("2D", "A" * 14)
    learner, launched = (learner_of(recipe, one, device) for one in (recorder, None))
    for one in (learner, launched):
        for number, warmup in enumerate((3, 8)):
            watch = Plateau(1, 0.999, warmup)
            one.modules[number] = replace(one.modules[number], plateau=watch)
    for t, batch in enumerate(batches):
        losses, expected = (one.step(batch.to(device), t) for one in (learner, launched))
        assert losses.keys() == expected.keys()
        assert equal([*losses.values()], [*expected.values()])
    assert learner.stopped == launched.stopped == {0: 5, 1: 10}
    assert equal([*learner.network.parameters()], [*launched.network.parameters()])
    assert learner.graphs.recording


def test_a_loss_that_waits_is_launched(
    recorder: Recorder, device: torch.device, capsys: pytest.CaptureFixture[str]
) -> None:
    def waiting(image: Tensor, target: Tensor) -> Tensor:
        error = l1(image, target)
        return error if error.item() >= 0 else -error

    recipe, batches = recipe_of(RUNS["MoDL"]), batches_of("2D", "AAAABBB")
    failing = recorder if device.type == "cuda" else Failing(0)
    learner, launched = (learner_of(recipe, one, device) for one in (failing, None))
    learner.loss = waiting
    weights = learnt(learner, batches, spoiled=False)[1]
    assert equal(weights, learnt(launched, batches)[1])
    assert not learner.graphs.recording
    assert capsys.readouterr().err.count("a step cannot be recorded") == 1
