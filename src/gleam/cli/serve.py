"""gleam serve: a reconstruction server for scanners."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated

import tyro

from gleam.cli.arguments import Device, amount, parse
from gleam.cli.run import reconstructor
from gleam.device import described
from gleam.errors import BadInput
from gleam.serving.server import serve
from gleam.serving.wire import Limits
from gleam.terminal import silence


@dataclass(frozen=True)
class Arguments:
    """Reconstruct what Gadgetron, FIRE and OpenRecon clients send, and send them the images.

    Speaks the MRD streaming protocol until it is stopped, by Ctrl-C or SIGTERM. Configurations
    that clients name or send are not heeded. One line is printed for every connection.

    Example: gleam serve runs/greedy --port 9002
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """Run folder; or zero-filled, cg-sense, wavelet; or sliding-window, temporal-tv, low-rank, of a
    series."""
    host: str = "127.0.0.1"
    """Address to listen on; any but this lets in whoever can reach it, unencrypted."""
    port: int = 9002
    """0 takes a free one, and says which."""
    connections: int = 4
    """Clients served at once, each with an equal share of the memory; further ones wait."""
    size: str = "2GiB"
    """What a client may send, at most."""
    idle: float = 120.0
    """Seconds that it may be silent."""
    seconds: float = 3600.0
    """Seconds for a connection, from first to last."""
    device: Device = "auto"
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Use a network on other kinds of scans than it was trained on, too."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    a = parse(Arguments, "serve", arguments)
    if not 0 <= a.port < 2**16 or a.connections < 1 or not min(a.idle, a.seconds) > 0:
        raise BadInput(
            "serve: --port is 0 to 65535, --connections 1 or more, --idle and --seconds above 0"
        )
    limits = Limits(amount(a.size, "serve: --size"), a.idle, a.seconds)
    load = partial(reconstructor, a.run, force=a.force, device=a.device)
    chosen = load()  # what is wrong with the run is said now, not to clients
    _log(f"reconstructing on {described(chosen.device)}")
    with silence():
        serve(load, a.host, a.port, a.connections, limits, _log)


def _log(line: str) -> None:
    print(f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}", flush=True)
