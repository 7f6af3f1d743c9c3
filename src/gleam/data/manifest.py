"""The manifest of a folder of examples: `manifest.jsonl`, one line of JSON for every scan.

| field | content |
| --- | --- |
| source | the scan file's name, without its folder |
| status | "prepared": its example is there, under the same name with suffix .h5; or "skipped" |
| reason | why it was skipped; null for a prepared one |
| shape | of the example, (slice, coil, frame, *space); null for a skipped scan |
| sha256 | of the scan file (BART's .cfl), as `sha256sum` prints it; null where it was not read |
| warnings | what was left out of the scan or looks odd in it, a sentence each |

A line is appended as soon as a scan is done; of several lines of one scan the last counts. Before a
run starts, and when it ends, the others go, and so does what a killed run left half-written.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from gleam.data.jobs import Outcome
from gleam.errors import BadInput
from gleam.files import replacing, unwritable

NAME = "manifest.jsonl"


def recorded(outcomes: Iterable[Outcome], out: Path) -> Iterator[Outcome]:
    """The same outcomes, each written to the manifest in folder `out` before it is passed on.

    Raises:
        BadInput: what is there under the manifest's name is none, or cannot be written to.
    """
    path = out / NAME
    _tidy(path)
    for outcome in outcomes:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(_line(outcome))
        except OSError as error:
            raise unwritable(path, error) from error
        yield outcome
    _tidy(path)


def _line(outcome: Outcome) -> str:
    there = outcome.status != "skipped"
    entry = {
        "source": outcome.source.name,
        "status": "prepared" if there else "skipped",
        "reason": None if there else outcome.reason,
        "shape": outcome.shape,
        "sha256": outcome.sha256,
        "warnings": outcome.warnings,
    }
    return json.dumps(entry) + "\n"


def _tidy(path: Path) -> None:
    """Leave one whole line of each scan, in the order of their names."""
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        *lines, _torn = before.split("\n")
        last = {json.loads(line)["source"]: f"{line}\n" for line in lines}
        after = "".join(last[source] for source in sorted(last))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInput(
            f"{path}: is there and is no manifest of `gleam prepare`; give another folder"
        ) from error
    if after != before:
        with replacing(path) as temporary:
            temporary.write_text(after, encoding="utf-8")
