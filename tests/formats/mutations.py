"""Ways to spoil a file: any bytes, and numbers in text.

Everything is drawn from the generator that is passed in, so that a mutant can be made again.
"""

import re
from typing import Any

import numpy as np

Rng = np.random.Generator

NUMBERS = (
    "-1", "0", "1", "3", "1e3", "65536", "2147483647", "2147483648", "-2147483649", "4294967297",
    "9223372036854775807", "99999999999999999999999", "1e308", "1e999", "-1e-300", "nan", "-inf",
    "0x10", "1_0", "٣", "", "x",
)  # fmt: skip
INTEGERS = (0, 1, 2, 127, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)


def spoil_bytes(data: bytes, rng: Rng) -> bytes:
    """One to four edits of bytes."""
    for _ in range(rng.integers(1, 5)):
        edit = pick(rng, BYTE_EDITS)
        data = edit(data, rng) if data else rng.bytes(9)
    return data


def spoil_text(data: bytes, rng: Rng) -> bytes:
    """One to four numbers replaced."""
    for _ in range(rng.integers(1, 5)):
        data = other_number(data, rng)
    return data


def _place(data: bytes, rng: Rng) -> int:
    """Headers tend to come first."""
    return int(rng.integers(min(len(data), int(rng.choice([64, 512, 4096, 2**40])))))


def _block(data: bytes, rng: Rng) -> tuple[int, int]:
    start = _place(data, rng)
    return start, min(len(data), start + int(rng.choice([1, 4, 16, 256, 4096])))


def flipped(data: bytes, rng: Rng) -> bytes:
    spoilt = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        spoilt[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(spoilt)


def other_integer(data: bytes, rng: Rng) -> bytes:
    size, order = int(rng.choice([1, 2, 4, 8])), pick(rng, ("little", "big"))
    number = (pick(rng, INTEGERS) % 2 ** (8 * size)).to_bytes(size, order)
    start = _place(data, rng)
    if rng.random() < 0.5:
        start -= start % size
    return data[:start] + number + data[start + size :]


def other_number(data: bytes, rng: Rng) -> bytes:
    """Half the time the rest stays in its place, at the cost of spaces, if there are any."""
    found = [match.span() for match in re.finditer(rb"-?\d+(?:\.\d+)?", data[: 2**16])]
    if not found:
        return flipped(data, rng)
    start, stop = found[rng.integers(len(found))]
    number = pick(rng, NUMBERS).encode()
    if rng.random() < 0.5:
        number = number.ljust(stop - start)
        more = len(number) - (stop - start)
        spaces = data.find(b" " * more, stop)
        if spaces >= 0:
            data = data[:spaces] + data[spaces + more :]
    return data[:start] + number + data[stop:]


def cut(data: bytes, rng: Rng) -> bytes:
    return data[: rng.integers(len(data))]


def removed(data: bytes, rng: Rng) -> bytes:
    start, stop = _block(data, rng)
    return data[:start] + data[stop:]


def repeated(data: bytes, rng: Rng) -> bytes:
    start, stop = _block(data, rng)
    return data[:stop] + data[start:stop] * int(rng.integers(1, 9)) + data[stop:]


def swapped(data: bytes, rng: Rng) -> bytes:
    (a, b), (c, d) = sorted([_block(data, rng), _block(data, rng)])
    if b > c:
        return data
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def filled(data: bytes, rng: Rng) -> bytes:
    start, stop = _block(data, rng)
    return data[:start] + bytes([pick(rng, (0, 255))]) * (stop - start) + data[stop:]


def extended(data: bytes, rng: Rng) -> bytes:
    return data + rng.bytes(int(rng.integers(1, 5000)))


BYTE_EDITS = (
    flipped, flipped, other_integer, other_integer, other_number, cut, removed, repeated, swapped,
    filled, extended,
)  # fmt: skip


def pick(rng: Rng, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]
