"""The noise level of every coil, read off what a scan acquired.

Two estimates, both of which signal can only raise:

- quiet places: short-time spectra of each readout say how much power lies at which place and at
  which frequency. The quietest are noise alone beyond the object and far from k-space's centre
  (cf. Donoho's estimate from the finest wavelets, IEEE Trans. Inf. Theory 41, 1995). Noise is
  white, signal is not: where neighbouring frequencies of a place are equally quiet, it is noise;
- prediction: signal is seen by all coils and is smooth between samples, so each sample far from the
  centre is predicted from those beside it in all coils, as in SPIRiT (Lustig & Pauly, MRM 64,
  2010). What cannot be predicted is noise. It needs several coils, but no empty place. Where
  neighbouring lines were sampled, too, a few coils predict signal far below the noise.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

USUAL_NOISE = 0.05  # of a scan with intensities about 1 and a signal-to-noise ratio of 30

_WINDOWS = 4  # side by side along a readout
_SHORTEST = 16  # readouts that are taken apart so
_SAMPLES = 256  # whose mean power is known within 6 %
_DEVIATIONS = 4  # of means that are equal
_SHARE = 0.1  # of all places: so many are not quiet by chance
_SHARE_ALONE = 0.2  # of samples that stand alone: nothing says that their spectrum is white
_GROUP = 8  # coils that predict each other
_WIDTHS = 7, 3  # samples of each coil that predict, the one in the middle among them
_FEWEST = 4  # coils whose lines tell
_GROUP_IN_BLOCKS = 4
_PATCHES = (5, 7), (5, 5)  # lines and samples of each coil that predict
_RIDGES = tuple(10.0**-n for n in range(9))
_NEAR = 1.25  # ratio of an estimate to one that it confirms
_AGREE = 1.1  # ratio of estimates that agree
_ROWS = 3  # of what is learnt from, per unknown
_OTHERS = 2  # ratio of all noise that is left to a coil's own
_OWED = 0.2  # of a coil's power of noise, to others whose noise is not known

Lines = Complex[Tensor, "coil _line _sample"]
Blocks = Complex[Tensor, "coil 2 _block _line _sample"]  # either half says what the other predicts
Estimate = tuple[Float[Tensor, "coil"], Bool[Tensor, "coil"]]  # and whether it is noise alone


def noise_levels(
    *along: Complex[Tensor, "coil _ _"], blocks: Blocks | None = None
) -> Float[Tensor, "coil"]:
    """Standard deviation of each coil's complex noise in a k-space sample, E|n|² = σ².

    A coil without an estimate that can be believed has the median of the others, if that is
    less than what it has at most; all have NaN where most are without.

    Args:
        along: acquired lines along one axis or several, each centred; those farthest from the
            centre of k-space first. Samples that stand alone are lines of one.
        blocks: of neighbouring lines, if there are some, in two halves without a common sample.
    """
    levels, sure = _least([quiet_places(lines) for lines in along])
    if not sure.all():
        predictions = [prediction(lines) for lines in along]
        if blocks is not None:
            predictions.append(prediction_in_blocks(blocks))
        predicted, certain = _least(predictions)
        certain &= predicted < _NEAR * levels
        sure &= levels < _AGREE * predicted
        levels = torch.where(sure, levels, levels.minimum(predicted))
        sure |= certain
    if int(sure.sum()) < max(min(2, len(sure)), len(sure) / 2):
        return torch.full_like(levels, math.nan)
    return torch.where(sure, levels, levels.minimum(levels[sure].median()))


def _least(estimates: list[Estimate]) -> Estimate:
    """The least estimate of each coil: it is noise alone if one that is agrees with it."""
    levels, sure = (torch.stack(parts) for parts in zip(*estimates, strict=True))
    least = levels.amin(0)
    return least, (sure & (levels <= _AGREE * least)).any(0)


def known(noise: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """The noise levels of examples, the usual one in place of those that are unknown (NaN)."""
    return torch.where(noise.isnan(), USUAL_NOISE, noise)


def quiet_places(lines: Lines) -> Estimate:
    """Noise level of each coil from its quietest places and frequencies."""
    sizes = lines.abs().amax((1, 2)).clamp_min(torch.finfo().tiny)  # squares must not vanish
    found = [_quietest(*_powers(coil / size)) for coil, size in zip(lines, sizes, strict=True)]
    levels = torch.tensor([level for level, _ in found]) * sizes
    return levels, torch.tensor([sure for _, sure in found])


def _powers(lines: Complex[Tensor, "line sample"]) -> tuple[Float[Tensor, "group band place"], int]:
    """Mean powers of noise of unit variance are 1; and how many samples each is the mean of."""
    samples = lines.shape[1]
    if samples < _SHORTEST:
        return _grouped(lines.abs().square()[:, None], float(samples))
    width = samples // _WINDOWS
    window = torch.hann_window(width)
    pieces = lines.unfold(1, width, width // 2) * (window / window.square().sum().sqrt())
    power = torch.fft.fft(pieces).abs().square()  # its squared Hann leaks next to nothing
    near = max(2, width // 8)
    around = torch.cat([power, power[..., : near - 1]], -1).unfold(-1, near, max(1, near // 2))
    return _grouped(around.mean(-1), (near + 0.5) / 1.5)


def _grouped(power: Tensor, samples: float) -> tuple[Tensor, int]:
    """Means over groups of neighbouring lines, half of which the next group has, too."""
    size = min(len(power), math.ceil(_SAMPLES / samples))
    groups = power.unfold(0, size, max(1, size // 2)).mean(-1)
    return groups, max(1, round(size * samples))


def _quietest(power: Float[Tensor, "group band place"], samples: int) -> tuple[float, bool]:
    """The mean of all that are as quiet as the quietest, and whether it is noise alone."""
    found = power > 0  # filled in by a scanner
    if not found.any():
        return 0.0, False
    quiet = found & (power < power[found].min() * (1 + _DEVIATIONS / math.sqrt(samples)))
    bands = power.shape[1]
    # Real images have the same power at opposite frequencies.
    opposite = quiet | quiet.flip(1)
    half = opposite[:, : (bands + 1) // 2]
    white = half.sum(1) > 1 if bands > 1 else quiet.sum(1) > 0
    share = _SHARE if bands > 1 else _SHARE_ALONE
    sure = float(white.sum()) > share * white.numel()
    return math.sqrt(float(power[quiet].mean())), sure


def prediction(lines: Lines) -> Estimate:
    """Noise level of each coil from what other coils and neighbours on a line cannot predict.

    Lines of few coils do not tell: more neighbours may not help, and yet there is signal.
    """
    outer = lines[:, : max(2, lines.shape[1] // 2)]
    pairs = [outer[:, half : outer.shape[1] // 2 * 2 : 2] for half in (0, 1)]
    quarter = lines.shape[2] // 4
    halves = torch.stack(pairs, 1)
    ends = torch.cat([halves[..., :quarter], halves[..., lines.shape[2] - quarter :]], 2)
    levels, sure = _predicted(ends[:, :, :, None], [(1, width) for width in _WIDTHS], _GROUP)
    return levels, sure & (len(lines) >= _FEWEST)


def prediction_in_blocks(blocks: Blocks) -> Estimate:
    """Noise level of each coil from what other coils and neighbours on all sides cannot predict."""
    return _predicted(blocks, _PATCHES, _GROUP_IN_BLOCKS)


def _predicted(blocks: Blocks, patches: Sequence[tuple[int, int]], at_once: int) -> Estimate:
    """Noise levels from what coils cannot predict of each other, so many at a time."""
    coils, _, count, lines, samples = blocks.shape
    levels, sure = torch.full((coils,), math.inf), torch.zeros(coils, dtype=torch.bool)
    height, width = patches[0]
    rows = count * max(0, lines - height + 1) * max(0, samples - width + 1)
    unknowns = height * width * min(coils, at_once)
    if coils < 2 or rows < unknowns:
        return levels, sure
    for first in range(0, coils, at_once):
        # The last ones are predicted together with some before them.
        group = torch.arange(coils)[max(0, min(first, coils - at_once)) :][:at_once]
        more, fewer = (_unpredictable(blocks[group], patch) for patch in patches)
        levels[group], sure[group] = _told(more, fewer, rows >= _ROWS * unknowns)
    return levels, sure


class _Left(NamedTuple):
    """The part of coils that is left unpredicted.

    Attributes:
        level: of each coil's own noise.
        most: the level if all that is left were the coil's own.
        weights: of every coil's noise, as power, in what is left of each.
    """

    level: Float[Tensor, "coil"]
    most: Float[Tensor, "coil"]
    weights: Float[Tensor, "coil coil"]


def _told(more: _Left, fewer: _Left, enough: bool) -> Estimate:
    """Noise levels from what more neighbours leave and from what fewer do.

    It is taken to be noise where more leave no less, and where it is not the small rest of the
    noise of others, nor hangs on others of which that does not hold. Elsewhere it is the most that
    there can be.

    Args:
        more: what is left by more neighbours.
        fewer: by fewer.
        enough: was learnt from to tell.
    """
    agree = enough & (fewer.level < _AGREE * more.level)
    owed = more.weights @ torch.where(agree, 0, more.most.square())
    sure = agree & (more.most < _OTHERS * more.level) & (owed < _OWED * more.level.square())
    others = more.weights @ torch.where(sure, more.level.square(), 0)
    most = (more.most.square() - others).clamp_min(0).sqrt().maximum(more.most / _OTHERS)
    return torch.where(sure, more.level.minimum(fewer.level), most).float(), sure


def _unpredictable(blocks: Blocks, patch: tuple[int, int]) -> _Left:
    """The noise of coils that predict each other from patches of so many lines and samples.

    One half says how the other is predicted. The error there is too large, that
    where it was learnt too small, by the same factor. It has the noise of the sample and, as far as
    they have weight, of those beside it: v_c = σ_c² + Σ_d w_cd σ_d².
    """
    coils, neighbours = len(blocks), math.prod(patch)
    size = blocks.abs().square().mean((1, 2, 3, 4)).sqrt().clamp_min(torch.finfo().tiny)
    grams = []
    for half in (blocks / size[:, None, None, None, None]).unbind(1):
        patches = half.unfold(2, patch[0], 1).unfold(3, patch[1], 1)
        rows = patches.movedim(0, 3).flatten(3).flatten(0, 2).to(torch.complex128)
        grams.append(rows.mH @ rows / len(rows))
    middle = torch.arange(coils) * neighbours + neighbours // 2
    errors = torch.zeros(coils, dtype=torch.float64)
    weights = torch.zeros(coils, coils, dtype=torch.float64)
    for here, there in (grams, grams[::-1]):
        powers, vectors = torch.linalg.eigh(here)
        across, seen = vectors.mH @ there @ vectors, vectors[middle].mH
        least = torch.full((coils,), math.inf, dtype=torch.float64)
        learnt, used = torch.zeros_like(errors), torch.zeros_like(weights)
        for ridge in _RIDGES:
            filters = seen / (powers.clamp_min(0) + ridge)[:, None]
            filters = filters / (seen.conj() * filters).sum(0)
            error = (filters.conj() * (across @ filters)).sum(0).real.clamp_min(0)
            known = powers.clamp_min(0) @ filters.abs().square()
            better = error < least
            least = torch.where(better, error, least)
            learnt = torch.where(better, known, learnt)
            squares = (vectors @ filters).abs().square()
            squares[middle, torch.arange(coils)] -= 1
            power = squares.reshape(coils, neighbours, coils).sum(1).T
            used = torch.where(better[:, None], power, used)
        errors += (least * learnt).sqrt() / 2
        weights += used / 2
    own = torch.linalg.solve(torch.eye(coils, dtype=torch.float64) + weights, errors)
    own = torch.where(own > 0, own, errors / (1 + weights.sum(1)))
    sizes = size.double()
    weights = weights * sizes.square()[:, None] / sizes.square()
    return _Left(own.sqrt() * sizes, errors.sqrt() * sizes, weights)
