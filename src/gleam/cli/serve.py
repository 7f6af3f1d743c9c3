"""gleam serve: a reconstruction server for scanners."""

from datetime import datetime
from functools import partial

from gleam.amounts import bytes_of
from gleam.cli.options.serve import Arguments
from gleam.device import choose, described
from gleam.errors import BadInput
from gleam.formats.mrd.image import library
from gleam.reconstruction.named import reconstructor
from gleam.serving.server import serve
from gleam.serving.wire import Limits
from gleam.terminal import silence


def main(a: Arguments) -> None:
    """Run the verb."""
    if not 0 <= a.port < 2**16 or a.connections < 1 or not min(a.idle, a.seconds) > 0:
        raise BadInput(
            "serve: --port is 0 to 65535, --connections 1 or more, --idle and --seconds above 0"
        )
    limits = Limits(bytes_of(a.size, "serve: --size"), a.idle, a.seconds)
    device = choose(a.device)
    library()  # what is wrong is said now, not to clients
    reconstructor(a.run, "cpu")
    _log(f"reconstructing on {described(device)}")
    load = partial(reconstructor, a.run, a.device, force=a.force)
    with silence():
        serve(load, a.host, a.port, a.connections, limits, _log, a.check)


def _log(line: str) -> None:
    print(f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}", flush=True)
