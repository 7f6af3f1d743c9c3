"""Pages at any width, light and dark: nothing sticks out, and screen readers can read them."""

from pathlib import Path
from typing import Any

import pytest
from browser import PHONE, WIDE

SERIOUS = ("serious", "critical")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("kind", ["slices_page", "series_page"])
def test_fits_and_is_readable(
    kind: str, size: tuple[int, int], dark: bool, show: Any, request: pytest.FixtureRequest
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    path: Path = request.getfixturevalue(kind)
    page = show(path, size, dark, touch=size == PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    found = axe.Axe().run(page).response["violations"]
    said = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS]
    assert said == []
    page.keyboard.press("s")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
