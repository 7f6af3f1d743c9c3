"""Plans of comparisons on tiny scans, and of trainings without a trace: fixtures for whoever
imports them."""

from pathlib import Path
from typing import Any

import pytest
from tiny import example_files, tiny_recipe

from gleam.comparison.plan import CompareRecipe, Plan, make
from gleam.planning import plan as planning
from gleam.planning.footprint import Footprint
from gleam.planning.machine import Machine
from gleam.planning.scans import ScanSize
from gleam.planning.speed import Speed
from gleam.planning.trace import Work
from gleam.recipe import Recipe

__all__ = ["examples", "planned", "unseen", "untraced"]


def made_up(recipe: Recipe, scan: ScanSize, machine: Machine, devices: int = 1) -> Footprint:
    assert recipe.network.width is not None
    size = max(recipe.module_sizes()) * recipe.network.width * scan.size
    return Footprint(0, 0, 0, size, 0, work=Work(recipe.network.iterations))


@pytest.fixture
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step of a plan is traced or timed."""
    monkeypatch.setattr(planning, "speed", lambda *_: Speed(1e-3, 0.0))
    monkeypatch.setattr(planning, "footprint", made_up)


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Examples that nothing is trained on."""
    return example_files(tmp_path_factory.mktemp("unseen"), first=10)


@pytest.fixture(scope="session")
def planned(examples: Path, unseen: Path) -> Any:
    """Make a plan of schemes on tiny scans."""

    def plan(schemes: dict[str, Any], **compare: Any) -> Plan:
        fields = {"test": {"simulated": unseen}, "schemes": schemes} | compare
        return make(tiny_recipe(examples), CompareRecipe.model_validate(fields))

    return plan
