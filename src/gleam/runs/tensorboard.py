"""TensorBoard's log of a run, one of its loggers.

TensorBoard's own writer works in a thread, which dies of a full disk behind the run's back. It is
imported when a training begins, not where one is only thought of: protobuf is slow to import.
"""

import io
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gleam.files import make_folder, unwritable
from gleam.runs.events import IMAGE, Event


class TensorBoard:
    """Numbers and images over steps, in a new file.

    Args:
        folder: where TensorBoard looks.
        first: what earlier files say of this step and later ones no longer holds.

    Raises:
        BadInput, Unwritable: see `gleam.files`.
    """

    def __init__(self, folder: Path, first: int) -> None:
        from tensorboard.compat.proto import event_pb2

        make_folder(folder)
        self._path = folder / f"events.out.tfevents.{time.time():.6f}.{os.getpid()}"
        session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(
            event_pb2.Event(step=first, file_version="brain.Event:2"),
            event_pb2.Event(step=first, session_log=session),
        )

    def log(self, event: Event) -> None:
        """Write down the numbers of an event, or its image.

        Raises:
            Unwritable: the disk is full, or the folder is gone.
        """
        from tensorboard.compat.proto import event_pb2
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [
            (step, Summary.Value(tag=name, simple_value=value))
            for name, step, value in event.numbers()
        ]
        if event.kind == "image":
            values.append((event.step, Summary.Value(tag=IMAGE, image=_png(event.values["image"]))))
        self._write(
            *(
                event_pb2.Event(step=step, wall_time=event.time, summary=Summary(value=[value]))
                for step, value in values
            )
        )

    def close(self) -> None:
        """All is written."""

    def _write(self, *events: object) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        try:
            with self._path.open("ab") as file:
                writer = RecordWriter(file)
                for event in events:
                    writer.write(event.SerializeToString())  # type: ignore[attr-defined]
        except OSError as error:
            raise unwritable(self._path, error) from error


def _png(levels: NDArray[np.uint8]) -> dict[str, Any]:
    """The fields of TensorBoard's image."""
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    height, width = levels.shape
    return {
        "height": height,
        "width": width,
        "colorspace": 1,
        "encoded_image_string": file.getvalue(),
    }
