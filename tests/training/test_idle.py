"""Modules that are not at work lie elsewhere, and learn the same to the bit."""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from ends import assert_same_end
from stepping import RUNS, Delayed, equal, learnt, recipe_of, toy_batch
from streams import Stream, Streams, install
from tiny import example_files, tiny_recipe
from torch import Tensor, nn

from gleam.errors import BadInput, Unwritable
from gleam.networks import build
from gleam.networks.weights import weights_of
from gleam.recipe import Recipe
from gleam.runs import checkpoint
from gleam.runs import folder as run_folder
from gleam.runs.assembly import fresh_learner
from gleam.runs.learner import Learner
from gleam.runs.stages import grown
from gleam.runs.train import train
from gleam.training import homes
from gleam.training.flow import train_step
from gleam.training.graph import graphable
from gleam.training.greedy import greedy
from gleam.training.idle import Away, Idle, idle_at
from gleam.training.turn import STAYS

CPU = torch.device("cpu")
OTHERS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "overlap": ({"family": "pgd", "iterations": 3}, "2D", {"modules": 3, "overlap": 1}),
    "last loss alone": (
        {"family": "pgd"}, "2D", {"overlap": 1, "loss_weights": "last", "storage": "checkpoint"},
    ),
    "invert": ({"family": "reversible", "iterations": 4}, "2D", {"storage": "invert"}),
}  # fmt: skip
EACH_RUN = pytest.mark.parametrize(
    "scheme", [*RUNS.values(), *OTHERS.values()], ids=[*RUNS, *OTHERS]
)


def resident(where: str) -> int:
    """Bytes of this process's memory, as the system counts them."""
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith(where))
    return int(line.split()[1]) * 1024


def learner(recipe: Recipe, where: str | Path, **others: Any) -> Learner:
    made = fresh_learner(recipe.changed(training={"idle": where}), CPU)
    for name, value in others.items():
        setattr(made, name, value)
    return made


def same_learnt(recipe: Recipe, kind: str, where: str | Path, **others: Any) -> Learner:
    """Losses, weights and validation of idle modules are those of modules that stay."""
    batches = [toy_batch(kind, "A", number) for number in range(3)]
    made, plain = learner(recipe, where, **others), learner(recipe, "device", **others)
    assert equal(learnt(plain, batches)[0], learnt(made, batches)[0])
    assert all(isinstance(module.turn, Away) for module in made.modules)
    assert made.validate(batches[:1]) == plain.validate(batches[:1])
    assert equal([*plain.network.parameters()], [*made.network.parameters()])
    return made


@EACH_RUN
def test_in_files_modules_learn_the_same(
    scheme: tuple[dict[str, Any], str, dict[str, Any]], tmp_path: Path
) -> None:
    same_learnt(recipe_of(scheme), scheme[1], tmp_path)
    assert not list(tmp_path.iterdir())  # files have no names


def test_in_files_gradients_may_be_averaged_while_the_next_module_works(tmp_path: Path) -> None:
    recipe = recipe_of(({"family": "pgd", "iterations": 3}, "2D", {"modules": 3}))
    same_learnt(recipe, "2D", tmp_path, neighbours=Delayed())


@pytest.mark.cuda
@pytest.mark.parametrize("scheme", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("where", ["host", "folder"])
def test_on_a_gpu_modules_learn_the_same(
    scheme: tuple[dict[str, Any], str, dict[str, Any]],
    where: str,
    device: torch.device,
    tmp_path: Path,
) -> None:
    recipe = recipe_of(scheme).changed(training={"graph": "never", "deterministic": True})
    batches = [toy_batch(scheme[1], "A", number) for number in range(4)]
    place = tmp_path if where == "folder" else where
    made = fresh_learner(recipe.changed(training={"idle": place}), device)
    plain = fresh_learner(recipe, device)
    close = partial(torch.allclose, rtol=1e-4, atol=1e-6)  # kernels may not repeat themselves
    for some, others in zip(learnt(plain, batches), learnt(made, batches), strict=True):
        assert all(map(close, some, others))
    assert made.validate(batches[:1]) == pytest.approx(plain.validate(batches[:1]), abs=1e-2)
    if device.type == "cuda":
        assert all(weight.device.type == "cpu" for weight in made.network.parameters())


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    made = install(monkeypatch)
    with made:
        yield made


@EACH_RUN
def test_beside_a_gpu_modules_learn_the_same(
    scheme: tuple[dict[str, Any], str, dict[str, Any]], streams: Streams
) -> None:
    same_learnt(recipe_of(scheme), scheme[1], "host")
    assert streams.told[streams.going]  # or memory would be given away while it is sent


def test_beside_a_gpu_files_serve_as_well(
    streams: Streams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = homes.Homes.of

    def noted(places: homes.Homes, tensors: Sequence[Tensor]) -> list[Tensor]:
        made = of(places, tensors)
        streams.pinned |= {one.data_ptr() for one in made}
        return made

    monkeypatch.setattr(homes.Homes, "of", noted)
    same_learnt(recipe_of(RUNS["MoDL"]), "2D", tmp_path)


@pytest.mark.parametrize("who", ["computing", "coming", "going"])
def test_who_does_not_wait_is_seen(
    who: str, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(RUNS["MoDL"])
    batches = [toy_batch("2D", "A", number) for number in range(3)]
    waits = Stream.wait_stream

    def forgetful(stream: Stream, other: Stream) -> None:
        if stream is not getattr(streams, who):
            waits(stream, other)

    monkeypatch.setattr(Stream, "wait_stream", forgetful)
    if who == "going":
        with pytest.raises(AssertionError, match="sent before it is computed"):
            learnt(learner(recipe, "host"), batches)
    else:
        made = learner(recipe, "host")
        made.modules = made.modules[:1]
        monkeypatch.setattr(Stream, "synchronize", lambda stream: None)
        losses, _ = learnt(made, batches)
        assert any(one.isnan().any() for one in losses)


def test_who_reads_at_home_finds_what_was_learnt(streams: Streams) -> None:
    made = learner(recipe_of(RUNS["MoDL"]), "host")
    made.step(toy_batch("2D", "A", 0), 0)
    assert not streams.going.late
    assert all(weight.isfinite().all() for weight in made.network.parameters())


def test_no_more_than_two_modules_are_on_the_device(streams: Streams) -> None:
    recipe = recipe_of(({"family": "pgd", "iterations": 6}, "2D", {"modules": 6}))
    made = learner(recipe, "host")
    turns = [module.turn for module in made.modules]
    lodging = turns[0].idle.lodging
    seen = []

    def there(turn: Away) -> bool:
        tensors = turn.held()
        known = [(one, lodging._homes.known(one)) for one in tensors]
        return any(one in lodging._coming or homes._is_at(one, at) is False for one, at in known)

    for module in made.modules:
        update = module.optimizer.step

        def noted(*given: Any, update: Any = update) -> Any:
            seen.append([number for number, turn in enumerate(turns) if there(turn)])
            return update(*given)

        module.optimizer.step = noted
    for number in range(2):
        made.step(toy_batch("2D", "A", number), number)
    assert seen == 2 * [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5]]
    assert not any(map(there, turns))


def test_gradients_that_are_gathered_wait_at_home(tmp_path: Path) -> None:
    def gathered(where: str | Path) -> list[Tensor]:
        blocks = [nn.Linear(40, 40) for _ in range(3)]
        for seed, block in enumerate(blocks):
            random = torch.Generator().manual_seed(seed)
            block.weight.data.normal_(generator=random)
            block.bias.data.zero_()
        modules = greedy(blocks, 3, optimizer=partial(torch.optim.SGD, lr=0.1), idle=where)
        assert all((module.turn is STAYS) == (where == "device") for module in modules)
        for number in range(4):
            x = torch.full((2, 40), float(number))
            loss = nn.functional.mse_loss
            train_step(modules, x, None, torch.ones(2, 40), loss, accumulate=number < 3)
            gradients = [block.weight.grad for block in blocks]
            if where != "device" and number < 3:
                homes = modules[0].turn.idle.lodging._homes
                assert all(homes.known(gradient) is not None for gradient in gradients)
        return [weight for block in blocks for weight in block.parameters()]

    assert equal(gathered("device"), gathered(tmp_path))


def test_what_all_modules_use_stays(tmp_path: Path) -> None:
    common, blocks = nn.Linear(8, 8), [nn.Linear(8, 8) for _ in range(2)]
    modules = greedy(
        blocks, 2, optimizer=partial(torch.optim.Adam), with_first=common, idle=tmp_path
    )
    held = modules[0].turn.held()
    assert not any(one is weight for one in held for weight in common.parameters())
    for number in range(2):
        state = common(torch.full((2, 8), 1.0 + number))
        train_step(modules, state, None, torch.ones(2, 8), nn.functional.mse_loss)
    assert len(modules[0].turn.held()) == 2 + 4 * 3  # its weights, and Adam's of the common ones


def test_built_module_by_module_no_weights_are_anonymous_memory(tmp_path: Path) -> None:
    wide = {"family": "pgd", "iterations": 8, "regulariser": {"width": 400, "blocks": 2}}
    recipe = recipe_of((wide, "2D", {"modules": 8}))
    before = resident("RssAnon")
    made = learner(recipe, tmp_path)
    size = sum(weight.nbytes for weight in made.network.parameters())
    assert size > 180e6
    # One of eight, twice while it is made, and what the allocator keeps of it.
    assert resident("RssAnon") - before < 0.6 * size
    homes = made.modules[0].turn.idle.lodging._homes
    for weight in made.network.parameters():
        assert homes.known(weight).data_ptr() == weight.data_ptr()


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(Unwritable, match=r"training.idle: .*No space left"):
        Idle(CPU, tmp_path).take(nn.Linear(3, 3))


def test_on_a_cpu_host_memory_is_the_devices() -> None:
    assert idle_at("host", CPU) is None
    assert idle_at("device", CPU) is None


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def plain(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose modules stay."""
    folder = tmp_path_factory.mktemp("plain") / "run"
    train(tiny_recipe(examples, modules=3), folder, quiet=True)
    return folder


def test_a_run_ends_the_same_also_resumed(examples: Path, plain: Path, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    recipe, folder = tiny_recipe(examples, modules=3, idle=tmp_path / "files"), tmp_path / "run"
    train(recipe, folder, quiet=True)
    assert_same_end(folder, plain)
    shutil.rmtree(checkpoint.found(folder / "checkpoints")[-1])
    train(recipe, folder, resume=True, quiet=True)
    assert_same_end(folder, plain)


@pytest.mark.parametrize("grows", [False, True])
def test_a_run_that_starts_from_another_ends_the_same(
    grows: bool, plain: Path, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    recipe = run_folder.load_recipe(plain).changed(training={"steps": 2})
    more = grown(recipe, plain, 2) if grows else recipe.changed(training={"start": plain})
    train(more, tmp_path / "plain", quiet=True)
    idle = more.changed(training={"idle": tmp_path / "files"})
    train(idle, tmp_path / "run", quiet=True)
    assert_same_end(tmp_path / "run", tmp_path / "plain")


def test_a_missing_folder_is_refused_before_a_run_is_made(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(examples, idle=tmp_path / "missing")
    with pytest.raises(BadInput, match=r"training.idle: .*missing: is no folder that exists"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_it_says_why_steps_are_not_replayed() -> None:
    recipe = recipe_of(RUNS["MoDL"]).changed(training={"idle": "host"})
    assert graphable(recipe) == "training.idle: host, so weights are not always in the same memory"


def test_iterations_are_placed_one_by_one() -> None:
    recipe = recipe_of(({"iterations": 3}, "2D", {})).network
    numbers: list[int] = []
    placed = build(recipe, placed=lambda number, iteration: numbers.append(number))
    assert numbers == [0, 1, 2]
    assert equal([*weights_of(placed).values()], [*weights_of(build(recipe)).values()])
