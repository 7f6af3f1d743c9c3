"""Pages at any width, light and dark: nothing sticks out, and screen readers can read them."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from browser import PHONE, WIDE
from looking import until
from toy_pages import evaluation, images

from gleam.evaluation.examples import pictured
from gleam.report import scans
from gleam.report.evaluation import write_report
from gleam.report.opened import page_of
from gleam.report.page import write_page

SERIOUS = ("serious", "critical")


def pages() -> Iterator[Any]:
    """Every two of kind, size and colours go together in a quick test, all three in a slow one."""
    for kind, size, dark in product(("slices_page", "series_page"), (WIDE, PHONE), (False, True)):
        quick = ((kind == "slices_page") + (size == WIDE) + dark) % 2 == 0
        name = f"{kind}-{'desktop' if size == WIDE else 'phone'}-{'dark' if dark else 'light'}"
        yield pytest.param(kind, size, dark, id=name, marks=[] if quick else pytest.mark.slow)


@pytest.mark.parametrize(("kind", "size", "dark"), [*pages()])
def test_fits_and_is_readable(
    kind: str, size: tuple[int, int], dark: bool, show: Any, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(kind)
    page = show(path, size, dark, touch=size == PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert violations(page) == []
    page.keyboard.press("s")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def violations(page: Any) -> list[tuple[str, str]]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS]


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["desktop", "phone"])
def test_many_methods_with_long_names_stand_in_line(
    size: tuple[int, int], tmp_path: Path, show: Any
) -> None:
    names = ("zero-filled", "greedy", "untrained, of three iterations and a long name", "other")
    write_report(tmp_path / "r.html", evaluation(methods=(*names, *"abcd")))
    page = show(tmp_path / "r.html", size)
    tops = "(all) => all.map((one) => one.getBoundingClientRect().top)"
    rows = page.locator("#stage .planes:first-child > .frame").evaluate_all(tops)
    across = 6 if size == WIDE else 2
    assert len({*rows[:across]}) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_further_page_is_a_viewer_that_leads_back(
    tmp_path: Path, show: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "ROOM", evaluation(scans=1).pictures[0].nbytes * 3)
    write_report(tmp_path / "r.html", evaluation())
    page = show(tmp_path / "r-2.html")
    assert page.evaluate("document.querySelector('[name=scan]').options.length") == 1
    assert "29.20 dB" in page.inner_text("#stage .view:nth-child(3) .score")
    page.click("nav a")
    until(page, "location.pathname.endsWith('/r.html')")


def test_images_alone_are_a_page_of_their_own(tmp_path: Path, show: Any) -> None:
    made = images(2)
    scan = pictured("one", range(2), None, {"a": made["target"], "b": made["greedy"]})
    write_page(tmp_path / "p.html", page_of([scan], "two images"))
    page = show(tmp_path / "p.html", PHONE, touch=True)
    assert not page.locator("[name=gain]").is_visible()
    assert not page.locator("label", has_text="Error").first.is_visible()
    assert page.locator("#stage .view").count() == 2
    assert violations(page) == []
    page.keyboard.press("f")
    until(page, "document.querySelectorAll('#stage .view').length === 1")
