"""Rivals learn what end-to-end training in one process learns."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from processes import in_processes
from tiny import example_files, tiny_recipe

from benchmarks.rivals.crew import Order, workers
from benchmarks.rivals.ways import WAYS, Way, end_to_end, sequential
from gleam.data.example import find
from gleam.data.loader import TrainingBatches
from gleam.errors import BadInput
from gleam.parallel.group import Group
from gleam.parallel.meeting import process_group
from gleam.recipe import Recipe

Weights = list[NDArray[np.floating]]


def learnt(way: Way) -> Weights:
    """Two steps further, from weights that let every layer learn (the last ones start at zero)."""
    noise = torch.Generator().manual_seed(0)
    weights = [p for module in way.modules for p in module.iterations.parameters()]
    with torch.no_grad():
        for p in weights:
            p += 0.05 * torch.randn(p.shape, generator=noise.manual_seed(p.numel()))
    for _ in way.steps(2, None):
        pass
    return [p.detach().numpy() for p in weights]


def learn(name: str, recipe: Recipe, share_data: bool) -> Weights:
    with process_group(1, 60.0) as group:
        share = (group.rank, group.world_size) if share_data else (0, 1)
        batches = TrainingBatches(find(recipe.data.train, 1), recipe.mask, 4, 0, share)
        return learnt(WAYS[name](recipe, batches.at(0), group))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


@pytest.fixture
def recipe(examples: Path) -> Recipe:
    recipe = tiny_recipe(examples, clip=1e-3)
    network = recipe.network.model_copy(update={"family": "pgd", "iterations": 4})
    return recipe.model_copy(update={"network": network})


def alone(recipe: Recipe) -> Weights:
    batches = TrainingBatches(find(recipe.data.train, 1), recipe.mask, 4, 0)
    return learnt(sequential(end_to_end(recipe), batches.at(0), Group()))


def assert_same(got: Weights, expected: Weights) -> None:
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6)


def test_backpropagation_in_a_pipeline_learns_from_the_whole_batch(recipe: Recipe) -> None:
    training = recipe.training.model_copy(update={"clip": None})  # each process knows its part
    first, second = in_processes(2, learn, "one_f_one_b", recipe, False)
    assert_same(first + second, alone(recipe.model_copy(update={"training": training})))


def test_data_parallelism_learns_from_the_batches_of_all(recipe: Recipe) -> None:
    one, other = in_processes(2, learn, "data_parallel", recipe, True)
    assert_same(one, alone(recipe))
    assert_same(other, one)


def test_end_to_end_is_a_recipe_whatever_it_is_made_of(recipe: Recipe) -> None:
    greedy = recipe.changed(training={"modules": 3, "overlap": 2, "loss_weights": "last"})
    for whole in (end_to_end(greedy), end_to_end(greedy, iterations=2)):
        assert Recipe.model_validate(whole.model_dump()) == whole
        assert len(whole.module_sizes()) == 1


def test_every_way_is_timed_on_two_processes_and_one_that_dies_is_said(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    greedy = recipe.changed(training={"modules": 4})
    with workers(greedy, 2) as crew:
        alone = crew.ask(Order("sequential", 1, alone=True))
        ours, backward, replicas = (
            crew.ask(Order(way, 1)) for way in ("pipeline", "one_f_one_b", "data_parallel")
        )
        capfd.readouterr()
        with pytest.raises(BadInput, match=r"a process ended while it was timed \(no_way, 1"):
            crew.ask(Order("no_way", 1))
    assert "no_way" in capfd.readouterr().err
    assert min(one.seconds for one in (alone, ours, backward, replicas)) > 0
    assert 0 < ours.states < alone.states
    assert replicas.activations > ours.activations  # every activation of all iterations
    image = 8 * 24 * 20  # of the largest example, complex64
    assert alone.sent < image / 2 < image < ours.sent < backward.sent  # gradients travel back
