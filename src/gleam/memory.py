"""Memory that ran out: one way to know it, whoever was refused, and one way to say it."""

import re
import sys

from gleam.errors import BadInput, Stopped

# PyTorch, cuBLAS, cuDNN, cuFFT, C++ and HDF5 have no type of their own for it, or not always.
_WORDS = re.compile(r"out of memory|alloc\w*[ _]failed|bad_alloc|allocat|at alloc", re.IGNORECASE)
_ASKED = re.compile(r"tried to allocate ([\d.]+) ?(\w+)", re.IGNORECASE)
_THERE = re.compile(r"total capacity of ([\d.]+ \w+)")


def exhausted(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is that there was no memory left, on any device."""
    while error is not None:
        ours = isinstance(error, BadInput | Stopped)  # speaks of memory only where its cause does
        if isinstance(error, _kinds()) or (not ours and _WORDS.search(str(error))):
            return True
        error = error.__cause__
    return False


def asked_for(error: BaseException) -> str:
    """The memory that was asked for, in one line, as far as the error knows."""
    text = str(error)
    asked, there = _ASKED.search(text), _THERE.search(text)
    if asked is None:
        return "out of memory"
    number, unit = asked.groups()
    amount = f"{float(number) / 2**20:.0f} MiB" if unit == "bytes" else f"{number} {unit}"
    of_all = f" of {there[1]} in all" if there else ""
    return f"out of memory: {amount} more were asked for{of_all}"


def _kinds() -> tuple[type[BaseException], ...]:
    torch = sys.modules.get("torch")
    return (MemoryError,) if torch is None else (MemoryError, torch.OutOfMemoryError)
