"""The server as it is started, and clients of every kind, several at once."""

import re
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ismrmrd
import numpy as np
import pytest
from client import (
    Server,
    answer_on,
    same,
    small_scanner,
    small_stream,
    stream,
    stream_of,
)
from formats.mutations import spoil_bytes, spoil_text
from tiny import CG_SENSE

from gleam.cli import main
from gleam.formats import read_scan
from gleam.preparation.prepare import Prepared, Settings
from gleam.reconstruction.reconstruct import reconstruct

MISBEHAVING = str(Path(__file__).with_name("misbehaving.py"))
SERVE = ("-m", "gleam", "serve", "cg-sense", "--port", "0", "--connections", "4", "--idle", "60")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), *SERVE) as running:
        yield running
        assert running.stop(signal.SIGINT) == 130
    assert not any("Traceback" in line for line in running.lines())


def test_clients_at_once_get_the_images_of_a_real_scan(server, shared_data: Path) -> None:
    """One more than it serves at the same time."""
    path = shared_data / "ismrmrd_Skyra_R3acs_14ch.h5"
    content = stream_of(path)
    with ThreadPoolExecutor(5) as clients:
        answers = list(clients.map(lambda _: server.exchange(content), range(5)))
    volume = reconstruct(CG_SENSE, Prepared(read_scan(path), Settings()))
    for (image,) in answers:
        pixels = image.data[0, 0].T
        assert np.abs(pixels - np.abs(volume.image[0, 0])).max() < 1e-5 * pixels.max()
    served = [line for line in server.lines() if "69 acquisitions" in line]
    assert len(served) == 5
    assert all(
        re.search(r"127\.0\.0\.1:\d+: .* 1 image, 0\.1 MB out; [\d.]+ s$", s) for s in served
    )


def test_bad_clients_harm_nobody(server) -> None:
    content = small_stream()
    before = server.exchange(content)
    with server.connect() as half:
        half.sendall(content[:5000])  # and is not heard of again until the end
        with server.connect() as dying:
            dying.sendall(content[:20_000])
            reset = struct.pack("ii", 1, 0)
            dying.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        (text,) = server.exchange(np.random.default_rng(0).bytes(10**6))
        assert "is none that this server knows" in text
        (text,) = server.exchange(struct.pack("<HI", 3, 2**32 - 1) + bytes(10**6))
        assert "too long" in text
        assert same(server.exchange(content), before)


def memory(server: Server) -> int:
    """Bytes of the server itself, from which no client's process takes any."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def spoilt(seed: int) -> bytes:
    """A small scan's stream, spoilt anywhere, behind its header, or in the numbers of that."""
    rng, scanner = np.random.default_rng(seed), small_scanner()
    xml = ismrmrd.xsd.ToXML(scanner.header()).encode()
    content = stream(xml, *scanner.acquisitions)
    behind = content.index(xml) + len(xml)
    return (
        spoil_bytes(content, rng),
        content[:behind] + spoil_bytes(content[behind:], rng),
        stream(spoil_text(xml, rng), *scanner.acquisitions),
    )[seed % 3]


def mutated(server: Server, seeds: range) -> None:
    content = small_stream()
    before = server.exchange(content)
    size = memory(server) if sys.platform == "linux" else 0
    with ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(lambda seed: server.exchange(spoilt(seed)), seeds))
    texts = [answer[0] for answer in answers if answer and isinstance(answer[0], str)]
    assert len(texts) > len(seeds) / 4
    assert all(re.fullmatch(r"(ERROR|WRN) [^\n\0]+\0", text) for text in texts)
    assert sum(len(answer) == 2 for answer in answers) > len(seeds) / 20  # harmless ones
    assert same(server.exchange(content), before)
    if sys.platform == "linux":
        assert memory(server) < size + 2**24


def test_mutated_streams_are_answered(server) -> None:
    mutated(server, range(60))


@pytest.mark.slow
def test_a_thousand_mutated_streams_are_answered(server) -> None:
    mutated(server, range(1000, 2000))


def test_stopped_cleanly_with_a_client_in_between(tmp_path: Path) -> None:
    with Server(tmp_path, *SERVE) as server, server.connect() as client:
        client.sendall(small_stream()[:5000])
        server.exchange(small_stream())  # the first is being served by now
        assert server.stop(signal.SIGTERM) == 143
        with pytest.raises((EOFError, ConnectionError)):
            answer_on(client)
    assert [line for line in server.lines() if "cut off: the server was stopped" in line]


@pytest.mark.slow
@pytest.mark.parametrize(("how", "why"), [("die", "died of SIGKILL"), ("hang", "longer than 2 s")])
def test_process_that_dies_or_hangs_harms_nobody(how: str, why: str, tmp_path: Path) -> None:
    with Server(tmp_path, MISBEHAVING, how) as server:
        for _ in range(2):
            with pytest.raises((EOFError, ConnectionError)):
                server.exchange(small_stream())
        assert server.exchange(struct.pack("<H", 4)) == []
        assert server.stop(signal.SIGTERM) == 143
    assert [why in line for line in server.lines()[:2]] == [True, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-run"], "no-such-run: does not exist"),
        (["cg-sense", "--port", "70000"], "--port is 0 to 65535"),
        (["cg-sense", "--size", "much"], "--size is 1MiB or more, as 4GiB; not 'much'"),
        (["cg-sense", "--host", "256.0.0.1"], "cannot listen on 256.0.0.1"),
        (["cg-sense", "--idle", "nan"], "above 0"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_port_that_is_taken_is_refused(server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "cg-sense", "--port", str(server.port)]) == 2
    assert f"port {server.port} (Address already in use" in capsys.readouterr().err
