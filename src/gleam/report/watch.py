"""A run as a page that goes on while it trains: its event log, and its pictures of validation."""

import json
from collections.abc import Mapping
from pathlib import Path

from gleam.report import scripts
from gleam.report.page import render
from gleam.report.served import HTML, Answer
from gleam.report.training import describe
from gleam.runs import album
from gleam.runs import folder as run_folder
from gleam.runs.events import FILE

_JSON = "application/json"
_AT_ONCE = 4 * 2**20  # bytes of the log in one answer


def answers(folder: Path) -> dict[str, Answer]:
    """Answers of a server about a run's folder.

    Raises:
        BadInput: the folder is no run; jinja2 is not installed.
    """
    recipe = run_folder.load_recipe(folder)
    page = _page(folder.resolve().name, describe(recipe)).encode()

    def events(query: Mapping[str, str]) -> tuple[str, bytes] | None:
        text = query.get("from", "0")
        if not text.isdecimal():
            return None
        return _JSON, json.dumps(_since(folder, int(text))).encode()

    def picture(query: Mapping[str, str]) -> tuple[str, bytes] | None:
        text = query.get("step", "")
        path = album.pictures(folder).get(int(text)) if text.isdecimal() else None
        if path is None:
            return None
        try:
            return "image/png", path.read_bytes()
        except OSError:  # thinned out meanwhile
            return None

    return {"": lambda _: (HTML, page), "events": events, "picture": picture}


def _since(folder: Path, start: int) -> dict[str, object]:
    """Whole lines of the log from a byte on, and the steps of which there are pictures."""
    path = folder / FILE
    size = path.stat().st_size if path.exists() else 0
    start = start if start <= size else 0
    data = b""
    if size:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(_AT_ONCE)
    whole = data[: data.rfind(b"\n") + 1]
    return {
        "from": start,
        "next": start + len(whole),
        "lines": [event for line in whole.splitlines() if (event := _parsed(line)) is not None],
        "pictures": [*album.pictures(folder)],
    }


def _parsed(line: bytes) -> object:
    """None of what is no line of a log, such as where one was written anew meanwhile."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def _page(title: str, scheme: str) -> str:
    libraries = (scripts.library(name) for name in scripts.LIBRARIES)
    run = (*libraries, scripts.joined(scripts.WATCH))
    return render("watch.html", run, title=title, scheme=scheme, texts=run)
