"""Agreement of checks without the truth with the truth, in how they order methods."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from gleam.data.example import Example
from gleam.errors import BadInput
from gleam.evaluation.scores import Score
from gleam.recipe import MaskRecipe
from gleam.reconstruction.check import check
from gleam.reconstruction.checked import Check
from gleam.reconstruction.reconstructor import Reconstructor

LEAST = 0.5  # dB of complex PSNR per scan between two methods: less is no order that matters


@dataclass(frozen=True)
class Agreement:
    """Agreement of check and truth.

    Attributes:
        pairs: of two ranked methods on a scan that are `LEAST` dB apart or more.
        right: of these, in the same order.
    """

    pairs: int
    right: int


def checked(
    methods: Mapping[str, Reconstructor], examples: Iterable[Example], mask: MaskRecipe
) -> Iterator[tuple[str, Check | str]]:
    """The check of each scan, or why there is none, by the scan's name.

    Args:
        methods: by the names that tables call them.
        examples: the test set.
        mask: that they are undersampled by.
    """
    for example in examples:
        try:
            yield example.header.name, check(methods, example, mask)
        except BadInput as error:
            yield example.header.name, str(error)


def agreement(scores: Sequence[Score], checks: Sequence[Check]) -> Agreement:
    """Count.

    Args:
        scores: per scan.
        checks: of some or all of these scans.
    """
    psnr = {(score.scan, score.method): score.psnr_complex for score in scores}
    pairs = right = 0
    for one in checks:
        if one.best is None:  # it says itself that it cannot tell
            continue
        ranked = [prediction.method for prediction in one.methods if not prediction.learnt]
        for method, other in combinations(ranked, 2):
            gap = psnr[one.scan, method] - psnr[one.scan, other]
            if math.isfinite(gap) and abs(gap) >= LEAST:
                pairs += 1
                right += (gap > 0) == (one.ratio(method, other).value < 1)
    return Agreement(pairs, right)
