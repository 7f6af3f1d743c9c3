"""What README, docs and recipes tell the reader to type can be typed: commands, files, targets."""

import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gleam.cli import VERBS
from gleam.cli.arguments import parse
from gleam.comparison import plan
from gleam.recipe import Recipe

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = PAGES + sorted((ROOT / "recipes").rglob("*.yaml"))
MADE = {"benchmarks/results/latest.json"}  # by commands, and not committed


def lines(path: Path) -> list[str]:
    """What a reader would type: blocks of code, and code in sentences; or a recipe's comments."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        return [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
    fenced = [block for _, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)]
    indented = re.findall(r"^ {4}(\S.*)$", text, re.M)
    typed = "\n".join(fenced + indented).replace("\\\n", " ").splitlines()
    sentences = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return [line.strip() for line in typed] + re.findall(r"`([^`\n]+)`", sentences)


def commands(pattern: str) -> dict[str, list[str]]:
    """The words after the pattern, of every line where it begins a command; by page and line."""
    begin = re.compile(rf"(?:^|\$ |; do |-m ){pattern}([^;|>]*)")
    return {
        f"{path.relative_to(ROOT)}: {line}": shlex.split(found[1], comments=True)
        for path in TEXTS
        for line in lines(path)
        if (found := begin.search(line))
    }


GLEAM = {
    line: ["1" if word in ("N", "$SLURM_ARRAY_TASK_ID") else word for word in words if word != "…"]
    for line, words in commands("gleam ").items()
    if words[0] != "VERB"
    and (" -" in line or len(words) > 2 or "/" in words[-1])  # less is a mere mention
}
MENTIONED = {words[0] for words in commands("gleam ").values()} - {"VERB"}
SHOWN = {name for path in PAGES for name in re.findall(r"^# (\S+\.yaml)$", path.read_text(), re.M)}
BENCHMARKS = commands(r"(?=benchmarks\.)")


def test_the_pages_are_read() -> None:
    assert len(GLEAM) > 40
    assert {words[0] for words in GLEAM.values()} == VERBS.keys() - {"demo"}
    assert VERBS.keys() - {"demo"} <= MENTIONED <= VERBS.keys()
    assert len(BENCHMARKS) > 5


@pytest.mark.parametrize("line", GLEAM)
def test_verb_takes_its_arguments_so(line: str) -> None:
    verb, *words = GLEAM[line]
    kind: Any = import_module(f"gleam.cli.{verb}").Arguments
    default = kind() if verb in ("train", "compare", "evaluate") else None
    if verb in ("train", "compare"):
        files = [ROOT / word for word in words if word.endswith(".yaml")]
        known = [path for path in files if path.is_file()]
        own = {"recipe.yaml"} | SHOWN  # the reader's
        assert known or {path.name for path in files} <= own
        default = kind(recipe=without_schemes(known[0]) if known else Recipe())
    if "--help" in words:
        with pytest.raises(SystemExit, match="0"):
            parse(kind, verb, words, default)
    else:
        parse(kind, verb, words, default)


def without_schemes(path: Path) -> Recipe:
    """A recipe, be it one for `compare`."""
    return plan.read(path)[0]


@pytest.mark.parametrize("line", BENCHMARKS)
def test_benchmark_is_there_and_takes_these_options(line: str) -> None:
    name, *words = BENCHMARKS[line]
    path = ROOT / name.replace(".", "/")
    source = path.with_suffix(".py") if "." in name else path / "__main__.py"
    text = source.read_text(encoding="utf-8")
    for option in (word for word in words if word.startswith("--") and word != "--help"):
        assert f'"{option}"' in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link
    for name in re.findall(r"`((?:recipes|docs|benchmarks|tests)/[\w./-]+)`", text):
        assert name in MADE or (ROOT / name).exists(), name


def test_every_target_of_make_that_is_named_is_one() -> None:
    targets = set(
        re.findall(r"^([a-z-]+(?: [a-z-]+)*):(?!=)", (ROOT / "Makefile").read_text(), re.M)
    )
    known = {name for names in targets for name in names.split()}
    named = {
        found[1]
        for page in PAGES
        for line in lines(page)
        if (found := re.match(r"make ([a-z-]+)", line))
    }
    assert {"demo", "test"} <= named <= known
