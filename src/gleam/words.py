"""Words for messages."""

from collections.abc import Iterable
from difflib import SequenceMatcher

_NEAR = 0.7  # of 1: what people mistype shares so much with what they meant
_SHORTENED = 3  # letters of a name that tell which is meant


def nearest(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """A hint at what a misspelt name was meant to be, where one is near.

    Of a path, such as training.steps, the last word has to be near: every field of a part would be,
    if the words before it counted.

    Args:
        name: as it was said.
        known: what could have been said.
        otherwise: the hint where nothing is near; by default all that is known.
    """
    known = list(known)
    near = [one for one in known if _alike(_last_word(name), _last_word(one))]
    if near:
        best = max(near, key=lambda one: SequenceMatcher(None, name, one).ratio())
        return f"did you mean {best}?"
    return otherwise or f"known are {', '.join(known)}"


def counted(number: int, what: str) -> str:
    """`1 slice`, `2 slices`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def sized(sizes: Iterable[int | float]) -> str:
    """`320 × 256`."""
    return " × ".join(f"{size:.4g}" for size in sizes)


def not_installed(library: str, extra: str) -> str:
    """Advice on installing what an extra of this package needs: it is on no index, but in a
    clone."""
    return f"needs {library}; install it, in your clone of GLEAM, with: pip install -e '.[{extra}]'"


def _alike(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) >= _SHORTENED and longer.startswith(shorter):
        return True
    return SequenceMatcher(None, one, other).ratio() >= _NEAR


def _last_word(path: str) -> str:
    return path.rpartition(".")[2].strip("-").replace("_", "-").lower()
