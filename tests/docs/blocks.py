"""What a page shows in fences, in order.

Everything fenced is run by `test_pages`, in one folder and from top to bottom: `sh` and `console`
(lines that begin with `$ `) command by command, `python` and `pycon` in one interpreter; `yaml` is
read as a recipe, and put there under the name that its first line says. `text` is what programs
say. What needs a GPU, a cluster or somebody else's data says so in a comment before the fence,
`<!-- not run: why -->`; its commands are parsed all the same.
"""

import re
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("sh", "console", "python", "pycon", "yaml", "text", "bibtex", "json")
FENCE = re.compile(
    r"^(?:<!-- not run: (?P<why>[^>]+) -->\n)?```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.M | re.S,
)


@dataclass(frozen=True)
class Block:
    """One fence.

    Attributes:
        where: the page and the number of its line.
        language: as its fence says.
        text: inside.
        why: it is not run; None where it is.
    """

    where: str
    language: str
    text: str
    why: str | None

    @property
    def script(self) -> str:
        """What is typed into a shell."""
        if self.language == "console":
            return "\n".join(re.findall(r"^\$ (.*)$", self.text, re.M))
        return self.text if self.language == "sh" else ""


def blocks(page: Path) -> list[Block]:
    """Of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            f"{page.name}:{text[: found.start('text')].count(chr(10)) + 1}",
            found["language"],
            found["text"],
            found["why"],
        )
        for found in FENCE.finditer(text)
    ]
