"""Every error that a user can meet, from the source: a hook of MkDocs.

The page docs/errors.md says what kinds of errors mean; under each it names rooms of the source,
`<!-- messages: formats files.py -->`, and there the messages of these rooms are put.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.pages import Page

SOURCE = Path(__file__).parents[2] / "src" / "gleam"
RAISED = {"BadInput", "Stopped", "Diverged", "OutOfMemory", "Unwritable"}
MARK = re.compile(r"<!-- messages: ([\w. ]+) -->")


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Put the messages where the page names their rooms."""
    if page.file.src_uri != "errors.md":
        return markdown
    said = messages()
    return MARK.sub(lambda found: _listed(said, found[1].split()), markdown)


def messages() -> dict[str, list[str]]:
    """What is said in each room, in the order of the source: folders, and files beside them."""
    said: dict[str, list[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        found = [*_of_file(ast.parse(path.read_text("utf-8")))]
        if found:
            said.setdefault(path.relative_to(SOURCE).parts[0], []).extend(found)
    return {room: [*dict.fromkeys(found)] for room, found in said.items()}


def _of_file(tree: ast.AST) -> Iterator[str]:
    """Messages that are written down where they are raised, and not made elsewhere."""
    for node in ast.walk(tree):
        name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if name in RAISED and isinstance(node, ast.Call) and node.args:
            text = re.sub(r"\s+", " ", _words(node.args[0])).strip()
            if text.strip("… "):
                yield text


def _words(node: ast.expr) -> str:
    """A message; ‹name› stands for what is only known when it is said."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_words, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _words(node.left) + _words(node.right)
    if isinstance(node, ast.FormattedValue):
        inside = node.value
        if isinstance(inside, ast.Attribute | ast.Name):
            return f"‹{ast.unparse(inside).rpartition('.')[2].strip('_')}›"
    return "…"


def _listed(said: dict[str, list[str]], rooms: list[str]) -> str:
    lines = sorted({line for room in rooms for line in said[room]}, key=str.casefold)
    return "\n".join(f"- `` {line} ``" for line in lines)
