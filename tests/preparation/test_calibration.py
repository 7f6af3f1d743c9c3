"""Maps from the scan's own centre, from its average over time, and from a reference scan."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import CG_SENSE, ZERO_FILLED, cropped, every_second_line, prepared, undersampled

from gleam.data.collate import Item, collate
from gleam.data.example import ExampleFile, write
from gleam.errors import BadInput
from gleam.formats import Scan, read_scan, write_scan
from gleam.formats.scan import calibration_box, centred_affine
from gleam.physics.fourier import ifft
from gleam.preparation import prepare
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstruct import reconstruct
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.simulation import simulate_scan

SHAPE, LINES = (40, 36), 36
EVERY_THIRD = (np.arange(LINES) % 3 == 0)[None, None]

Calibrated = Callable[..., Prepared]


@pytest.fixture(scope="module")
def full() -> Scan:
    """Two slices, six coils, readout oversampled, hardly any noise."""
    return simulate_scan(SHAPE, 6, 2, 1e5, 3, name="full")


@pytest.fixture
def calibrated(monkeypatch: pytest.MonkeyPatch) -> Calibrated:
    """Prepare a scan with a reference that is at hand."""

    def run(scan: Scan, reference: Scan, lines: int | None = None) -> Prepared:
        monkeypatch.setattr(prepare, "read_scans", lambda *_: {"": lambda: reference})
        return Prepared(scan, Settings(lines, reference=Path("reference.h5")))

    return run


def whole(scan: Scan) -> np.ndarray:
    return np.stack([scan.kspace[i] for i in range(scan.kspace.shape[0])])


def noisy(scan: Scan, deviation: float, seed: int = 0) -> Scan:
    """With complex noise of E|n|² = deviation² more."""
    noise = np.random.default_rng(seed).normal(size=(*scan.kspace.shape, 2)) @ [1, 1j]
    kspace = whole(scan) + deviation / np.sqrt(2) * noise
    return replace(scan, kspace=kspace.astype(np.complex64))


def cine(scan: Scan, frames: int, beat: float) -> Scan:
    """The scan over and over, its brightness going up and down by a fraction `beat`."""
    brightness = 1 + beat * np.sin(np.arange(frames))
    return replace(scan, kspace=(whole(scan) * brightness[:, None, None]).astype(np.complex64))


def interleaved(frames: int, every: int) -> np.ndarray:
    """(frame, 1, line): the lines f, f + every, … of frame f; together they are all lines."""
    return (np.arange(LINES) % every == np.arange(frames)[:, None] % every)[:, None]


def low_resolution(scan: Scan, size: tuple[int, int] = (32, 20), gain: float = 1.0) -> Scan:
    """The centre of k-space as a scan of its own, as a reference scan is."""
    sizes = (2 * size[0], size[1])  # the readout is oversampled
    steps = [v * n / m for v, n, m in zip(scan.voxel, scan.matrix, size, strict=False)]
    voxel = (*steps, scan.voxel[2])
    return replace(
        scan,
        name="reference",
        kspace=(gain * cropped(whole(scan), sizes)).astype(np.complex64),
        matrix=size,
        voxel=voxel,
        affine=centred_affine(size, voxel, 2),
        calibration=((0, sizes[0]), (0, sizes[1])),
    )


def agreement(example: Prepared, other: Prepared) -> float:
    """Of their maps, in dB, where both see the object; the worst slice."""
    ratios = []
    for index in range(example.shape[0]):
        maps, others = example[index].maps, other[index].maps
        seen = (maps.abs().sum(1) > 0) & (others.abs().sum(1) > 0)
        assert seen.sum() > 0.9 * (others.abs().sum(1) > 0).sum()
        error = ((maps - others) * seen).norm() / (others * seen).norm()
        ratios.append(float(-20 * torch.log10(error)))
    return min(ratios)


@pytest.mark.parametrize(("beat", "decibels"), [(0.0, 35), (0.3, 20)])
def test_time_average_gives_the_maps_of_the_full_scan(
    full: Scan, beat: float, decibels: float
) -> None:
    scan = noisy(cine(full, 12, beat), 5e-4 * np.abs(whole(full)).max())
    sparse = undersampled(scan, interleaved(12, 4))
    assert sparse.calibration is None
    example, expected = prepared(sparse, calibration=24), prepared(full, calibration=24)
    assert agreement(example, expected) > decibels
    assert example.header.scale == pytest.approx(expected.header.scale, rel=0.1)


def test_each_position_is_the_mean_of_the_frames_that_have_it(full: Scan) -> None:
    still = replace(full, kspace=np.repeat(whole(full), 6, axis=2))
    pattern = interleaved(6, 2)
    pattern[0] = True  # even lines are there four times, odd ones three times
    example, expected = prepared(undersampled(still, pattern)), prepared(still, calibration=32)
    assert example.header.calibration == expected.header.calibration == (24, 32)
    torch.testing.assert_close(example[1].maps, expected[1].maps, rtol=0, atol=1e-3)
    assert example.header.scale == pytest.approx(expected.header.scale, rel=1e-4)


@pytest.mark.parametrize("pattern", [interleaved(8, 2), np.ones((8, 1, LINES), bool)])
def test_noise_is_that_of_one_sample_whatever_the_average(full: Scan, pattern: np.ndarray) -> None:
    level = 0.01 * np.abs(whole(full)).max()
    still = noisy(replace(full, kspace=np.repeat(whole(full), 8, axis=2)), level)
    example = prepared(undersampled(still, pattern), calibration=24)
    assert example.header.noise == pytest.approx(level / example.header.scale, rel=0.1)


@pytest.mark.parametrize("sets", [1, 2])
def test_series_whose_masks_keep_no_lines_has_the_maps_of_an_interleaved_scan(
    full: Scan, sets: int
) -> None:
    """All frames together would be a better average than accelerated data can give."""
    scan = noisy(cine(full, 20, 0.3), 5e-4 * np.abs(whole(full)).max())
    example = prepared(scan, calibration=0, sets=sets)
    assert example.header.calibration == (24, 0)
    scanned = prepared(undersampled(scan, interleaved(20, 8)), sets=sets)
    assert not scanned.complete
    for index in range(2):
        assert torch.equal(example[index].maps, scanned[index].maps)
    assert example.header.scale == pytest.approx(scanned.header.scale)
    assert example.header.noise == pytest.approx(scanned.header.noise, rel=0.1)
    everything = prepared(scan, calibration=32, sets=sets)
    assert not torch.allclose(example[0].maps, everything[0].maps, atol=1e-3)
    target = example[0].target
    assert target is not None
    assert target.shape == (sets, 20, *SHAPE)

    batch = collate([Item(example, 0, 0)], MaskRecipe(acceleration=18))
    assert batch.measurement.sense.mask.sum() == 2
    with pytest.raises(BadInput, match="fewer than the centre of 32"):
        collate([Item(everything, 0, 0)], MaskRecipe(acceleration=18))


def test_short_series_is_interleaved_as_often_as_it_has_frames(full: Scan) -> None:
    scan = cine(full, 3, 0.3)
    example = prepared(scan, calibration=0)
    scanned = prepared(undersampled(scan, interleaved(3, 3)))
    assert torch.equal(example[1].maps, scanned[1].maps)


def test_without_frames_or_reference_masks_must_keep_lines(
    full: Scan, calibrated: Calibrated, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"^full: has one frame.*--reference"):
        prepared(full, calibration=0)
    example = calibrated(full, low_resolution(full), 0)
    assert example.header.calibration == (24, 0)
    assert agreement(example, prepared(full, calibration=20)) > 30
    write(example, tmp_path / "example.h5")
    assert ExampleFile(tmp_path / "example.h5").header.calibration == (24, 0)


def test_second_map_set_explains_a_series_that_wraps_around(full: Scan) -> None:
    """Every second line is half the field of view: edges fall upon each other."""
    pattern, lines = interleaved(16, 4), LINES // 2
    wrapped = replace(
        cine(full, 16, 0.2),
        kspace=whole(cine(full, 16, 0.2))[..., ::2],
        matrix=(40, lines),
        calibration=((0, 80), (0, lines)),
        affine=centred_affine((40, lines), full.voxel, 2),
    )
    sparse = undersampled(wrapped, pattern[..., :lines])
    left = []
    for sets in (1, 2):
        maps = prepared(sparse, sets=sets)[0].maps
        coils = ifft(prepared(wrapped)[0].kspace, (-1,))
        image = (maps.conj() * coils).sum(1, keepdim=True)
        left.append(float((coils - (maps * image).sum(0)).norm() / coils.norm()))
    assert left[1] < 0.5 * left[0]


def test_average_that_leaves_gaps_is_refused_like_any_other(full: Scan) -> None:
    lines = np.arange(LINES) % 4
    pattern = np.stack([lines == 0, lines == 2])[:, None]
    with pytest.raises(BadInput, match=r"^full: has no fully sampled centre .*--reference"):
        prepared(undersampled(cine(full, 2, 0.3), pattern))


@pytest.mark.parametrize("size", [(32, 20), SHAPE])
def test_reference_gives_the_maps_of_its_centre(
    full: Scan, size: tuple[int, int], calibrated: Calibrated
) -> None:
    reference = noisy(low_resolution(full, size, gain=3), 1e-3 * np.abs(whole(full)).max())
    example = calibrated(undersampled(full, EVERY_THIRD), reference, 20)
    own = prepared(full, calibration=20)
    assert example.header.calibration == own.header.calibration == (24, 20)
    assert agreement(example, own) > 30
    assert example.header.scale == pytest.approx(own.header.scale, rel=0.02)  # the scan's own
    assert not example.complete


def test_reference_that_came_with_a_scan_is_taken_where_there_is_nothing_better(
    full: Scan, calibrated: Calibrated
) -> None:
    sparse, beside = undersampled(full, EVERY_THIRD), low_resolution(full, gain=3)
    own = prepared(full, calibration=20)
    example = prepared(replace(sparse, reference=beside), calibration=20)
    assert agreement(example, own) > 30
    assert example.header.scale == pytest.approx(own.header.scale, rel=0.02)

    misleading = replace(beside, kspace=whole(beside)[:, ::-1])
    again = prepared(replace(full, reference=misleading), calibration=20)
    torch.testing.assert_close(again[0].maps, own[0].maps)
    named = calibrated(replace(sparse, reference=misleading), beside, 20)
    torch.testing.assert_close(named[0].maps, example[0].maps)


def test_scan_without_calibration_lines_is_unfolded_with_a_reference(
    full: Scan, calibrated: Calibrated
) -> None:
    sparse = undersampled(full, EVERY_THIRD)
    example = calibrated(sparse, low_resolution(full))
    truth = np.abs(reconstruct(ZERO_FILLED, prepared(full)).image)

    def error(method: Reconstructor, example: Prepared) -> float:
        return float(np.linalg.norm(np.abs(reconstruct(method, example).image) - truth))

    assert error(CG_SENSE, example) < 0.6 * error(ZERO_FILLED, example)
    assert error(CG_SENSE, example) < 1.05 * error(CG_SENSE, calibrated(sparse, full))


def test_reference_is_read_from_its_file(full: Scan, tmp_path: Path) -> None:
    write_scan(low_resolution(full), tmp_path / "reference.h5")
    write_scan(undersampled(full, EVERY_THIRD), tmp_path / "scan.h5")
    settings = Settings(reference=tmp_path / "reference.h5")
    example = Prepared(read_scan(tmp_path / "scan.h5"), settings)
    assert agreement(example, prepared(full, calibration=20)) > 30


def test_asymmetric_echo_takes_a_reference_of_the_same_oversampling(
    full: Scan, calibrated: Calibrated
) -> None:
    echo = (np.arange(80) >= 20)[None, :, None] & EVERY_THIRD
    example = calibrated(undersampled(full, echo), low_resolution(full), 20)
    assert example.header.axes == (-2, -1)
    assert example.shape[3:] == (80, 36)
    own = prepared(replace(full, readout=None, matrix=(80, 36)), calibration=20)
    assert agreement(example, own) > 30


def test_reference_that_does_not_fit_is_refused(full: Scan, calibrated: Calibrated) -> None:
    sparse = replace(undersampled(full, EVERY_THIRD), name="sparse")
    fits = low_resolution(full)
    shifted, turned = np.array(fits.affine), np.array(fits.affine)
    shifted[2, 3] += 20
    turned[:3, :2] = turned[:3, 1::-1]
    y, x, slices = fits.voxel
    gaps = np.broadcast_to(every_second_line(20, 2)[0, 0], (1, 64, 20))
    for change, says in (
        ({"kspace": whole(fits)[:, :5]}, "it has 5 coils, the scan 6"),
        ({"kspace": whole(fits)[:1]}, "it has 1 slices in 2D, the scan 2 in 2D"),
        ({"voxel": (y, 1.1 * x, slices)}, "its field of view is"),
        ({"voxel": (0.3 * y, x, slices)}, "its field of view is"),
        ({"affine": shifted}, "lies elsewhere or is turned, by 20 mm"),
        ({"affine": turned}, "lies elsewhere or is turned"),
    ):
        with pytest.raises(BadInput, match=rf"^reference: is no reference for sparse: .*{says}"):
            calibrated(sparse, replace(fits, **change))
    with pytest.raises(BadInput, match=r"^reference: has no fully sampled centre"):
        calibrated(sparse, replace(fits, sampled=gaps, calibration=calibration_box(gaps)))
    with pytest.raises(BadInput, match=r"^sparse: holds no signal where its reference"):
        calibrated(replace(sparse, kspace=0 * whole(sparse)), fits)
    with pytest.raises(BadInput, match=r"21 calibration lines asked for, but 20 of 36"):
        calibrated(sparse, fits, 21)
