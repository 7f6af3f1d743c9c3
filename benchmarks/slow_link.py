"""Two network namespaces with a link between them that is slow at will (Linux, as root).

Each end is a TUN device; packets pass through this process, which delays them and lets no more
through than the rate allows, as netem does in kernels that have it.
"""

import fcntl
import os
import queue
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

DEVICE, MTU = "gleam", 9000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


class Link:
    """What is between the two ends.

    Attributes:
        delay: seconds from one end to the other.
        rate: bytes per second, each way; infinite at first.
    """

    def __init__(self, ends: tuple[int, int]) -> None:
        self.delay, self.rate = 0.0, float("inf")
        for source, goal in (ends, ends[::-1]):
            waiting: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
            for work in (self._take, self._give):
                end = source if work == self._take else goal
                threading.Thread(target=work, args=(end, waiting), daemon=True).start()

    def _take(self, end: int, waiting: "queue.SimpleQueue[tuple[float, bytes]]") -> None:
        free = 0.0  # when the line has sent all packets so far
        with suppress(OSError):  # the device is gone
            while packet := os.read(end, MTU):
                free = max(free, time.monotonic()) + len(packet) / self.rate
                waiting.put((free + self.delay, packet))

    def _give(self, end: int, waiting: "queue.SimpleQueue[tuple[float, bytes]]") -> None:
        with suppress(OSError):
            while True:
                due, packet = waiting.get()
                time.sleep(max(0.0, due - time.monotonic()))
                os.write(end, packet)


@contextmanager
def linked(names: tuple[str, str]) -> Iterator[Link]:
    """Make the namespaces, and their link: device "gleam", addresses 10.77.0.1 and 10.77.0.2."""
    ends = []
    try:
        for number, name in enumerate(names, 1):
            _ip(f"netns add {name}")
            ends.append(_device())
            _ip(f"link set {DEVICE} netns {name}")
            _ip(f"-n {name} addr add 10.77.0.{number} peer 10.77.0.{3 - number} dev {DEVICE}")
            _ip(f"-n {name} link set {DEVICE} mtu {MTU} up")
            _ip(f"-n {name} link set lo up")
        yield Link((ends[0], ends[1]))
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)
        for end in ends:
            os.close(end)


def _device() -> int:
    end = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    return end


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True)
