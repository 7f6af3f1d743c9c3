"""Recorded steps against launched ones, to the bit; on a CPU a stand-in records."""

import weakref
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from recorders import Again, Failing, Host
from stepping import ORDER, RUNS, Delayed, Sending, equal, learner_of, learnt, recipe_of, toy_batch
from torch import Tensor, nn
from toys import toy_measurement, toy_network, toy_sense

from gleam.arrays import narrow
from gleam.data.batch import Batch, Slab
from gleam.networks import Unrolled, build
from gleam.parallel.neighbours import Alone
from gleam.physics.prediction import HeldOut
from gleam.physics.sense import Sense
from gleam.physics.slabs import Slabbed
from gleam.recipe import Recipe
from gleam.training.flow import train_step
from gleam.training.graph import (
    EAGER,
    CudaRecorder,
    Graphs,
    ReplayedIterations,
    graphable,
    recorder,
)
from gleam.training.greedy import greedy
from gleam.training.loss import LOSSES

EACH = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


@EACH
def test_replayed_steps_are_launched_ones(run):
    recipe = recipe_of(run)
    batches = [toy_batch(run[1], shape, number) for number, shape in enumerate(ORDER)]
    standin = Again()
    losses, weights = learnt(learner_of(recipe, standin), batches)
    expected_losses, expected = learnt(learner_of(recipe, None), batches)
    assert equal(losses, expected_losses)
    assert equal(weights, expected)
    recorded = sum(ORDER.count(shape) > EAGER for shape in "ABCD")
    assert recorded == 3
    assert standin.recorded == recorded * len(recipe.module_sizes())


@EACH
def test_units_touch_no_memory_of_the_host(run):
    """On `meta`, which stands for a GPU: to copy from the host, a unit would have to wait."""
    recipe, batch = recipe_of(run), toy_batch(run[1], "A", 0).to("meta")
    network = build(recipe.network).to("meta")
    storage, loss = recipe.training.storage, LOSSES[recipe.training.loss]
    sgd = partial(torch.optim.SGD, foreach=False)  # fused Adam has no `meta`
    modules = greedy(network.iterations, 2, optimizer=sgd, storage=storage, clip=1.0)
    state = network.start(batch.measurement)
    with Host() as host:
        train_step(modules, state, batch.measurement, batch.target, on_image(network, loss))
    assert host.touched == set()
    with host:
        batch.target * torch.tensor(2.0)
    assert host.touched


def on_image(network: Unrolled, loss: Callable[[Tensor, Tensor], Tensor]) -> Any:
    return lambda state, target: loss(network.image(state), target)


def test_learning_rates_stay_where_they_are():
    """What was recorded reads them there."""
    learner = learner_of(recipe_of(RUNS["MoDL, two rates"]), None)
    rates = [[g["lr"] for g in module.optimizer.param_groups] for module in learner.modules]
    for t in range(2):
        learner.step(toy_batch("2D", "A", t), t)
        for (first, second), module in zip(rates, learner.modules, strict=True):
            groups = module.optimizer.param_groups
            assert groups[0]["lr"] is first
            assert groups[1]["lr"] is second
            assert first.item() == pytest.approx(module.schedule(t))
            assert second.item() == pytest.approx(30 * module.schedule(t))


def test_an_average_comes_between_two_units():
    recipe = recipe_of(RUNS["MoDL"])
    batches = [toy_batch("2D", shape, number) for number, shape in enumerate(ORDER)]
    standin = Again(lambda: learner.network.parameters())
    learner = learner_of(recipe, standin, neighbours=Delayed())
    losses, weights = learnt(learner, batches)
    expected_losses, expected = learnt(learner_of(recipe, None, neighbours=Delayed()), batches)
    assert equal(losses, expected_losses)
    assert equal(weights, expected)
    assert standin.recorded == 3 * 2 * 2
    assert not equal(expected_losses, learnt(learner_of(recipe, None), batches)[0])


def test_what_is_sent_on_stays_as_it_is():
    recipe = recipe_of(RUNS["MoDL"])
    batches = [toy_batch("2D", "A", number) for number in range(EAGER + 2)]
    sending, expected = Sending(), Sending()
    learnt(learner_of(recipe, Again(), neighbours=sending), batches)
    learnt(learner_of(recipe, None, neighbours=expected), batches)
    assert equal(sending.sent, expected.sent)


def without_target(number: int) -> Batch:
    """Samples of the same scan, which its own mask leaves out, are to be predicted."""
    batch = toy_batch("2D", "A", number)
    sense = batch.measurement.sense
    other = Sense(sense.maps, ~sense.mask, sense.axes)
    return replace(batch, target=None, heldout=HeldOut(other, other.forward(batch.target)))


def test_samples_to_be_predicted_are_copied_into_buffers_too():
    recipe, standin = recipe_of(RUNS["MoDL"]), Again()
    batches = [without_target(number) for number in range(5)]
    losses, weights = learnt(learner_of(recipe, standin), batches)
    expected_losses, expected = learnt(learner_of(recipe, None), batches)
    assert equal(losses, expected_losses)
    assert equal(weights, expected)
    assert standin.recorded == 2


def slabs(number: int, first: int) -> Batch:
    """A slab of a volume, whose core begins at `first`."""
    slab = Slab(-1, range(10 + first, 13 + first), range(10, 15))
    return replace(toy_batch("3D", "B", number), cores=[slab])


def test_slabs_differ_by_where_their_cores_lie():
    recipe = recipe_of(RUNS["PGD, U-Net, volume, checkpoint"])
    batches = [slabs(number, number % 2) for number in range(7)]
    standin = Again()
    _, weights = learnt(learner_of(recipe, standin), batches)
    assert equal(weights, learnt(learner_of(recipe, None), batches)[1])
    assert standin.recorded == 2 * 2


def test_validation_between_steps():
    recipe = recipe_of(RUNS["MoDL"])
    batches = [toy_batch("2D", "AB"[number % 2], number) for number in range(6)]
    learner, expected = learner_of(recipe, standin := Again()), learner_of(recipe, None)
    for _ in range(2):
        assert equal(learnt(learner, batches)[1], learnt(expected, batches)[1])
        scores = learner.validate(batches)
        assert scores == expected.validate(batches)
        assert all(torch.isfinite(torch.tensor(scores)))
    assert standin.recorded == 2 * 2 + 2 * 2


def test_the_shape_not_met_for_longest_is_dropped():
    graphs, standin = Graphs(spy := Again(), most=2), spy
    met = "AAABBBABCCCBA"  # with C, A goes; with A, B (C was met before, but after it B)
    for shape in met:
        (state,), unit = graphs.ready((torch.ones(ord(shape)),))
        torch.testing.assert_close(unit("double", lambda state=state: 2 * state), 2 * state)
    assert len(graphs._shapes) == 2
    assert standin.recorded == 3
    assert [key[0][0][0][0] for key in graphs._shapes] == [ord("B"), ord("A")]


class Capture:
    """Torch's own capture, as far as a pool goes: without a graph that lives it takes no other."""

    def __init__(self, living: weakref.WeakSet[Any], graph: Any) -> None:
        self.living, self.graph = living, graph

    def __enter__(self) -> None:
        assert self.living, "use_count > 0"

    def __exit__(self, *error: object) -> None:
        self.living.add(self.graph)


def test_the_pool_of_graphs_outlives_all_that_are_forgotten(monkeypatch):
    class Graph:
        def replay(self) -> None:
            pass

    first = Graph()
    living = weakref.WeakSet([first])
    for name in ("device", "Stream", "graph_pool_handle", "current_stream", "set_stream"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, *_, **more: Capture(living, graph))
    graphs = Graphs(CudaRecorder(torch.device("cpu")))
    for _ in range(3):
        for _ in range(EAGER + 2):
            _, unit = graphs.ready((torch.ones(2),))
            unit("one", lambda: torch.ones(2))
            unit("two", lambda: torch.ones(2))
        first = unit = None  # from here on, all that live are the recorder's
        graphs.forget()
        assert len(living) == 1


@pytest.mark.parametrize(
    ("at", "neighbours"), [(0, Alone), (3, Alone), (0, Delayed), (1, Delayed), (7, Delayed)]
)
def test_where_recording_fails_steps_are_launched(at, neighbours, capsys):
    recipe = recipe_of(RUNS["MoDL"])
    batches = [toy_batch("2D", shape, number) for number, shape in enumerate("AAABAABBB")]
    failing = Failing(at, lambda: learner.network.parameters())
    learner = learner_of(recipe, failing, neighbours=neighbours())
    _, weights = learnt(learner, batches)
    assert failing.recorded == at
    launched = learner_of(recipe, None, neighbours=neighbours())
    assert equal(weights, learnt(launched, batches)[1])
    assert capsys.readouterr().err == (
        "gleam: warning: CUDA graphs: a step cannot be recorded, so each is launched anew "
        "(operation not permitted when stream is capturing)\n"
    )


def test_a_unit_that_fails_halfway_is_run_again_as_if_nothing_had_been():
    """As with CUDA: nothing was done when the loss asks for what is not there yet."""
    recipe = recipe_of(RUNS["MoDL"])
    batches = [toy_batch("2D", "A", number) for number in range(EAGER + 2)]
    recording = False

    def waiting(work: Callable[[], None]) -> Callable[[], None]:
        nonlocal recording
        recording = True
        for weight in learner.modules[0].weights:
            weight.grad = torch.ones_like(weight)
        work()
        raise AssertionError("it fails before")

    def loss(image: Tensor, target: Tensor) -> Tensor:
        nonlocal recording
        recording, before = False, recording
        if before:
            raise RuntimeError("it waits")
        return LOSSES["l1"](image, target)

    learner, launched = learner_of(recipe, waiting), learner_of(recipe, None)
    learner.loss = loss
    assert equal(learnt(learner, batches)[1], learnt(launched, batches)[1])
    assert not any(weight.grad is not None for weight in learner.network.parameters())


@torch.no_grad()
def test_whoever_calls_replayed_iterations_has_states_of_their_own():
    network, standin = toy_network(iterations=2), Again()
    call = ReplayedIterations(Graphs(standin))
    for number in range(0, 6, 2):
        several = [toy_batch("2D", "A", number + n).measurement for n in range(2)]
        replayed = (network.iterates_from(network.first(m), m, call) for m in several)
        images = [image for pair in zip(*replayed, strict=True) for image in pair]
        launched = map(network.iterates, several)
        expected = [image for pair in zip(*launched, strict=True) for image in pair]
        assert equal(images, expected)
    assert standin.recorded == 2


@torch.no_grad()
def test_slabs_of_a_volume_are_replayed():
    network, standin = toy_network(iterations=2, dimensions=3, family="pgd"), Again()
    whole, _ = toy_measurement(toy_sense((12, 6, 5), (-2, -1), batch=1))

    def maps(positions: range) -> Tensor:
        return narrow(whole.sense.maps, -3, positions)

    volume = Slabbed(maps, whole.mask, whole.axes, -3, 2, whole.adjoint, whole.noise)
    replayed = network.iterates_from(
        network.first(volume), volume, ReplayedIterations(Graphs(standin))
    )
    assert equal([*replayed], [*network.iterates(volume)])
    assert standin.recorded > 0


class Remembering(nn.Module):
    """A block that keeps a tensor from one call to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))
        self.kept: Tensor | None = None

    def forward(self, state: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = 2 * torch.ones(3)
        return state * self.factor * self.kept


@pytest.mark.parametrize("before", [True, False])
def test_the_stand_in_notices_what_lives_in_the_pool(before):
    block = Remembering()
    modules = greedy([block], 1, optimizer=torch.optim.SGD)
    graphs = Graphs(Again())
    for step in range(EAGER + 2):
        if step == EAGER and not before:
            block.kept = None  # is made by a unit that is recorded
        (state, target), unit = graphs.ready((torch.ones(3), torch.zeros(3)))
        losses = train_step(modules, state, None, target, nn.functional.l1_loss, unit=unit)
    assert bool(losses[0].isnan()) is not before


NOT_RECORDED: dict[str, dict[str, Any]] = {
    "training.graph": {"training": {"graph": "never"}},
    "training.overlap": {"training": {"modules": 2, "overlap": 1}},
    "training.storage": {"training": {"storage": "offload"}},
    "training.maps": {"training": {"maps": "host"}},
    "network.cg_tolerance": {"network": {"cg_tolerance": 1e-3}},
    "network.build": {"network": {"family": "python", "build": "mynet:make"}},
}


@pytest.mark.parametrize("why", NOT_RECORDED)
def test_some_recipes_are_not_recorded(why):
    reason = graphable(Recipe.model_validate(NOT_RECORDED[why]))
    assert reason is not None
    assert reason.startswith(why)


def test_others_are_where_there_is_a_gpu():
    assert graphable(Recipe()) is None
    assert recorder(Recipe(), torch.device("cpu")) is None
