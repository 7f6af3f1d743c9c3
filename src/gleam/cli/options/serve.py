"""Options of `gleam serve`."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from gleam.cli.arguments import Device, Flag, Trust


@dataclass(frozen=True)
class Arguments:
    """Reconstruct what Gadgetron, FIRE and OpenRecon clients send, and send them the images.

    Speaks the MRD streaming protocol until it is stopped, by Ctrl-C or SIGTERM. Configurations
    that clients name or send are not heeded. One line is printed for every connection.

    Example: gleam serve runs/greedy --port 9002
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """Run folder, what `gleam export` wrote, or the name of a network that ships; or a method
    without learning: zero-filled, cg-sense, wavelet; for series also sliding-window, temporal-tv,
    low-rank."""
    host: str = "127.0.0.1"
    """Address to listen on; any but the default lets in whoever can reach it, unencrypted."""
    port: int = 9002
    """TCP port to listen on; 0 takes a free one, and says which."""
    connections: int = 4
    """Number of clients served at once, each with an equal share of the memory; further ones
    wait."""
    size: str = "2GiB"
    """Largest amount of data that a client may send, such as 500MiB or 2GiB."""
    idle: float = 120.0
    """Seconds that a client may be silent before its connection is closed."""
    seconds: float = 3600.0
    """Seconds that a connection may last, from first to last."""
    check: Flag = False
    """Check every image without the truth, see `gleam check`, beside compressed sensing; what it
    finds stands in the image's header. It takes several times as long."""
    device: Device = "auto"
    trust: Trust = ()
    force: Flag = False
    """Use a network on other kinds of scans than it was trained on, too."""
