from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from shelves import NAME, put
from tiny import CG_SENSE, ZERO_FILLED, centred_fft, prepared, tiny_scan

from benchmarks import adaptation_cases, carry, carry_optimizers, carry_wavelets
from benchmarks import check as checking
from benchmarks.adaptation_outcome import Outcome
from benchmarks.bart import undersample
from gleam.data.example import ExampleFile
from gleam.networks import build
from gleam.physics.fourier import ifft
from gleam.recipe import MaskRecipe, Recipe, save
from gleam.runs.assembly import make_learner
from gleam.runs.folder import write_summary
from gleam.runs.learner import Learner
from gleam.runs.run import Run
from gleam.training.adam import Adam
from gleam.trust import trusting


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


@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_muon_makes_updates_orthogonal(shape: tuple[int, int]) -> None:
    made = carry_optimizers.orthogonal(
        torch.randn(shape, generator=torch.Generator().manual_seed(0))
    )
    values = torch.linalg.svdvals(made)
    assert 0.6 < values.min() < values.max() < 1.3  # within what five iterations do


@pytest.mark.parametrize("optimizer", [carry_optimizers.decaying, carry_optimizers.muon])
def test_optimizers_that_are_tried_minimise(
    optimizer: Callable[..., torch.optim.Optimizer],
) -> None:
    weight = torch.nn.Parameter(torch.ones(3, 2, 3, 3))
    bias = torch.nn.Parameter(torch.ones(3))
    learner = optimizer([weight, bias], 0.05)
    for _ in range(40):
        loss = weight.square().sum() + bias.square().sum()
        learner.zero_grad()
        loss.backward()
        learner.step()
    assert weight.detach().norm() < 0.85 * 54**0.5
    assert bias.detach().norm() < 0.2 * 3**0.5


@pytest.mark.parametrize(
    ("name", "kind"), [(carry.BASE, Adam), ("AdamW", Adam), ("Muon", carry_optimizers.Muon)]
)
def test_a_variant_is_trained_by_its_own_optimizer(
    name: str, kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(work: Path, name: str, *_: object, **fields: object) -> Path:
        recipe = Recipe().changed(**fields)
        assert (recipe.seed, recipe.training.steps) == (3, 7)
        learners.append(make_learner(build(recipe.network), recipe))
        return work / name

    learners: list[Learner] = []
    monkeypatch.setattr(carry, "trained", trained)
    monkeypatch.setattr(carry, "anatomy", lambda work, *_: work)
    assert carry.network(tmp_path, name, seed=3, steps=7) == tmp_path / f"{name}, seed 3"
    (learner,) = learners
    decay = carry_optimizers.DECAY if name == "AdamW" else 0
    for module in learner.modules:
        assert type(module.optimizer) is kind
        assert {group["weight_decay"] for group in module.optimizer.param_groups} == {decay}


def test_a_network_that_was_stopped_in_training_is_trained_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A summary is there from the first checkpoint on, and weights are."""

    def train(recipe: Recipe, folder: Path, resume: bool) -> None:
        ways.append(resume)
        folder.mkdir(exist_ok=True)
        save(recipe, folder / "recipe.yaml")
        write_summary(folder, {"steps": 2 if resume else 1})

    ways: list[bool] = []
    monkeypatch.setattr(adaptation_cases, "train", train)
    for _ in range(3):
        adaptation_cases.trained(tmp_path, "run", tmp_path, training={"steps": 2})
    assert ways == [False, True]


def test_a_variant_is_scored_on_its_own_family_and_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is on four slices of its own, adapted on one of each other."""
    put(tmp_path)
    monkeypatch.setattr(carry, "SIZE", (24, 32))
    monkeypatch.setattr(carry, "network", lambda *_: tmp_path / NAME)
    psnr = {0: 20.0, 10: 22.0, 20: 25.0}
    guard = {0: 1.0, 10: 3.0, 20: 2.0}
    scans = []

    def remembered(work: Path, start: Path, example: ExampleFile, *_: object) -> Outcome:
        scans.append(example.header.name)
        return Outcome(example.header.name, "", 0.0, guard, psnr)

    monkeypatch.setattr(carry, "remembered", remembered)
    into = carry.Scores(before={"0, heart": 2.0})
    carry.score(tmp_path, carry.BASE, 1, into)
    assert [name.partition("-")[0] for name in scans] == [*carry.FAMILIES]
    assert len(set(into.home.values())) == 4
    assert all(10 < value < 60 for value in into.home.values())
    new = {f"1, {family}": 20.0 for family in carry.FAMILIES}
    assert into.before == {"0, heart": 2.0} | new
    assert into.adapted == dict.fromkeys(new, 22.0)  # by the guard, not the best


@pytest.mark.parametrize("name", ["half of the slices fractal", "checkpoint chosen on fractals"])
def test_a_variant_is_not_scored_on_what_it_has_seen(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path)
    monkeypatch.setattr(carry, "SIZE", (24, 32))
    monkeypatch.setattr(carry, "network", lambda *_: tmp_path / NAME)
    outcome = Outcome("", "", 0.0, {0: 1.0}, {0: 20.0})
    monkeypatch.setattr(carry, "remembered", lambda *_: outcome)
    into = carry.Scores()
    carry.score(tmp_path, name, 0, into)
    assert set(into.adapted) == {f"0, {family}" for family in carry.FAMILIES if family != "fractal"}


def test_every_variant_is_a_recipe_whose_network_can_be_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all examples that one learns from are there."""
    monkeypatch.setattr(carry, "SIZE", (24, 48))
    monkeypatch.setattr(carry, "SCANS", 2)
    with trusting("benchmarks.carry_wavelets"):
        for name in carry.VARIANTS:
            recipe = Run(carry.network(tmp_path, name, 0, steps=1, validate_every=1)).recipe
            seen = {path.name.partition("-")[0] for path in recipe.data.train.glob("*.h5")}
            assert seen == {"anatomy", "fractal"} if "slices" in name else {"anatomy"}
            assert (recipe.data.validation is not None) == ("chosen" in name)


def test_learnt_wavelets_keep_what_is_large_and_learn() -> None:
    """Thresholds of nothing leave an image alone, large ones take all but large coefficients."""
    noise = torch.Generator().manual_seed(0)
    image = torch.randn(2, 1, 1, 22, 37, dtype=torch.complex64, generator=noise)
    wavelets = carry_wavelets.LearntWavelets()
    with torch.no_grad():
        for threshold in wavelets.log_thresholds:
            threshold.fill_(-20.0)
    torch.testing.assert_close(wavelets(image), image, rtol=0, atol=1e-5)
    with torch.no_grad():
        for threshold in wavelets.log_thresholds:
            threshold.fill_(0.0)
    less = wavelets(image)
    assert less.abs().square().sum() < 0.5 * image.abs().square().sum()
    less.abs().sum().backward()
    slopes = [threshold.grad for threshold in wavelets.log_thresholds]
    assert all(slope is not None and slope < 0 for slope in slopes[:2])  # levels that this size has


def scored(*values: Sequence[float]) -> carry.Scores:
    return carry.Scores(*[{str(n): one for n, one in enumerate(several)} for several in values])


def test_variants_are_compared_slice_by_slice() -> None:
    """A slice that is hard for all says nothing of them."""
    scores = {
        carry.BASE: scored([25, 26], [20, 30], [21, 31]),
        "Muon": scored([25, 26], [21, 31], [20, 32]),
    }
    rows, figures = carry.compared(scores)
    cells = "25.50 | +0.00 ± 0.00 | 26.00 | +1.00 ± 0.00 | 26.00 | +0.00 ± 1.00"
    assert f"| Muon | {cells} |" in rows
    assert figures["carry.Muon_before_db"]["value"] == 1
