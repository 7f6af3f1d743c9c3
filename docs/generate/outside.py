"""Pages of the site that lie outside docs/: programs, recipes, and what concerns the project.

A hook of MkDocs. Folders that the navigation names with a slash at the end become a page for each
of their files; links that lead out of docs/ lead to these pages.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PROJECT = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
PROGRAMS = {f"examples/{p.name}": p for p in sorted((ROOT / "examples").glob("*.py"))}
RECIPES = {str(p.relative_to(ROOT)): p for p in sorted((ROOT / "recipes").rglob("*.yaml"))}
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> None:
    """Give each folder of the navigation its pages."""
    config.nav = [_filled(entry) for entry in config.nav or []]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages."""
    pages = {page: (ROOT / name).read_text("utf-8") for name, page in PROJECT.items()}
    pages |= {_page(name): _program(path) for name, path in PROGRAMS.items()}
    pages |= {_page(name): _recipe(path, name) for name, path in RECIPES.items()}
    pages["examples/index.md"] = _listed("Programs", PROGRAMS, "examples")
    pages["recipes/index.md"] = _listed("Recipes", RECIPES, "recipes")
    for page, text in pages.items():
        files.append(File.generated(config, page, content=text))


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Have links from, and to, what lies outside docs/ lead to its page."""
    where = page.file.src_uri
    origin = {made: name for name, made in PROJECT.items()}.get(where, f"docs/{where}")

    def led(link: re.Match[str]) -> str:
        name = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link[1]))
        if name.startswith("docs/"):
            to = name.removeprefix("docs/")
        elif name in PROGRAMS | RECIPES:
            to = _page(name)
        elif name in PROJECT:
            to = PROJECT[name]
        elif name.split("/")[0] in ("examples", "recipes"):
            to = f"{name.split('/')[0]}/index.md"
        else:
            return link[0]
        return f"]({posixpath.relpath(to, posixpath.dirname(where) or '.')}{link[2] or ''})"

    parts = re.split(r"(^```.*?^```)", markdown, flags=re.S | re.M)
    return "".join(part if part.startswith("```") else LINK.sub(led, part) for part in parts)


def _filled(entry: Any) -> Any:
    """An entry of the navigation with the pages that its folders stand for."""
    if isinstance(entry, str):
        return entry
    ((title, what),) = entry.items()
    if what in ("examples/", "recipes/"):
        those = PROGRAMS if what == "examples/" else RECIPES
        return {title: [f"{what}index.md", *({_short(name): _page(name)} for name in those)]}
    return {title: [_filled(one) for one in what] if isinstance(what, list) else what}


def _page(name: str) -> str:
    return str(Path(name).with_suffix(".md"))


def _short(name: str) -> str:
    return name.partition("/")[2].rpartition(".")[0].replace("_", " ")


def _listed(title: str, those: dict[str, Path], folder: str) -> str:
    """A page of links, each with the first line of its file."""
    rows = [
        f"| [{_short(name)}]({_page(name).removeprefix(f'{folder}/')}) | {_first(path)} |"
        for name, path in those.items()
    ]
    return "\n".join([f"# {title}", "", "| | |", "| --- | --- |", *rows, ""])


def _first(path: Path) -> str:
    return path.read_text("utf-8").splitlines()[0].strip('#" ')


def _program(path: Path) -> str:
    """What a program's docstring says, and the program."""
    source = path.read_text("utf-8")
    title, _, text = (ast.get_docstring(ast.parse(source)) or path.stem).partition("\n")
    return f"# {title.rstrip('.')}\n\n{text.strip()}\n\n```python\n{source}```\n"


def _recipe(path: Path, name: str) -> str:
    return f"# `{name}`\n\n```yaml\n{path.read_text('utf-8')}```\n"
