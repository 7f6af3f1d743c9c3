"""The page that maps the source names what is there, and its picture shows today's imports."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`((?:tests/)?[\w/]+\.py)`(?:: ((?:`[\w.]+`(?:, )?)+))?")
WAY = re.compile(r"^\|[^|]*\| `([\w/]+\.py)` \| ((?:`\w+`(?:, )?)+) \|$", re.M)
ROOMS = sorted(path.parent.name for path in (ROOT / "src" / "gleam").glob("*/__init__.py"))


def defined(file: str) -> set[str]:
    """What a file defines at its top, and in its classes."""
    path = ROOT / file if file.startswith("tests/") else ROOT / "src" / "gleam" / file
    assert path.is_file(), file
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def test_what_the_page_names_is_there() -> None:
    named = [(file, names) for file, names in NAMED.findall(PAGE)] + WAY.findall(PAGE)
    assert len(WAY.findall(PAGE)) >= 15
    for file, names in named:
        there = defined(file)
        for name in re.findall(r"[\w.]+", names):
            assert name in there, f"{file} has no {name}"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_on_the_page_and_says_what_it_is(room: str) -> None:
    assert f"`{room}/`" in PAGE
    start = ROOT / "src" / "gleam" / room / "__init__.py"
    told = ast.get_docstring(ast.parse(start.read_text(encoding="utf-8")))
    assert told
    assert re.search(r"\b[Ii]mports?\b", told), "what it may import"
    assert re.search(r"\b[Bb]egin (at|with)\b", told), "where to begin"


def test_the_picture_is_of_todays_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs" / "generate")
    import rooms

    drawn = (ROOT / "docs" / "images" / "rooms.svg").read_text(encoding="utf-8")
    assert drawn == rooms.drawing(), "draw it again: make map"
    sys.modules.pop("rooms")
