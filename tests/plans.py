"""Plans of comparisons on tiny scans: fixtures for whoever imports them."""

from pathlib import Path
from typing import Any

import pytest
from tiny import example_files, tiny_recipe

from gleam.comparison.plan import CompareRecipe, Plan, make

__all__ = ["examples", "planned", "unseen"]


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
