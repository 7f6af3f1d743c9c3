"""One client, from its first byte to its last: a scan comes in, its images go out."""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from gleam.errors import BadInput
from gleam.formats.mrd.acquisitions import assemble
from gleam.formats.mrd.head import ACQUISITION_HEADER
from gleam.formats.mrd.image import images
from gleam.memory import exhausted
from gleam.preparation.prepare import Prepared, Settings
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.reconstruction.rivals import image_of
from gleam.serving.protocol import Stream, receive, send_close, send_image, send_text
from gleam.serving.wire import Gone, Limits, Wire
from gleam.words import counted

Load = Callable[[], Reconstructor]


def answer(connection: socket.socket, load: Load, limits: Limits, check: bool = False) -> str:
    """Serve one connection, and close it.

    What is wrong with a client's scan is answered with one line of text and a close.

    Args:
        connection: to the client.
        load: gives the method.
        limits: of this connection.
        check: whether images are checked without the truth; what comes of it is in their headers.

    Returns:
        What came, and what went or why nothing did, in one line without a patient's fields.
    """
    with connection:
        wire, stream, sent, warnings = Wire(connection, limits), Stream(), 0, list[str]()

        def warn(warning: str) -> None:
            warnings.append(warning)
            send_text(wire, f"WRN {warning}")

        try:
            receive(wire, stream)
            for image in _reconstructed(stream, load, wire, warn, check):
                send_image(wire, image)
                sent += 1
            send_close(wire)
            outcome = f"{counted(sent, 'image')}, {_megabytes(wire.sent)} out"
        except Gone as error:
            outcome = str(error)
        except Exception as error:  # whatever a client sends, it ends no more than its connection
            reason = _reason(error)
            outcome = f"refused: {reason}"
            with suppress(Gone):
                send_text(wire, f"ERROR {reason}")
                send_close(wire)
        wire.drain()
    came = [counted(number, kind) for kind, number in stream.messages.items()]
    return "; ".join([f"{', '.join([*came, _megabytes(wire.received)])} in", outcome, *warnings])


def _reconstructed(
    stream: Stream, load: Load, wire: Wire, warn: Callable[[str], None], check: bool
) -> Iterator[Any]:
    """Each `ismrmrd.Image` of a whole stream's scans, if there are any, each scan a series.

    A scan that cannot be reconstructed is no more than a warning where another can.

    Gadgetron's clients first ask for what the server may know of a scan, in a configuration and a
    close alone. They take no text then; that nothing comes back is an answer.
    """
    if stream.header is None:
        return
    heads = np.frombuffer(b"".join(stream.heads), ACQUISITION_HEADER)
    scans = assemble("scan", stream.header, heads, lambda wanted: [stream.data[i] for i in wanted])
    chosen, examples, refused = load(), list[Prepared](), list[BadInput]()
    doubts = list[list[str]]()  # of each example, as they were said
    for read in scans.values():
        try:
            example = Prepared(read(), Settings(sets=chosen.sets))
            found = chosen.check(example)
        except BadInput as error:
            refused.append(error)
            continue
        examples.append(example)
        doubts.append(found)
        for warning in (*example.header.warnings, *(f"{chosen.name}: {one}" for one in found)):
            warn(f"{example.header.name}: {warning}" if len(scans) > 1 else warning)
    if not examples:
        raise refused[0]
    for why in refused:
        warn(str(why))
    for series, example in enumerate(examples):

        def in_time(done: int) -> None:
            wire.check_time()

        volume, said = image_of(chosen, example, checks=check, progress=in_time), doubts[series]
        for doubt in volume.doubts:
            if doubt not in said:
                warn(f"{chosen.name}: {doubt}")
        for image in images(volume):
            # What clients go by beside the geometry.
            image.image_series_index = series
            image.measurement_uid = int(heads["measurement_uid"][0])
            image.patient_table_position = tuple(heads["patient_table_position"][0].tolist())
            yield image


def _reason(error: Exception) -> str:
    if exhausted(error):
        return "needs more memory than a connection may take; send less, or use fewer --connections"
    if isinstance(error, BadInput):
        return str(error)
    return f"cannot be reconstructed ({type(error).__name__})"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
