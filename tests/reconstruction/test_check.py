"""A check without the truth: what is held out, who sees it, and what is said of it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import CG_SENSE, ZERO_FILLED, every_second_line, prepared, tiny_scan, undersampled
from torch import Tensor

from gleam.arrays import Image
from gleam.data.collate import Item, collate
from gleam.data.example import Example, ExampleFile, write
from gleam.errors import BadInput
from gleam.formats import Scan
from gleam.physics.classical import CLASSICAL
from gleam.physics.espirit import Sensitivities
from gleam.physics.measurement import Measured
from gleam.preparation.prepare import Prepared
from gleam.recipe import MaskRecipe
from gleam.reconstruction.check import check, sets_of
from gleam.reconstruction.checked import Plan
from gleam.reconstruction.disagreement import Disagreement
from gleam.reconstruction.reconstructor import Classical, Reconstructor
from gleam.reconstruction.rivals import image_of, rival_of
from gleam.simulation import simulate_scan

MASK = MaskRecipe(acceleration=2)
WAVELET = Classical("wavelet", CLASSICAL["wavelet"])
KINDS = ("2D", "unequal coils", "volume", "series", "series without a centre")


def scanned(kind: str) -> tuple[Scan, dict[str, int]]:
    """A scan that was undersampled when it was made, and how it is prepared."""
    if kind in ("2D", "unequal coils"):
        scan = undersampled(tiny_scan((24, 40)), every_second_line(40))
        gains = np.array([20 if kind == "unequal coils" else 1, 1, 1], np.float32)
        kspace = np.stack([scan.kspace[i] for i in range(2)]) * gains[:, None, None, None]
        return replace(scan, kspace=kspace), {"calibration": 8}
    if kind == "volume":
        scan = tiny_scan((16, 16, 20), slices=1)
        keep = every_second_line(20)[:, None]
        return undersampled(scan, keep), {"calibration": 6}
    scan = simulate_scan((24, 40), 3, 1, 50.0, 0, 2, "tiny", frames=8)
    frame, line = np.arange(8)[:, None], np.arange(40)
    keep = (line + frame) % 4 == 0
    if kind == "series":
        keep = keep | every_second_line(40)[0]
    settings = {"calibration": 8 if kind == "series" else 0}
    return undersampled(scan, keep[:, None]), settings


@dataclass(frozen=True)
class Recorder(Reconstructor):
    """Wavelets that note all that they are given."""

    given: list[tuple[Tensor, ...]] = field(default_factory=list)
    images: list[Tensor] = field(default_factory=list)

    def _images(self, measurement: Measured) -> Iterator[Image]:
        whole = measurement.whole()
        noise = measurement.noise
        assert noise is not None
        self.given.append((whole.sense.maps, whole.mask, whole.adjoint, noise))
        self.images.append(CLASSICAL["cg-sense"](measurement))
        yield self.images[-1]


@pytest.mark.parametrize("stored", [False, True], ids=["scan", "example file"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_is_judged_has_seen_what_is_held_out(
    kind: str, stored: bool, tmp_path: Path
) -> None:
    """Samples that are spoilt where a draw holds them out change nothing that this draw is given.

    So neither maps, nor scale, noise level or whitening has looked at them.
    """
    if stored and kind == "series without a centre":
        pytest.skip("is refused, see below")
    scan, settings = scanned(kind)
    plan = Plan(draws=2, share=0.1)

    def found(scan: Scan) -> Recorder:
        example: Example = prepared(scan, **settings)
        if stored:
            write(prepared(scanned(kind)[0], **settings), tmp_path / "e.h5")
            example = ExampleFile(tmp_path / "e.h5")
            if scan is not whole:
                spoil(tmp_path / "e.h5", held)
        recorder = Recorder("recorder")
        check({"recorder": recorder}, example, None, plan)
        return recorder

    whole = scan
    clean = found(whole)
    rounds = len(clean.given)
    masks = [mask for _, mask, *_ in clean.given]
    for number in range(2):
        # What some draw is not given, of all that the scan sampled.
        axes = [a for a in range(-len(scan.space), 0) if masks[0].shape[a] > 1]
        given = torch.fft.fftshift(masks[number][0, 0], axes).numpy()
        held = np.broadcast_to(scan.sampled, (scan.kspace.shape[2], *scan.space)) & ~given
        assert 0 < held.sum() < 0.2 * np.prod(held.shape)
        kspace = np.stack([scan.kspace[i] for i in range(scan.kspace.shape[0])])
        garbage = np.random.default_rng(0).standard_normal((2, *kspace.shape), np.float32)
        spoilt = np.where(held, 1e3 * (garbage[0] + 1j * garbage[1]), kspace)
        other = found(replace(scan, kspace=spoilt.astype(np.complex64)))
        for one, another in zip(clean.given[number], other.given[number], strict=True):
            torch.testing.assert_close(one, another, rtol=0, atol=0, equal_nan=True)
        assert rounds == len(other.given)
        if kind == "series without a centre":
            assert not torch.equal(clean.given[1 - number][0], other.given[1 - number][0])


def spoil(path: Path, held: np.ndarray) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        kspace = file["kspace"]
        header = ExampleFile(path).header
        place = np.fft.ifftshift(held, header.axes)
        decoded = [a for a in range(-len(header.matrix), 0) if a not in header.axes]
        for axis in decoded:  # of which an example may have fewer
            place = np.repeat(place.take([0], axis), kspace.shape[axis], axis)
        values = kspace[()]
        kspace[()] = np.where(place, np.complex64(1e3 - 1e3j), values)


@pytest.mark.parametrize(
    ("kind", "times"),
    [
        pytest.param("2D", 2, id="each of two slices"),
        pytest.param("volume", 1, id="a volume"),
        pytest.param("unequal coils", 3, id="coils weighted anew in each draw"),
        pytest.param("series without a centre", 3, id="maps made anew in each draw"),
    ],
)
def test_what_no_draw_changes_is_prepared_once(
    kind: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan, settings = scanned(kind)
    example = prepared(scan, **settings)
    made: list[Sensitivities] = []

    def noted(calibration: Tensor, space: tuple[int, ...], sets: int) -> Sensitivities:
        made.append(Sensitivities(calibration, space, sets))
        return made[-1]

    monkeypatch.setattr("gleam.preparation.prepare.Sensitivities", noted)
    check({"zero-filled": ZERO_FILLED}, example, None, Plan(draws=3, share=0.1))
    assert len(made) == times


def test_an_example_file_whose_maps_saw_everything_is_refused(tmp_path: Path) -> None:
    scan, settings = scanned("series without a centre")
    write(prepared(scan, **settings), tmp_path / "e.h5")
    with pytest.raises(BadInput, match="check the scan file itself"):
        check({"zero-filled": ZERO_FILLED}, ExampleFile(tmp_path / "e.h5"))


@dataclass(frozen=True)
class Oracle(Reconstructor):
    """Knows the truth of a scan that has no noise, or says nothing at all."""

    truth: Tensor | None = None

    def _images(self, measurement: Measured) -> Iterator[Image]:
        yield torch.zeros_like(measurement.adjoint) if self.truth is None else self.truth


def test_errors_are_those_of_predicted_samples() -> None:
    """The true image leaves the noise alone, and an empty one misses all there is."""
    example = prepared(tiny_scan((24, 40), slices=1), calibration=8)
    truth = example[0].target
    assert truth is not None
    methods = {"truth": Oracle("truth", truth[None]), "nothing": Oracle("nothing")}
    found = check(methods, example, MASK, Plan(draws=3, share=0.1))
    assert found["nothing"].error.value == pytest.approx(1)
    assert found["nothing"].error.low == pytest.approx(1)
    assert found.noise is not None
    left = found["truth"].error.value
    # Maps are not exact, and the target has noise itself.
    assert 0.6 * found.noise < left < 1.5 * found.noise
    assert found["truth"].against_noise == pytest.approx(left / found.noise)
    assert found.best == "truth"
    assert "truth predicts this scan best" in found.verdict


def test_what_is_measured_is_what_was_left_out() -> None:
    """Computed anew from the example, for one draw."""
    example = prepared(tiny_scan((24, 40), slices=1), calibration=8)
    seen: list[Tensor] = []
    plan = Plan(draws=1, share=0.2)
    found = check(
        {"cg-sense": CG_SENSE}, example, MASK, plan, seen=lambda *given: seen.append(given[2])
    )
    recorder = Recorder("recorder")
    check({"recorder": recorder}, example, MASK, plan)
    ((maps, given, _, _),) = recorder.given
    whole = collate([Item(example, 0, seed_of(example))], MASK).measurement.whole()
    held = (whole.mask > 0) & ~(given > 0)
    image = seen[0] / example.header.scale
    predicted = torch.fft.fft(maps[0, 0] * image, dim=-1, norm="ortho")
    samples = held[0].expand(predicted.shape)
    kspace = example[0].kspace
    squares = [(x[samples].abs() ** 2).mean() for x in (predicted - kspace, kspace)]
    assert found["cg-sense"].error.value == pytest.approx(float((squares[0] / squares[1]).sqrt()))


@pytest.mark.parametrize("stored", [False, True])
def test_a_mask_of_both_axes_of_a_slice_is_checked_too(stored: bool, tmp_path: Path) -> None:
    """Oversampled along the readout, which the scan sampled in full, and no mask does."""
    example: Example = prepared(tiny_scan((24, 40), slices=1), calibration=8)
    if stored:
        write(example, tmp_path / "e.h5")
        example = ExampleFile(tmp_path / "e.h5")
    mask = MaskRecipe(kind="poisson", acceleration=3)
    recorder, plan = Recorder("recorder"), Plan(draws=2)
    found = check({"recorder": recorder, "nothing": Oracle("nothing")}, example, mask, plan)
    assert found["nothing"].error.value == pytest.approx(1)
    assert found["recorder"].error.value < 0.99
    first, second = (mask for _, mask, *_ in recorder.given)
    assert first.shape[-2:] == (24, 40)
    whole = collate([Item(example, 0, seed_of(example))], mask).measurement.mask > 0
    assert torch.equal((first > 0) | (second > 0), whole)
    assert not torch.equal(first > 0, whole)


def seed_of(example: Example) -> int:
    from gleam.data.masks import mask_seed

    return mask_seed(example.header.name)


def test_every_draw_and_every_slice_has_its_turn() -> None:
    for slices in (1, 2, 4, 5, 12):
        turns = Plan(draws=5).turns(slices)
        assert [draw for draw, _ in turns] == [*range(5)]
        assert {index for _, some in turns for index in some} == {*range(slices)}
        assert sum(len(some) for _, some in turns) == Plan(draws=5).rounds(slices)


def test_a_method_that_learnt_from_the_scan_is_not_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSICAL, "wavelet", CLASSICAL["zero-filled"])

    @dataclass(frozen=True)
    class Learnt(Oracle):
        def learnt_from(self, example: Example) -> bool:
            return example.header.sha256 == "abc"

    scan = tiny_scan((24, 40), slices=1)
    known, other = (Prepared(scan, prepared(scan).settings, sha256=one) for one in ("abc", "d"))
    truth = known[0].target
    assert truth is not None
    adapted = Learnt("adapted", truth[None])
    methods: dict[str, Reconstructor] = {"adapted": adapted, "cg-sense": CG_SENSE}
    found = check(methods, known, MASK, Plan(draws=2))
    assert found["adapted"].error.value < found["cg-sense"].error.value
    assert found.best == "cg-sense"
    assert "adapted has learnt from this very scan, so this check does not apply" in found.verdict
    assert check(methods, other, MASK, Plan(draws=2)).best == "adapted"
    assert image_of(adapted, known, MASK, best=True).method == "adapted"


def test_the_best_makes_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    example = prepared(tiny_scan((24, 40), slices=1))
    truth = example[0].target
    assert truth is not None
    monkeypatch.setitem(CLASSICAL, "wavelet", lambda measurement: truth[None])
    nothing = Oracle("nothing")
    image = image_of(nothing, example, MASK, checks=True, best=True)
    assert image.method == "wavelet"
    assert image.check is not None
    assert image.verdict == image.check.verdict
    assert image_of(nothing, example, MASK, checks=True).method == "nothing"
    assert rival_of(WAVELET, example).name == "cg-sense"
    series = prepared(simulate_scan((24, 20), 3, 1, 50.0, 0, frames=4))
    assert rival_of(nothing, series).name == "temporal-tv"


def test_what_cannot_be_checked_is_an_image_still() -> None:
    example = prepared(tiny_scan((24, 40), slices=1))
    image = image_of(CG_SENSE, example, best=True)
    assert image.method == "cg-sense"
    assert image.check is None
    (doubt,) = image.doubts
    assert "was not checked" in doubt
    assert "was sampled in full" in doubt


def test_bad_input_is_one_line() -> None:
    full = prepared(tiny_scan((24, 40), slices=1))
    with pytest.raises(BadInput, match="sampled in full, so there is nothing"):
        check({"cg-sense": CG_SENSE}, full)
    keep = np.zeros((1, 1, 20), bool)
    keep[..., 6:14] = keep[..., 2] = keep[..., 17] = True
    few = prepared(undersampled(tiny_scan(), keep))
    with pytest.raises(BadInput, match="too few samples outside its calibration region for 6"):
        check({"cg-sense": CG_SENSE}, few)
    broken = Oracle("broken", torch.full((1, 1, 1, 24, 40), math.nan + 0j))
    with pytest.raises(BadInput, match="broken: its image of tiny is not finite"):
        check({"broken": broken}, full, MASK)


def test_frames_that_share_no_position_are_told_so() -> None:
    """Segments and samples of them could not be held out either."""
    scan = simulate_scan((24, 40), 3, 1, 50.0, 0, 2, "tiny", frames=8)
    keep = (np.arange(40) + np.arange(8)[:, None]) % 8 == 0
    example = prepared(undersampled(scan, keep[:, None]), calibration=0)
    for draws in (1, 6):
        with pytest.raises(BadInput, match=rf"that several frames sampled for {draws} draws"):
            check({"cg-sense": CG_SENSE}, example, None, Plan(draws=draws))


def test_scans_without_a_noise_level_are_checked_too() -> None:
    """One coil, and an object that fills the field of view: nothing tells signal from noise."""
    scan = simulate_scan((32, 40), 1, 2, 1e5, 3, 1, "tiny", oversized=1.0)
    example = prepared(undersampled(scan, every_second_line(40)), calibration=8)
    assert example.header.noise is None
    found = check({"cg-sense": CG_SENSE, "wavelet": WAVELET}, example, None, Plan(draws=2))
    assert found.noise is None
    assert "how much of it is noise is not known" in found.verdict
    assert found["wavelet"].against_noise is None
    assert found.best == "wavelet"


def test_where_methods_disagree() -> None:
    example = prepared(tiny_scan((24, 40), slices=2))
    disagreement = Disagreement(example)
    truth = example[0].target
    assert truth is not None
    spot = truth[None].clone()
    spot[..., 5, 7] += 3
    methods = {"truth": Oracle("truth", truth[None]), "spot": Oracle("spot", spot)}
    check(methods, example, MASK, Plan(draws=2), seen=disagreement)
    volume = disagreement.volume()
    assert volume.image.shape == (2, 1, 24, 40)
    assert abs(volume.image[0, 0, 5, 7]) == pytest.approx(1.5 * example.header.scale, rel=1e-4)
    volume.image[..., 5, 7] = 0
    assert abs(volume.image).max() < 1e-4 * example.header.scale


def test_networks_of_different_map_sets_are_checked_apart() -> None:
    @dataclass(frozen=True)
    class Two(Oracle):
        @property
        def sets(self) -> int:
            return 2

    assert sets_of({"two": Two("two"), "wavelet": WAVELET}) == 2
    with pytest.raises(BadInput, match="different map sets"):
        sets_of({"two": Two("two"), "one": Oracle("one")})


def test_coils_that_were_switched_off_hold_no_noise() -> None:
    """They are as many more samples, of which noise gives nothing."""
    scan = undersampled(tiny_scan((24, 40)), every_second_line(40))
    off = replace(scan, kspace=np.concatenate([scan.kspace, 0 * np.array(scan.kspace)], 1))
    found, same = (
        check({"zero-filled": ZERO_FILLED}, prepared(one, calibration=8), None, Plan(draws=2))
        for one in (scan, off)
    )
    assert found.noise == pytest.approx(same.noise, rel=1e-3)
    assert found["zero-filled"].against_noise == pytest.approx(
        same["zero-filled"].against_noise, rel=1e-3
    )
