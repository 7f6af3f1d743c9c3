"""Findings of a check of images without the truth: the content of check.json.

Errors are root mean squares over all samples that were held out, relative to those samples: 1 is
the error of an empty image. Intervals are jackknifed over draws (Efron & Stein, Ann. Statist. 9,
1981), 95 % of a t distribution; ratios compare methods on the same draws, so that what is hard to
predict for all cancels. Two draws have one difference to tell the spread by, and 95 % of a t
distribution of one degree of freedom is 12.7 deviations to either side: no interval is given then.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.special import stdtrit

from gleam.data.holdout import Pattern
from gleam.errors import BadInput
from gleam.files import check_exists, write_json
from gleam.formats.parts import suffixes_of

VERSION = 1
MOST_DRAWS = 10
OF_INTERVALS = 3  # draws that an interval takes


@dataclass(frozen=True)
class Plan:
    """The plan of what is held out.

    Attributes:
        draws: how often, of other samples each time.
        share: of the samples outside the centre, in each draw.
        pattern: lines, segments of them or single samples; see `gleam.data.holdout.held_out`.
    """

    draws: int = 6
    share: float = 1 / 12
    pattern: Pattern = "lines"

    def turns(self, slices: int) -> list[tuple[int, range]]:
        """Each draw, and the slices that have it: every draw and every slice has its turn."""
        if slices > self.draws:
            return [(draw, range(draw, slices, self.draws)) for draw in range(self.draws)]
        return [(draw, range(draw % slices, draw % slices + 1)) for draw in range(self.draws)]

    def rounds(self, slices: int) -> int:
        """Number of rounds, in each of which every method makes an image."""
        return max(self.draws, slices)


class Range(BaseModel):
    """A number and its interval; the ends are None where too few draws say nothing of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float | None = None
    high: float | None = None


class Prediction(BaseModel):
    """Quality of one method's prediction of what was held out.

    Attributes:
        method: its name.
        network: whether it is one.
        error: root mean square, relative.
        against_noise: the error over what noise alone would give; None where noise is unknown.
        beyond_noise: the error, less what noise adds to it, over the signal; None as well.
        squares: of each draw, the mean square error over the mean square of all draws' samples.
        learnt: whether the method has learnt from this very scan, so that it is not ranked.
        doubts: what else may be wrong with it, sentences that go on from its name.
        seconds: for an image, the median.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    network: bool
    error: Range
    against_noise: float | None
    beyond_noise: float | None
    squares: tuple[float, ...]
    learnt: bool
    doubts: tuple[str, ...]
    seconds: float


class Check(BaseModel):
    """Check of the images of one scan.

    Attributes:
        version: of this record.
        scan: its name.
        pattern: lines, segments or samples were held out.
        share: of the samples outside the centre, in each draw.
        draws: how many.
        energies: of each draw, the mean square of its samples over that of all.
        noise: what noise alone gives as an error, relative; None where its level is unknown.
        methods: in the order that they were given.
        best: of those that are ranked, the one with the least error; None where none is, or where
            the check says in its verdict that it tells nothing.
        verdict: all of it in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERSION
    scan: str
    pattern: str
    share: float
    draws: int
    energies: tuple[float, ...]
    noise: float | None
    methods: tuple[Prediction, ...]
    best: str | None
    verdict: str

    def __getitem__(self, method: str) -> Prediction:
        """The prediction of the method of that name."""
        return next(one for one in self.methods if one.method == method)

    def ratio(self, method: str, other: str) -> Range:
        """The error of a method over that of another."""
        return jackknifed(self[method].squares, self[other].squares)

    def save(self, path: Path) -> None:
        """Write it, as check.json.

        Raises:
            BadInput: the folder cannot be written to.
        """
        write(path, [self])

    def __repr__(self) -> str:
        return f"<Check {self.scan!r}: {self.verdict}>"


def beside(image: Path) -> Path:
    """The path of the check of an image."""
    return image.with_name(f"{image.name.removesuffix(suffixes_of(image))}.check.json")


def write(path: Path, checks: Sequence[Check]) -> None:
    """Write the checks of one or several scans.

    Raises:
        BadInput: the folder cannot be written to.
    """
    write_json(path, [json.loads(one.model_dump_json()) for one in checks])


def read(path: Path) -> list[Check]:
    """Read what `write` wrote.

    Raises:
        BadInput: it is not there, broken, or of a later version.
    """
    check_exists(path, "make one with `gleam check`")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, list):
            raise TypeError("not a list of checks")
        later = max((one["version"] for one in content), default=VERSION)
        if later > VERSION:
            raise BadInput(
                f"{path}: is of version {later}, this program knows {VERSION}; update it"
            )
        return [Check.model_validate_json(json.dumps(one)) for one in content]
    except (OSError, ValueError, TypeError, KeyError, ValidationError) as error:
        raise BadInput(f"{path}: is broken, or no check.json; make it again") from error


def jackknifed(squares: Sequence[float], others: Sequence[float]) -> Range:
    """The root of the ratio of two sums over draws, and its interval.

    Args:
        squares: of each draw.
        others: of the same draws.
    """
    above, below = np.array(squares), np.array(others)
    value = _root(above.sum(), below.sum())
    count = len(above)
    if count < OF_INTERVALS:
        return Range(value=value)
    left = [_root(above.sum() - a, below.sum() - b) for a, b in zip(above, below, strict=True)]
    if not (value > 0 and min(left) > 0 and np.isfinite(left).all()):
        return Range(value=value)
    logs = np.log(left)
    deviation = math.sqrt((count - 1) / count * float(((logs - logs.mean()) ** 2).sum()))
    reach = math.exp(float(stdtrit(count - 1, 0.975)) * deviation)
    return Range(value=value, low=value / reach, high=value * reach)


def _root(above: float, below: float) -> float:
    return math.sqrt(max(0.0, float(above)) / float(below)) if below > 0 else 0.0
