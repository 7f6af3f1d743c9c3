"""Docstrings of the house for mkdocstrings, which reads Google's: an extension of Griffe."""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^>>> .*?(?=\n\s*\n|\Z)", re.M | re.S)
SEVERAL = re.compile(r"^ {4}([a-z_]\w*(?:, [a-z_]\w*)+): (.*)$", re.M)


class Docstrings(griffe.Extension):
    """Fences examples, which Markdown would take for quotations; says arguments one by one."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Look at a module, class, function or attribute that was read."""
        if obj.docstring:
            fenced = EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)
            obj.docstring.value = SEVERAL.sub(_apart, fenced)


def _apart(found: re.Match[str]) -> str:
    """`width, depth: text` as a line for each; `settings` are what takes the rest, `**settings`."""
    names, text = found.groups()
    starred = (f"**{name}" if name == "settings" else name for name in names.split(", "))
    return "\n".join(f"    {name}: {text}" for name in starred)
