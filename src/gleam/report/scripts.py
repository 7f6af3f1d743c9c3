"""The page's scripts: libraries as they came, and the viewer's modules as one script.

The modules are written as ECMAScript modules, so that editors and readers see what each takes from
the others. A page that is one file cannot import: here each becomes a function that gives what it
exports, called after those that it imports from.
"""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

LIBRARIES = ("d3.min.js", "plot.min.js")
PLAIN = ("state", "theme", "plots", "save")  # of pages without pictures
VIEWER = (
    "state", "stacks", "pixels", "frames", "cine", "gestures", "controls", "keys", "theme", "plots",
    "save", "stage", "main",
)  # fmt: skip
WATCH = ("theme", "watch")
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:const|function) (\w+))", re.MULTILINE)


@cache
def library(name: str) -> str:
    """One of `LIBRARIES`."""
    return _text("libraries", name)


@cache
def joined(names: tuple[str, ...]) -> str:
    """Modules as one script: each comes after those that it imports."""
    return '"use strict";\n' + "\n".join(map(_called, names))


def allowed(scripts: tuple[str, ...]) -> str:
    """The part of a page's security policy that has these scripts run, and no others."""
    digests = (base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def style() -> str:
    """The page's style sheet."""
    return _text("page.css")


def _called(name: str) -> str:
    source = _text("viewer", f"{name}.js")
    exported = ", ".join(found[2] for found in _EXPORT.finditer(source))
    body = _EXPORT.sub(r"\1", _IMPORT.sub(r"const \1 = from_\2;", source))
    return f"const from_{name} = (() => {{\n{body}return {{ {exported} }};\n}})();"


def _text(*path: str) -> str:
    return files("gleam.report").joinpath("templates", *path).read_text(encoding="utf-8")
