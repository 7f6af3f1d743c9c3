"""`largest`: the largest number that fits, where each question is dear."""

from collections.abc import Callable


def largest(
    fits: Callable[[int], bool], least: int, most: int, near: int | None = None
) -> int | None:
    """The largest number from `least` to `most` that fits; None if none does.

    Args:
        fits: whether a number does; and if it does, so do all below it.
        least: 1 or more.
        most: may be far too large where `near` is said.
        near: the number that is asked about first, from which they double until one does not fit;
            the middle one, if not said.
    """
    low, high = least - 1, most + 1  # what fits, as far as is known, and what does not
    guess = (low + high) // 2 if near is None else min(max(least, near), most)
    while high - low > 1:
        low, high = (guess, high) if fits(guess) else (low, guess)
        guess = (low + high) // 2
        if high > most:  # all that was asked about fits
            guess = min(guess, 2 * low)
    return low if low >= least else None
