"""TensorBoard's log of a run, written when the run writes.

TensorBoard's own writer does that in a thread, which dies of a full disk behind the run's back.
"""

import os
import time
from pathlib import Path

from gleam.files import make_folder, unwritable


class Events:
    """Numbers over steps, in a new file.

    Args:
        folder: where TensorBoard looks.
        first: what earlier files say of this step and later ones no longer holds.

    Raises:
        BadInput, Unwritable: see `gleam.files`.
    """

    def __init__(self, folder: Path, first: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        make_folder(folder)
        self._path = folder / f"events.out.tfevents.{time.time():.6f}.{os.getpid()}"
        self._waiting = [
            Event(step=first, file_version="brain.Event:2"),
            Event(step=first, session_log=SessionLog(status=SessionLog.START)),
        ]
        self.flush()

    def add(self, name: str, value: float, step: int) -> None:
        """One number; it waits in memory."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        number = Summary.Value(tag=name, simple_value=value)
        self._waiting.append(
            Event(step=step, wall_time=time.time(), summary=Summary(value=[number]))
        )

    def flush(self) -> None:
        """Write down what waits.

        Raises:
            Unwritable: the disk is full, or the folder is gone.
        """
        from tensorboard.summary.writer.record_writer import RecordWriter

        try:
            with self._path.open("ab") as file:
                writer = RecordWriter(file)
                for event in self._waiting:
                    writer.write(event.SerializeToString())
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._waiting.clear()
