"""Events of a training, one by one: `events.jsonl` in the run's folder.

A line is a JSON object: `event`, what happened; `step`, the updates done by then; `time`, in
seconds since 1970; and what else there is to say of it:

| event | content |
| --- | --- |
| start | `device`, `precision`, `graph` (or eager), `threads`, `processes`, `steps` to come to |
| steps | of the steps since the last of these: `losses`, a list for each module that \
learns, by its number; `ms_per_step`, `slices_per_second`, `waiting` (the share of time spent \
waiting for data), `peak_memory_bytes` |
| validation | `psnr`, mean complex PSNR in dB after each iteration, by its number |
| image | `image`, a picture of validation: see `gleam.runs.picture`; told to loggers, not in \
the file |
| plateau | `module`, which learns no more, as its loss has flattened; `text` |
| checkpoint | `best`: whether validation never was better |
| warning | `text` |
| end | `reason`: finished, stopped, diverged, out of memory or failed; `text`; the run's \
`ms_per_step` … as of steps |

A number that is not finite is null. What is not known is left out. A run that goes on starts again;
what had happened after the checkpoint that it goes on from is forgotten.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from gleam.errors import BadInput
from gleam.files import finite, replacing, unwritable

Kind = Literal["start", "steps", "validation", "image", "plateau", "checkpoint", "warning", "end"]
FILE = "events.jsonl"
IMAGE = "validation/image"  # as loggers call it


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        kind: see the module's table.
        step: updates done by then.
        values: the rest of the table; what JSON can hold, keys being strings, but for an image: an
            array of 8-bit grey levels (rows, columns).
        time: seconds since 1970.
    """

    kind: Kind
    step: int
    values: Mapping[str, Any]
    time: float = field(default_factory=time.time)

    @property
    def losses(self) -> list[tuple[int, int, float | None]]:
        """Losses of steps: (step, module, loss) of each, in order of the modules."""
        found: list[tuple[int, int, float | None]] = []
        for module, values in self.values.get("losses", {}).items():
            first = self.step - len(values) + 1
            found += [(step, int(module), value) for step, value in enumerate(values, first)]
        return found

    def numbers(self) -> Iterator[tuple[str, int, float]]:
        """(name, step, value) of what can be drawn over steps: loss/0, psnr/7, speed/waiting …"""
        if self.kind not in ("steps", "validation"):
            return
        for step, module, loss in self.losses:
            if loss is not None:
                yield f"loss/{module}", step, loss
        for iteration, psnr in self.values.get("psnr", {}).items():
            if psnr is not None:
                yield f"psnr/{iteration}", self.step, psnr
        for name, value in self.values.items():
            if isinstance(value, int | float):
                yield f"speed/{name}", self.step, value


@runtime_checkable
class Logger(Protocol):
    """A receiver of a training's events: one of them keeps them, others show or send them on.

    It is told in the process that keeps the run's records, between two steps, so it must be quick.
    An error that it raises ends the training; what can go on without it must not raise one.
    `check_logger` of tests/runs/test_logger_contract.py holds each to this.
    """

    def log(self, event: Event) -> None:
        """Something happened."""

    def close(self) -> None:
        """Nothing more will happen; also called where the training ended by an error."""


class EventLog:
    """Keeps events in a run's folder.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def log(self, event: Event) -> None:
        """Append a line, in one write; none of an image.

        Raises:
            Unwritable: the disk is full, or the folder is gone.
        """
        if event.kind == "image":
            return
        try:
            with self._path.open("ab", buffering=0) as file:
                file.write(_line(event))
        except OSError as error:
            raise unwritable(self._path, error) from error

    def close(self) -> None:
        """All is written."""


def read_events(folder: Path) -> list[Event]:
    """The events of a run, in order; a last line that is not whole is left out.

    Raises:
        BadInput: the file is missing or broken.
    """
    path = folder / FILE
    try:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        return [_event(line) for line in whole.splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: missing or broken ({error})") from error


def forget_events(folder: Path, after: int) -> None:
    """Leave out what happened after a step; a run begun by an early version has no events."""
    if (folder / FILE).exists():
        kept = [_line(event) for event in read_events(folder) if event.step <= after]
        with replacing(folder / FILE) as temporary:
            temporary.write_bytes(b"".join(kept))


def _line(event: Event) -> bytes:
    content = {"event": event.kind, "step": event.step, "time": round(event.time, 3)}
    return json.dumps(finite(content | dict(event.values)), ensure_ascii=False).encode() + b"\n"


def _event(line: bytes) -> Event:
    content = json.loads(line)
    kind, step, seconds = content.pop("event"), content.pop("step"), content.pop("time")
    if kind not in get_args(Kind):
        raise ValueError(f"no such event: {kind}")
    return Event(kind, int(step), content, float(seconds))
