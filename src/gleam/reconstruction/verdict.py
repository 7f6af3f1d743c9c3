"""The verdict on methods by their predictions of held-out samples, in numbers and words."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gleam.amounts import rounded
from gleam.reconstruction.checked import OF_INTERVALS, Check, Plan, Prediction, jackknifed
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.words import counted

_DROWNED = 0.95  # of what is held out, that noise alone makes up: what is left tells nothing
_GUESSED = 0.9  # of the signal, that the best prediction misses: then none is better than chance


@dataclass(frozen=True)
class Trial:
    """A method that is checked.

    Attributes:
        name: of it.
        method: how it reconstructs.
        doubts: see `Reconstructor.check`.
        learnt: whether it has learnt from this very scan.
        squares: by draw, mean square errors of slices.
        seconds: of each image.
    """

    name: str
    method: Reconstructor
    doubts: Sequence[str]
    learnt: bool
    squares: dict[int, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def add(self, draw: int, square: float, seconds: float) -> None:
        """One image's mean square error."""
        self.squares.setdefault(draw, []).append(square)
        self.seconds.append(seconds)


def judged(
    scan: str,
    plan: Plan,
    energies: Mapping[int, Sequence[float]],
    noises: Sequence[float],
    trials: Sequence[Trial],
) -> Check:
    """Put it together.

    Args:
        scan: its name.
        plan: what was held out.
        energies: by draw, mean squares of the samples of each slice.
        noises: of each image's samples, σ², the mean over coils; NaN where unknown.
        trials: of all methods.
    """
    each = _means(energies)
    energy = statistics.fmean(each) or math.inf
    noise = statistics.fmean(noises) / energy
    check = Check(
        scan=scan,
        pattern=plan.pattern,
        share=plan.share,
        draws=plan.draws,
        energies=tuple(one / energy for one in each),
        noise=None if math.isnan(noise) else math.sqrt(noise),
        methods=tuple(_prediction(trial, each, noise) for trial in trials),
        best=None,
        verdict="",
    )
    ranked = sorted(
        (one for one in check.methods if not one.learnt), key=lambda one: one.error.value
    )
    tells = ranked and _missed(ranked[0]) <= _GUESSED and not _drowned(check)
    check = check.model_copy(update={"best": ranked[0].method if tells else None})
    return check.model_copy(update={"verdict": " ".join(_sentences(check, ranked))})


def _prediction(trial: Trial, energies: Sequence[float], noise: float) -> Prediction:
    squares = _means(trial.squares)
    error, known = jackknifed(squares, energies), not math.isnan(noise)
    energy = statistics.fmean(energies) or math.inf
    beyond = max(0.0, error.value**2 - noise) / max(1 - noise, 1e-6) if known else 0.0
    return Prediction(
        method=trial.name,
        network=trial.method.learns,
        error=error,
        against_noise=error.value / math.sqrt(noise) if known and noise > 0 else None,
        beyond_noise=math.sqrt(beyond) if known else None,
        squares=tuple(square / energy for square in squares),
        learnt=trial.learnt,
        doubts=tuple(trial.doubts),
        seconds=statistics.median(trial.seconds),
    )


def _means(by_draw: Mapping[int, Sequence[float]]) -> list[float]:
    return [statistics.fmean(by_draw[draw]) for draw in sorted(by_draw)]


def _drowned(check: Check) -> bool:
    """Whether what was held out is next to nothing but noise."""
    return check.noise is not None and check.noise > _DROWNED


def _missed(one: Prediction) -> float:
    """Share of the signal that a prediction misses; of all there is where noise is unknown."""
    return one.error.value if one.beyond_noise is None else one.beyond_noise


def _sentences(check: Check, ranked: Sequence[Prediction]) -> list[str]:
    sentences = []
    if check.best is not None:
        sentences = [_of_best(check, ranked[0]), *(_of_other(check, one) for one in ranked[1:])]
    elif ranked and _drowned(check):
        sentences.append(
            "What was held out is next to nothing but noise, so it tells nothing of these images."
        )
    elif ranked:
        sentences.append(
            "What was held out is predicted hardly better than by an empty image, with an error of "
            f"{rounded(ranked[0].error.value)} of it at least: too few samples, or coils, are left "
            "for this check to tell anything."
        )
    if len(ranked) > 1 and check.best is not None and check.draws < OF_INTERVALS:
        sentences.append(
            f"How sure that is, {counted(check.draws, 'draw')} cannot tell; {OF_INTERVALS} or more "
            "can."
        )
    return sentences + [
        f"{one.method} has learnt from this very scan, so this check does not apply to it: it "
        "predicts such samples better than its image is."
        for one in check.methods
        if one.learnt
    ]


def _of_best(check: Check, best: Prediction) -> str:
    missed = f"an error of {rounded(best.error.value)} of what was held out"
    if best.error.low is not None and best.error.high is not None:
        missed += f" ({rounded(best.error.low)} to {rounded(best.error.high)})"
    if check.noise is None:
        floor = "how much of it is noise is not known"
    else:
        floor = f"noise alone gives {rounded(check.noise)}"
    alone = len(check.methods) == 1
    return f"{best.method} predicts this scan {'' if alone else 'best, '}with {missed}; {floor}."


def _of_other(check: Check, one: Prediction) -> str:
    assert check.best is not None
    best, ratio = check[check.best], check.ratio(one.method, check.best)
    if check.draws < OF_INTERVALS:
        return f"{one.method} has an error of {rounded(one.error.value)}."
    if ratio.low is None or ratio.low <= 1:
        return f"{one.method} predicts it about as well."
    better = f"{best.method} predicts it {_times(one, best, ratio.value)}"
    if one.network:
        return f"{one.method} does not suit this scan: {better}; adapt it, or take {best.method}."
    return (
        f"{better} than {one.method}."
        if better.endswith("better")
        else f"{better} as {one.method}."
    )


def _times(one: Prediction, best: Prediction, ratio: float) -> str:
    """The best one's advantage in words, noise apart where it is known."""
    if one.beyond_noise is not None and best.beyond_noise:
        ratio = one.beyond_noise / best.beyond_noise
    if ratio < 1.95:
        return f"{100 * (ratio - 1):.0f} % better"
    return "twice as well" if ratio < 2.25 else f"{rounded(ratio)} times as well"
