"""The page of errors holds what the source can say, all of it."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from gleam.errors import BadInput
from gleam.formats import read_scan

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "errors.md"


@pytest.fixture(scope="module")
def errors() -> ModuleType:
    path = ROOT / "docs" / "generate" / "errors.py"
    spec = importlib.util.spec_from_file_location("generate_errors", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_room_that_says_something_is_under_a_heading(errors: ModuleType) -> None:
    named = [
        room for rooms in errors.MARK.findall(PAGE.read_text("utf-8")) for room in rooms.split()
    ]
    assert sorted(named) == sorted(errors.messages()), "name the room under a heading of errors.md"


def test_nearly_all_that_is_raised_is_found(errors: ModuleType) -> None:
    """By another way of looking: messages that are made elsewhere are few."""
    raised = sum(
        len(
            re.findall(
                r"\braise (?:BadInput|Stopped|Diverged|OutOfMemory)\(", path.read_text("utf-8")
            )
        )
        for path in errors.SOURCE.rglob("*.py")
    )
    found = sum(map(len, errors.messages().values()))
    assert found > 0.9 * raised > 300


def test_what_is_said_is_on_the_page(errors: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as said:
        read_scan(tmp_path / "nowhere.h5")
    words = str(said.value).replace(str(tmp_path / "nowhere.h5"), "‹path›")
    assert words in errors.messages()["formats"] + errors.messages()["files.py"]


def test_parts_that_are_only_known_later_have_names(errors: ModuleType) -> None:
    tree = errors.ast.parse('raise BadInput(f"{a.path}: {len(x)} of {b}" + " is odd")')
    assert [*errors._of_file(tree)] == ["‹path›: … of ‹b› is odd"]
