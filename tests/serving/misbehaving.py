"""A server whose processes die, or hang for ever, when they come to reconstruct."""

import os
import signal
import sys
import time

from gleam.errors import Signalled
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.serving import server
from gleam.serving.wire import Limits


def die() -> Reconstructor:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def hang() -> Reconstructor:
    time.sleep(1000)
    raise AssertionError


if __name__ == "__main__":
    server._GRACE = 0.1
    load = {"die": die, "hang": hang}[sys.argv[1]]
    limits = Limits(10**7, 20.0, 2.0)
    try:
        server.serve(load, "127.0.0.1", 0, 2, limits, lambda line: print(line, flush=True))
    except Signalled as signalled:
        sys.exit(signalled.code)
