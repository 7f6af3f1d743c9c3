import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from tiny import tiny_recipe

from gleam.errors import BadInput
from gleam.networks import build
from gleam.recipe import Recipe
from gleam.runs import checkpoint
from gleam.runs.assembly import make_modules
from gleam.runs.checkpoint import RunProgress
from gleam.training.module import GreedyModule


def make(
    iterations: int = 3, modules: int = 2, width: int = 4, seed: int = 0
) -> list[GreedyModule]:
    recipe = tiny_recipe(Path("nowhere"), modules=modules).model_dump()
    recipe["network"] |= {"iterations": iterations}
    recipe["network"]["regulariser"] |= {"width": width}
    checked = Recipe.model_validate(recipe)
    return make_modules(build(checked.network, seed), checked)


def step(modules: list[GreedyModule], seed: int) -> None:
    """One update with random gradients."""
    random = torch.Generator().manual_seed(seed)
    for module in modules:
        for parameter in module.iterations.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=random)
        module.set_rate(seed)
        module.update()


def weights(modules: list[GreedyModule]) -> list[torch.Tensor]:
    return [p.detach().clone() for m in modules for p in m.iterations.parameters()]


def same(modules: list[GreedyModule], others: list[GreedyModule]) -> bool:
    pairs = zip(weights(modules), weights(others), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def save(folder: Path, modules: list[GreedyModule], progress: RunProgress) -> Path:
    checkpoint.write(folder, dict(enumerate(modules)), progress.step)
    return checkpoint.publish(folder, len(modules), progress)


def load(path: Path, modules: list[GreedyModule]) -> RunProgress:
    return checkpoint.load(path, dict(enumerate(modules)), len(modules))


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, list[GreedyModule]]:
    modules = make()
    step(modules, 0)
    return save(tmp_path, modules, RunProgress(1)), modules


def test_restored_modules_go_on_as_the_saved_ones(tmp_path: Path) -> None:
    modules, others = make(), make(seed=1)
    for number in range(3):
        step(modules, number)
    progress = RunProgress(3, 1.5, 30.25, 2)
    path = save(tmp_path, modules, progress)
    assert path.name == "step-00000003"
    assert load(path, others) == progress
    assert same(modules, others)
    for number in range(3, 6):  # equal only if the optimizers' states are
        step(modules, number)
        step(others, number)
    assert same(modules, others)


def test_restoring_forgets_what_the_optimizers_held(saved: tuple[Path, list[GreedyModule]]) -> None:
    path, modules = saved
    others = make(seed=1)
    for number in range(4):
        step(others, number)
    load(path, others)
    step(modules, 7)
    step(others, 7)
    assert same(modules, others)


def test_last_ones_and_the_best_are_kept(tmp_path: Path) -> None:
    modules = make(1, 1)
    for number in (1, 2, 3, 10, 20):
        save(tmp_path, modules, RunProgress(number))
    checkpoint.forget(tmp_path, 2, best_step=2)
    assert [checkpoint.step_of(path) for path in checkpoint.found(tmp_path)] == [2, 10, 20]
    checkpoint.forget(tmp_path, 1, best_step=20)
    assert [checkpoint.step_of(path) for path in checkpoint.found(tmp_path)] == [20]


def test_what_a_kill_left_is_no_checkpoint(saved: tuple[Path, list[GreedyModule]]) -> None:
    path, _ = saved
    for name in (".77-step-00000009", "step-00000010", "step-x"):
        (path.parent / name).mkdir()
    (path.parent / ".77-step-00000009" / "manifest.json").touch()
    assert checkpoint.found(path.parent) == [path]
    assert checkpoint.found(path.parent / "no") == []


@pytest.mark.parametrize(
    ("free", "kept"),
    [([10**9], [1, 2, 3]), ([0, 10**9], [2, 3]), ([0, 0, 0], [3])],
    ids=["there is room", "one was enough", "none is enough"],
)
def test_an_old_one_goes_before_the_disk_is_full(
    free: list[int], kept: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = make(1, 1)
    for number in (1, 2, 3):
        save(tmp_path, modules, RunProgress(number))
    left = iter(free)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(next(left)))
    checkpoint.write(tmp_path, dict(enumerate(modules)), 4)
    assert [checkpoint.step_of(path) for path in checkpoint.found(tmp_path)] == kept
    assert [path.name for path in tmp_path.glob(".step-*")] == [".step-00000004"]


def test_the_best_one_stays_as_the_last_one_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        save(tmp_path, make(1, 1), RunProgress(number, best_step=1))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(0))
    checkpoint.make_room(tmp_path, 1)
    assert [checkpoint.step_of(path) for path in checkpoint.found(tmp_path)] == [1, 3]
    (tmp_path / "step-00000003" / "manifest.json").write_text("broken")
    checkpoint.make_room(tmp_path, 1)
    assert [checkpoint.step_of(path) for path in checkpoint.found(tmp_path)] == [3]


class Usage(NamedTuple):
    free: int


def refused(path: Path, modules: list[GreedyModule]) -> str:
    with pytest.raises(BadInput) as caught:
        load(path, modules)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["manifest.json", "module-001.safetensors"])
def test_damaged_checkpoint_is_refused(name: str, saved: tuple[Path, list[GreedyModule]]) -> None:
    path, modules = saved
    content = (path / name).read_bytes()
    for damage in (content[: len(content) // 2], b"", b"\xff" * 40, None):
        (path / name).unlink()
        if damage is not None:
            (path / name).write_bytes(damage)
        assert "remove it to go on from the one before" in refused(path, modules)


def test_manifest_with_other_content_is_refused(saved: tuple[Path, list[GreedyModule]]) -> None:
    path, modules = saved
    for content in ("[]", "{}", "3", '{"modules": 2, "stepp": 1}'):
        (path / "manifest.json").write_text(content)
        refused(path, modules)


@pytest.mark.parametrize("other", [{"modules": 3}, {"iterations": 4}, {"width": 8}])
def test_checkpoint_of_another_network_is_refused(
    other: dict[str, int], saved: tuple[Path, list[GreedyModule]]
) -> None:
    refused(saved[0], make(**other))
