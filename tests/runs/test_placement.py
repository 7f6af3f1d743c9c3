"""Everything is made or loaded where the network computes, shown by a device that is not the CPU.

PyTorch's `meta` device stands for an accelerator: its tensors hold no values, and mixing them with
the CPU's fails, as a GPU's would.
"""

import shutil
from pathlib import Path

import pytest
import torch
from tiny import example_files, tiny_recipe
from toys import toy_measurement, toy_network, toy_sense

from gleam import precision
from gleam.parallel.group import Group
from gleam.parallel.placement import ONE_PROCESS
from gleam.recipe import Recipe
from gleam.runs import assembly, setup
from gleam.runs import folder as run_folder
from gleam.runs.stages import grown, polished
from gleam.runs.train import train
from gleam.training.adam import Adam
from gleam.training.flow import train_step
from gleam.training.greedy import greedy
from gleam.training.loss import l1
from gleam.training.module import GreedyModule

META = torch.device("meta")


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"), scans=1)


@pytest.fixture(scope="module")
def trained(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    train(tiny_recipe(examples, steps=2), folder, quiet=True)
    return folder


@pytest.fixture(autouse=True)
def an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """What PyTorch is asked about a GPU and cannot be about `meta`."""
    monkeypatch.setattr(precision, "name", lambda *_: "fp32")
    # PyTorch reads a rate that lies on the device when it makes an optimizer.
    monkeypatch.setattr(
        assembly, "recordable", lambda weights, rate, scalars: Adam(weights, lr=rate)
    )


def prepared(recipe: Recipe, folder: Path, resume: bool = False) -> list[GreedyModule]:
    """The modules of a run on another device, ready to go on."""
    group = Group(device=META)
    made = setup.prepare(recipe, folder, resume, True, ONE_PROCESS, group, force=False)
    return [*made.learner.modules]


def states(module: GreedyModule) -> dict[str, torch.Tensor]:
    """What its optimizer keeps of its weights, by name."""
    kept = {}
    for name, weight in module.iterations.named_parameters():
        kept |= {f"{name} {key}": value for key, value in module.optimizer.state[weight].items()}
    return kept


@pytest.mark.parametrize("stage", ["resumed", "grown", "polished", "restarted"])
def test_weights_and_optimizers_are_on_the_device(
    stage: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, folder = run_folder.load_recipe(trained), tmp_path / "run"
    if stage in ("resumed", "restarted"):
        shutil.copytree(trained, folder)
        if stage == "restarted":  # by torchrun, for another attempt
            monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
        modules = prepared(recipe.lasting(4), folder, resume=True)
        assert all(states(module) for module in modules)
    elif stage == "grown":
        modules = prepared(grown(recipe, trained, 2), folder)
    else:
        modules = prepared(polished(recipe, trained, 2), folder)
    for module in modules:
        assert {*module.weights} == {*module.iterations.parameters()}
        assert {weight.device for weight in module.weights} == {META}
        assert {state.device for state in states(module).values()} <= {META}


STORAGES = ["store", "checkpoint", "invert"]


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("family", ["modl", "pgd", "reversible"])
def test_a_step_stays_on_its_device_and_waits_for_no_value(family: str, storage: str) -> None:
    """To ask a tensor on `meta` for its values fails; a GPU would have to be waited for."""
    if storage == "invert" and family != "reversible":
        pytest.skip("cannot be undone")
    network = toy_network(family, 3).to(META)
    measurement, target = toy_measurement(toy_sense())
    measurement, target = measurement.to(META), target.to(META)
    modules = greedy(network.iterations, 2, optimizer=Adam, storage=storage)
    for step in range(2):
        state = network.start(measurement)
        losses = train_step(
            modules, state, measurement, target, lambda s, t: l1(network.image(s), t), step
        )
    assert {loss.device for loss in losses.values()} == {META}
    with torch.no_grad():
        images = list(network.iterates(measurement))
    assert {image.device for image in images} == {META}


def test_a_step_with_a_tensor_left_on_the_cpu_fails() -> None:
    network = toy_network("pgd", 2).to(META)
    measurement, _ = toy_measurement(toy_sense())
    with pytest.raises(RuntimeError):
        network(measurement)
