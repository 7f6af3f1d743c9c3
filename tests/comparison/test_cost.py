import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import tiny_recipe

from gleam.comparison.cost import Stepper, time_ratio
from gleam.data.example import find
from gleam.data.loader import TrainingBatches
from gleam.training import run
from gleam.training.trainer import train

CPU = torch.device("cpu")


def test_memory_is_that_which_training_reports(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(examples, steps=2)
    train(recipe, tmp_path / "run", quiet=True)
    batch = TrainingBatches(find(examples, 1), recipe.mask, 1, recipe.seed).at(0)
    cost = Stepper(recipe, batch, CPU).cost()
    assert cost.memory == run.read_summary(tmp_path / "run")["peak_memory_bytes"]
    assert 0 < cost.step < cost.memory


def test_time_is_a_ratio_of_steps_taken_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    now, order = 0.0, []
    monkeypatch.setattr(time, "perf_counter", lambda: now)

    def step(name: str, seconds: float) -> Callable[[], None]:
        def work() -> None:
            nonlocal now
            order.append(name)
            now += seconds * (1 + len(order) // 4)  # the machine gets slower and slower

        return work

    seconds, ratio = time_ratio(step("a", 3.0), step("b", 2.0), repeats=5)
    assert order == ["a", "b"] * 6
    assert ratio == pytest.approx(1.5, rel=0.3)
    assert seconds > 2
