"""What README and the pages show is run, from top to bottom, each page in a folder of its own."""

import doctest
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
from blocks import LANGUAGES, Block, blocks
from reader import SHELF, furnish, readers_own
from shell import parse, perform, typed

from gleam.comparison import plan
from gleam.runs import shipped

ROOT = Path(__file__).parents[2]
SHOWN = {
    str(page.relative_to(ROOT)): blocks(page)
    for page in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    )
}
PAGES = pytest.mark.parametrize("page", [name for name, shown in SHOWN.items() if shown])
pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own, and what tiny scans give


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return furnish(folder)


@pytest.fixture
def folder(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    own = tmp_path / "reader"
    shutil.copytree(furnished, own, symlinks=True)
    monkeypatch.chdir(own)
    monkeypatch.setattr(shipped, "SHIPPED", own / SHELF)
    return own


@pytest.fixture(autouse=True)
def as_for_readers() -> Iterator[None]:
    """Shapes are checked at run time in other tests; a program that is exported cannot have it."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@PAGES
def test_every_fence_says_what_it_holds(page: str) -> None:
    fences = (ROOT / page).read_text(encoding="utf-8").count("\n```") // 2
    assert len(SHOWN[page]) == fences
    for block in SHOWN[page]:
        assert block.language in LANGUAGES, block.where


@PAGES
def test_what_a_page_shows_runs(page: str, folder: Path) -> None:
    run(SHOWN[page], folder, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", [n for n, shown in SHOWN.items() if any(b.script for b in shown)])
def test_what_takes_long_runs(page: str, folder: Path) -> None:
    run(SHOWN[page], folder, slow=True)


def run(shown: list[Block], folder: Path, slow: bool) -> None:
    known, unmade = readers_own(), set[str]()
    for block in shown:
        if block.why:
            parse(block.script)
            continue
        if block.language == "python":
            exec(compile(block.text, block.where, "exec"), known)
        elif block.language == "pycon":
            examples = doctest.DocTestParser().get_doctest(block.text, known, block.where, None, 0)
            said: list[str] = []
            doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(
                examples, out=said.append, clear_globs=False
            )
            assert not said, "".join(said)
        elif block.language == "yaml":
            name = re.match(r"# (\S+\.yaml)\n", block.text)
            path = folder / (name[1] if name else "shown.yaml")
            path.write_text(block.text, encoding="utf-8")
            plan.read(path)
        for command in typed(block.script, folder) if block.script else ():
            perform(command, slow, unmade)
