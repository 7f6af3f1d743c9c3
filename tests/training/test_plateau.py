"""Modules that stop when their loss has flattened: when that is, and what still runs of them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from recorders import Again
from stepping import RUNS, Delayed, Sending, equal, learner_of, learnt, recipe_of, toy_batch
from torch import Tensor, nn

from gleam.data.batch import Batch
from gleam.runs.learner import Learner
from gleam.training.flow import train_step
from gleam.training.graph import EAGER
from gleam.training.greedy import greedy
from gleam.training.idle import Idle
from gleam.training.plateau import Plateau


def stops_at(losses: Sequence[float], plateau: Plateau) -> int | None:
    said = [plateau.add(torch.tensor(loss), step) for step, loss in enumerate(losses, 1)]
    assert said == [plateau.since == step for step in range(1, len(losses) + 1)]
    return plateau.since


@pytest.mark.parametrize(
    ("losses", "warmup", "since"),
    [
        ([4, 2, 2, 1, 1, 0.5], 0, None),
        ([4, 2, 2.99, 3], 0, 4),  # by a sixth of a percent
        ([4, 2, 2.9, 3], 0, None),  # by 1.7 %
        ([4, 2, 1, 1, 2, 3], 0, 6),
        ([4, 2, 5, 0.5, 1, 1], 0, None),  # one loss says nothing
        ([4, 4, 4, 4, 2, 2, 2], 0, 4),
        ([4, 4, 4, 2, 2, 2, 2], 3, 7),  # the rate was low
        ([4, 4, 4], 0, None),
        ([float("nan")] * 6, 0, None),  # which ends the training otherwise
    ],
)
def test_stops_where_the_mean_of_a_window_is_not_below_that_of_the_one_before(
    losses: list[float], warmup: int, since: int | None
) -> None:
    losses = losses[: since or len(losses)]
    assert stops_at(losses, Plateau(2, 0.01, warmup)) == since


def test_goes_on_from_its_state_to_the_bit() -> None:
    losses = [0.1 * 0.97**k for k in range(12)]
    for cut in range(len(losses)):
        whole, first, second = (Plateau(3, 0.08, 1) for _ in range(3))
        stops_at(losses, whole)
        stops_at(losses[:cut], first)
        second.restore(first.state())
        for step, loss in enumerate(losses[cut:], cut + 1):
            second.add(torch.tensor(loss), step)
        assert {name: value.item() for name, value in second.state().items()} == {
            name: value.item() for name, value in whole.state().items()
        }
    stopped = Plateau(1, 0.5)
    stops_at([1, 1], stopped)
    again = Plateau(1, 0.5)
    again.restore(stopped.state())
    assert again.since == 2


# A plateau that any loss is on: the module stops with its second update.
SECOND = partial(Plateau, 1, 0.999)
STORED = {
    "store": "MoDL",
    "checkpoint": "PGD, U-Net, volume, checkpoint",
    "invert": "reversible, inverted",
    "momentum": "momentum",
}
RUNS_HERE = RUNS | {
    "reversible, inverted": ({"family": "reversible"}, "2D", {"storage": "invert"}),
}  # fmt: skip


def three_modules(name: str) -> tuple[Learner, list[Batch]]:
    network, kind, training = RUNS_HERE[name]
    recipe = recipe_of((network | {"iterations": 3}, kind, training | {"modules": 3}))
    return learner_of(recipe, None), [toy_batch(kind, "A", number) for number in range(5)]


def watched(learner: Learner, *numbers: int) -> Learner:
    """With these modules stopping after two updates."""
    for number in numbers:
        learner.modules[number] = replace(learner.modules[number], plateau=SECOND())
    return learner


def weights_of(learner: Learner, number: int) -> list[Tensor]:
    return [p.detach().clone() for p in learner.modules[number].iterations.parameters()]


@pytest.mark.parametrize("name", STORED.values(), ids=STORED)
def test_a_stopped_module_stays_as_it_is_and_those_before_learn_as_ever(name: str) -> None:
    (one, batches), (other, _) = three_modules(name), three_modules(name)
    watched(other, 1)
    for t, batch in enumerate(batches):
        expected = one.step(batch, t)
        losses = other.step(batch, t)
        if t < 2:
            assert losses == expected
            then = weights_of(other, 1)
        else:
            assert losses.keys() == {0, 2}
            assert losses[0] == expected[0]
        assert other.stopped == ({1: 2} if t >= 1 else {})
    assert equal(weights_of(other, 0), weights_of(one, 0))
    assert equal(weights_of(other, 1), then)
    assert not equal(weights_of(other, 1), weights_of(one, 1))
    assert not equal(weights_of(other, 2), weights_of(one, 2))  # it has another input
    assert not other.modules[1].optimizer.state
    assert all(p.grad is None for p in other.network.parameters())


def test_a_stopped_module_has_no_backward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    backward, passes = torch.autograd.backward, []
    monkeypatch.setattr(
        torch.autograd, "backward", lambda *a, **k: passes.append(1) or backward(*a, **k)
    )
    learner, batches = three_modules("MoDL")
    watched(learner, 0, 2)
    each = []
    for t, batch in enumerate(batches):
        passes.clear()
        learner.step(batch, t)
        each.append(len(passes))
    assert each == [3, 3, 1, 1, 1]


def test_nothing_is_kept_for_a_backward_pass_of_a_stopped_module() -> None:
    def step(state: Tensor) -> Tensor:
        seen.append(torch.is_grad_enabled())
        return weight * state

    seen: list[bool] = []
    weight = nn.Parameter(torch.ones(3))
    block = nn.Module()
    block.weight, block.forward = weight, step  # type: ignore[method-assign]
    (module,) = greedy([block], 1, optimizer=partial(torch.optim.SGD, lr=0.1))
    module = replace(module, plateau=Plateau(1, 0.5, since=0))
    sent: list[Tensor] = []
    losses = train_step(
        [module], torch.ones(3), None, torch.zeros(3), nn.functional.mse_loss, send=sent.append
    )
    assert losses == {}
    assert seen == [False]
    assert len(sent) == 1
    assert not sent[0].requires_grad


def test_replayed_steps_are_launched_ones() -> None:
    recipe, standin = recipe_of(RUNS["MoDL"]), Again()
    batches = [toy_batch("2D", "A", number) for number in range(9)]
    recorded, launched = learner_of(recipe, standin), learner_of(recipe, None)
    for learner in (recorded, launched):
        five = Plateau(1, 0.999, 3)
        learner.modules[0] = replace(learner.modules[0], plateau=five)
    losses, expected = ([*map(one.step, batches, range(9))] for one in (recorded, launched))
    assert losses == expected
    assert [len(one) for one in losses] == [2] * 5 + [1] * 4
    assert equal([*recorded.network.parameters()], [*launched.network.parameters()])
    assert standin.recorded == 2 * 2  # anew, as the first module is another unit
    assert recorded.stopped == {0: 5}
    assert EAGER == 2


def test_a_step_is_replayed_where_nothing_learns() -> None:
    sending, expected = Sending(), Sending()
    batches = [toy_batch("2D", "A", number) for number in range(6)]
    recorded = learner_of(recipe_of(RUNS["MoDL"]), Again(), neighbours=sending)
    launched = learner_of(recipe_of(RUNS["MoDL"]), None, neighbours=expected)
    for learner in (recorded, launched):
        watched(learner, 0, 1)
        for t, batch in enumerate(batches):
            losses = learner.step(batch, t)
        assert losses == {}
    assert equal(sending.sent, expected.sent)


def test_means_are_those_of_all_replicas() -> None:
    """Losses are averaged while the next module is computed, and not before."""
    batches = [toy_batch("2D", "A", number) for number in range(3)]
    learner = learner_of(recipe_of(RUNS["MoDL"]), None, neighbours=Delayed())
    for number in range(2):
        watch = Plateau(10, 0.01)
        learner.modules[number] = replace(learner.modules[number], plateau=watch)
    losses, _ = learnt(learner, batches)
    means = [module.plateau.total for module in learner.modules if module.plateau]
    assert equal(means, [*torch.stack(losses).double().sum(0)])


def test_idle_modules_stop_too(tmp_path: Path) -> None:
    """They lie elsewhere, and no optimizer state comes with them any more."""
    recipe = recipe_of(RUNS["MoDL"])
    batches = [toy_batch("2D", "A", number) for number in range(5)]
    stays, goes = learner_of(recipe, None), learner_of(recipe, None)
    idle = Idle(torch.device("cpu"), tmp_path)
    for iteration in goes.network.iterations:
        idle.take(iteration)
    goes.modules = idle.turns(goes.modules)
    for learner in (stays, goes):
        watched(learner, 0)
    losses, expected = ([*map(one.step, batches, range(5))] for one in (goes, stays))
    assert losses == expected
    assert goes.stopped == {0: 2}
    assert equal([*goes.network.parameters()], [*stays.network.parameters()])
    turn = goes.modules[0].turn
    assert len(turn.held()) == len([*goes.modules[0].iterations.parameters()])  # type: ignore[attr-defined]
