"""`check`: how far images of a scan can be trusted, without the truth."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from gleam.data.holdout import Pattern
from gleam.errors import BadInput
from gleam.face.examples import Example
from gleam.face.images import Image
from gleam.face.methods import Data, Method, prepared, way_of
from gleam.face.words import checked_mask, in_python
from gleam.files import check_new, make_folder
from gleam.recipe import MaskRecipe
from gleam.reconstruction import check as checking
from gleam.reconstruction.checked import MOST_DRAWS, Plan
from gleam.reconstruction.checked import Check as Found
from gleam.reconstruction.disagreement import Disagreement
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.trust import trusting


class Check(Found):
    """Findings of a check: `check["wavelet"].error.value`, `check.best`, `check.verdict`.

    Errors are those of predicted samples, relative to the samples; see docs/check.md.

    >>> found = gleam.check(data, ["wavelet", "cg-sense"], gleam.mask(acceleration=2), draws=2)
    >>> found["wavelet"].error.value < found["cg-sense"].error.value
    True
    >>> found.disagreement.save("disagreement.png")
    """

    _disagreement: Image | None = PrivateAttr(None)

    @property
    def disagreement(self) -> Image:
        """Disagreement of the methods at each place of the image: root mean square deviation from
        their mean."""
        assert self._disagreement is not None
        return self._disagreement

    @in_python()
    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write it to a .json file, as `gleam check` does.

        Args:
            path: of the file.
            force: replace what is there.

        Raises:
            BadInput: it is there already, or cannot be written.
        """
        path = Path(path)
        check_new(path, force)
        make_folder(path.parent)
        super().save(path)


@in_python()
def check(
    data: Data,
    methods: str | os.PathLike[str] | Sequence[Method] | Mapping[str, Method],
    mask: MaskRecipe | None = None,
    *,
    draws: int = Plan.draws,
    pattern: Pattern = Plan.pattern,
    force: bool = False,
    device: str | None = None,
    trust: Sequence[str] = (),
) -> Check:
    """Check how far images of a scan can be trusted, without knowing the truth; see docs/check.md.

    Some acquired samples are held out, every method reconstructs from the rest, and its image must
    predict them. Methods that have learnt from the scan itself are not ranked.

    >>> found = gleam.check(data, ["runs/greedy", "wavelet"], gleam.mask(acceleration=2), draws=2)
    >>> found.verdict
    '... predicts this scan best, ...'

    Args:
        data: of `prepare` or `open`; or a scan, or the file of either.
        methods: one, several, or several by names of your own: whatever `reconstruct` takes.
        mask: undersample a fully sampled scan first.
        draws: how often samples are held out, others each time; 3 or more give intervals.
        pattern: what is held out: "lines", "segments" of lines, or single "samples".
        force: use a run's network on other kinds of scans than it was trained on, too.
        device: as for `reconstruct`.
        trust: modules that may be imported for a run's network, by name.

    Raises:
        BadInput: there is no such method, or it does not fit the scan; or the scan was sampled in
            full, or has too few samples.
    """
    if not 1 <= draws <= MOST_DRAWS:
        raise BadInput(f"check: --draws is 1 to {MOST_DRAWS}, not {draws}")
    mask = checked_mask(mask)
    if isinstance(methods, Mapping):
        named = {name: _way(method, device, force, trust) for name, method in methods.items()}
    else:
        several = [methods] if isinstance(methods, str | os.PathLike) else methods
        ways = [_way(method, device, force, trust) for method in several]
        named = {way.name: way for way in ways}
        if len(named) < len(ways):
            raise BadInput("check: two methods have one name; give them as {name: method}")
    if not named:
        raise BadInput("check: names no method; give one or several")
    example = data if isinstance(data, Example) else prepared(data, checking.sets_of(named))
    disagreement = Disagreement(example.source)
    plan = Plan(draws=draws, pattern=pattern)
    found = checking.check(named, example.source, mask, plan, seen=disagreement)
    result = Check(**dict(found))
    result._disagreement = Image(**vars(disagreement.volume()))
    return result


def _way(method: Any, device: str | None, force: bool, trust: Sequence[str]) -> Reconstructor:
    with trusting(trust or getattr(method, "trust", ())):
        return way_of(method, device, force=force)
