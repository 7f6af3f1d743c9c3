"""The site of the documentation is built without a warning, and leads nowhere that is not there."""

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

import gleam

ROOT = Path(__file__).parents[2]
REFERENCE = re.compile(r'(?:href|src)="([^"]+)"')
LOADED = re.compile(r'<(?:script|img|iframe)[^>]+src="https?:|<link[^>]+stylesheet[^>]+"https?:')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", out],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert not built.stderr
    return out


def test_every_link_leads_somewhere(site: Path) -> None:
    """Those in the navigation and between API pages, too, which MkDocs makes itself."""
    names = {page: ids(page) for page in site.rglob("*.html")}
    checked = 0
    for page in names.keys() - {site / "404.html"}:
        for reference in map(unescape, REFERENCE.findall(page.read_text(encoding="utf-8"))):
            if re.match(r"[a-z]+:", reference):
                continue
            path, _, anchor = unquote(reference).partition("#")
            to = (page.parent / path.partition("?")[0]).resolve() if path else page
            to = to / "index.html" if to.is_dir() else to
            assert to.exists(), f"{page.relative_to(site)}: {reference}"
            assert not anchor or to not in names or anchor in names[to] | {"__codelineno"}, (
                f"{page.relative_to(site)}: {reference}"
            )
            checked += 1
    assert checked > 1000


def ids(page: Path) -> set[str]:
    return set(map(unescape, re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8"))))


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert not LOADED.search(page.read_text(encoding="utf-8")), page


def test_the_api_pages_hold_every_public_name(site: Path) -> None:
    shown = "".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    assert set(re.findall(r"^::: gleam\.(\w+)$", shown, re.M)) == set(dir(gleam))
    page = (site / "api" / "scans.html").read_text(encoding="utf-8")
    assert "K-space stays in the file" in page
    assert "&gt;&gt;&gt;" in page  # examples are code, not quotations
    assert "<blockquote>" not in page


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = [word for word in leaves(yaml.safe_load(text)["nav"]) if not word.endswith("/")]
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    pages |= {"contributing.md", "changelog.md"}
    assert not pages - set(listed), "these have no place in mkdocs.yml's navigation yet"
    assert sorted(listed) == sorted(pages)


def leaves(entry: object) -> list[str]:
    if isinstance(entry, dict):
        return [leaf for value in entry.values() for leaf in leaves(value)]
    if isinstance(entry, list):
        return [leaf for value in entry for leaf in leaves(value)]
    return [str(entry)]
