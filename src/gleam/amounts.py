"""Amounts, of memory above all, as people say them."""

import re

from gleam.errors import BadInput

_UNITS = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}


def bytes_of(text: str, what: str, least: int = 2**20) -> int:
    """An amount of bytes, said with its unit.

    Args:
        text: "4GiB", say.
        what: the option, for messages.
        least: of bytes.

    Raises:
        BadInput: no amount, or less than the least.
    """
    read = re.fullmatch(r"(\d+(?:\.\d+)?) *([MG]i?B)", text)
    number = 0.0 if read is None else float(read[1]) * _UNITS[read[2]]
    if number < least:
        raise BadInput(f"{what} is {least // 2**20}MiB or more, as 4GiB; not {text!r}")
    return int(number)


def rounded(number: float, digits: int = 2) -> str:
    """A number to so many significant digits, a large one to a whole: `0.012`, `3.5`, `1234`.

    The format `g` alone says 1234 as 1.2e+03.
    """
    return f"{number:.0f}" if abs(number) >= 10**digits - 0.5 else f"{number:.{digits}g}"


def in_bytes(count: int) -> str:
    """Bytes as MiB or GiB."""
    mebibytes = count / 2**20
    if mebibytes < 1000:
        return f"{mebibytes:.3g} MiB"
    return f"{rounded(mebibytes / 1024, 3)} GiB"
