"""The manifest of a folder of examples, or images: `manifest.jsonl`, a line of JSON for every scan.

| field | content |
| --- | --- |
| source | the scan file's name, without its folder |
| part | which scan of its file it is; "" where that holds one |
| status | "prepared": its example is there, as NAME.h5 or NAME-PART.h5; or "skipped" |
| reason | why it was skipped; null for a prepared one |
| shape | of the example, (slice, coil, frame, *space); null for a skipped scan |
| sha256 | of the scan file (BART's .cfl), as `sha256sum` prints it; null where it was not read |
| warnings | what was left out of the scan or looks odd in it, a sentence each |

Of images, the status is "reconstructed", the shape the image's, and `fingerprint` stays the same as
long as the image would.

A line is appended as soon as a scan is done; of several lines of one scan the last counts. Before a
run starts, and when it ends, the others go, and so does what a killed run left half-written.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from gleam.errors import BadInput
from gleam.files import replacing, unwritable
from gleam.preparation.jobs import Outcome

NAME = "manifest.jsonl"

Entry = dict[str, Any]  # see above


def recorded(outcomes: Iterable[Outcome], out: Path) -> Iterator[Outcome]:
    """The same outcomes, each written to the manifest in folder `out` before it is passed on.

    Raises:
        BadInput: what is there under the manifest's name is none, or cannot be written to.
    """
    path = out / NAME
    _tidy(path)
    done = set()
    for outcome in outcomes:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(_line(outcome))
        except OSError as error:
            raise unwritable(path, error) from error
        done.add((outcome.source.name, outcome.part))
        yield outcome
    _tidy(path, done)


def _line(outcome: Outcome) -> str:
    there = outcome.status != "skipped"
    made = "reconstructed" if outcome.fingerprint else "prepared"
    entry = {
        "source": outcome.source.name,
        "part": outcome.part,
        "status": made if there else "skipped",
        "reason": None if there else outcome.reason,
        "shape": outcome.shape,
        "sha256": outcome.sha256,
        "warnings": outcome.warnings,
    }
    mark = {"fingerprint": outcome.fingerprint} if there and outcome.fingerprint else {}
    return json.dumps(entry | mark) + "\n"


def entries(out: Path) -> dict[str, list[Entry]]:
    """Entries of a folder's manifest, by source; none where there is none.

    Raises:
        BadInput: what is there under its name is no manifest.
    """
    path = out / NAME
    _tidy(path)
    found: dict[str, list[Entry]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        entry = json.loads(line)
        found.setdefault(entry["source"], []).append(entry)
    return found


def _key(entry: dict[str, str]) -> tuple[str, str]:
    return entry["source"], entry.get("part", "")


def _tidy(path: Path, done: Collection[tuple[str, str]] = ()) -> None:
    """Leave one whole line of each scan, in the order of their names.

    Args:
        path: of the manifest.
        done: source and part of each scan of this run; other parts of these files are no more.

    Raises:
        BadInput: it is no manifest.
    """
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        *lines, _torn = before.split("\n")
        last = {_key(json.loads(line)): f"{line}\n" for line in lines}
        anew = {source for source, _ in done}
        after = "".join(last[key] for key in sorted(last) if key in done or key[0] not in anew)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInput(
            f"{path}: is there and is no manifest of `gleam prepare`; give another folder"
        ) from error
    if after != before:
        with replacing(path) as temporary:
            temporary.write_text(after, encoding="utf-8")
