"""A browser for pages, which must neither complain nor scroll sideways."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_pages import evaluation

from gleam.report.evaluation import write_report

WIDE, PHONE = (1440, 900), (390, 844)
Open = Callable[..., Any]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(chromium: Any) -> Iterator[Open]:
    """Opens a page, waits for its first picture; nothing in it may go wrong until the test ends."""
    complaints: list[str] = []
    contexts = []

    def opened(
        path: Path | str,
        size: tuple[int, int] = WIDE,
        dark: bool = False,
        touch: bool = False,
        pictured: bool = True,
    ) -> Any:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            has_touch=touch,
            is_mobile=touch,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: _complaint(message.text, complaints))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: _from_elsewhere(request.url, complaints))
        page.goto(path.as_uri() if isinstance(path, Path) else path)
        if pictured:
            page.wait_for_selector("#stage[data-drawn]", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _complaint(text: str, complaints: list[str]) -> None:
    if "willReadFrequently" not in text:  # of tests, which look at pixels
        complaints.append(text)


def _from_elsewhere(url: str, complaints: list[str]) -> None:
    if not url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:")):
        complaints.append(f"asked for {url}")


@pytest.fixture(scope="session")
def slices_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slices") / "report.html"
    write_report(path, evaluation(), title="Slices")
    return path


@pytest.fixture(scope="session")
def series_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("series") / "report.html"
    write_report(path, evaluation(scans=1, slices=2, frames=5), title="Series")
    return path
