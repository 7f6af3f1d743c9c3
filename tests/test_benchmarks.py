from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from tiny import CG_SENSE, ZERO_FILLED, centred_fft, prepared, tiny_scan

from benchmarks import check as checking
from benchmarks.bart import undersample
from gleam.physics.fourier import ifft
from gleam.recipe import MaskRecipe


@pytest.mark.parametrize("kind", ["equispaced", "poisson"])
def test_what_rivals_get_is_kspace_times_the_mask(kind: str) -> None:
    """Whichever axes it varies along: preparation decodes the readout, a mask of two axes samples
    it."""
    example = prepared(tiny_scan((48, 40), slices=1, oversampling=1), calibration=12)
    (case,) = undersample([example], MaskRecipe(kind=kind, acceleration=2))
    images = ifft(example[0].kspace, example.header.axes).numpy()
    sampled = case.kspace != 0
    whole = centred_fft(images, (-2, -1))
    assert np.allclose(case.kspace, sampled * whole, atol=1e-5 * abs(whole).max())
    assert 1.7 < 1 / sampled.mean() < 2.3
    assert sampled[..., 18:30, 14:26].all()


def test_the_check_is_compared_with_the_truth() -> None:
    """Pairs are those that are apart; who chose wrongly loses what the others were better by."""
    example = prepared(tiny_scan((24, 40), slices=1), calibration=8)
    methods = {checking.NETWORK: CG_SENSE, "wavelets": ZERO_FILLED}
    (found,) = checking.outcomes(methods, [("tiny", example)], [MaskRecipe(acceleration=2)])
    found = replace(found, check=found.check.model_copy(update={"best": "wavelets"}))
    gap = found.psnr["wavelets"] - found.psnr[checking.NETWORK]
    ratio = found.check.ratio(checking.NETWORK, "wavelets").value
    # Were they so far apart, and were the check right:
    apart = replace(found, psnr={checking.NETWORK: 20.0, "wavelets": 21.0})
    level = replace(found, psnr={checking.NETWORK: 20.0, "wavelets": 20.1})
    assert [*apart.pairs()] == [ratio > 1]
    assert [*level.pairs()] == []
    assert checking.right([apart, level]) == (float(ratio > 1), 1)
    assert checking.best_less_oracle(apart) == (0 if ratio > 1 else -1)
    assert checking.best_less_oracle(found) in (0, -abs(gap))
    better = replace(found, psnr={checking.NETWORK: 21.0, "wavelets": 20.0})
    unsure = replace(apart, check=found.check.model_copy(update={"best": None}))
    assert [*unsure.pairs()] == []
    assert checking.best_less_oracle(unsure) == -1
    told = f"{checking.NETWORK} does not suit" in found.check.verdict
    assert checking.false_alarms([better, apart]) == told


def test_families_of_scans_differ() -> None:
    made = [make(4, 50.0) for _, make in checking.families(0)]
    assert {one.shape for one in made} == {(1, 4, 1, *checking.SIZE)}
    images = [one[0].target.abs() for one in made]
    for one, other in combinations(images, 2):
        assert (one - other).norm() > 0.1 * one.norm()
