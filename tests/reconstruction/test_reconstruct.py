import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier, get_ident, main_thread
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from kinds import VOLUME, ellipse
from tiny import (
    CG_SENSE,
    ZERO_FILLED,
    centred_ifft,
    coil_images,
    cropped,
    every_second_line,
    largest_error,
    prepared,
    tiny_recipe,
    tiny_scan,
    undersampled,
)

from gleam.errors import BadInput
from gleam.formats import Scan, nifti
from gleam.metrics import magnitude
from gleam.networks import build
from gleam.physics.baselines import cg_sense
from gleam.physics.espirit import Sensitivities
from gleam.physics.measurement import Measured
from gleam.preparation.prepare import Prepared
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstruct import reconstruct
from gleam.reconstruction.reconstructor import Classical, Reconstructor, Trained

NETWORK = Trained("network", build(tiny_recipe(Path()).network))


def combined(scan: Scan, index: int, example: Prepared) -> np.ndarray:
    maps = example[index].maps.numpy()
    return np.einsum("sc...,c...->s...", maps.conj(), coil_images(scan, index))


@pytest.mark.parametrize(
    "method", [NETWORK, ZERO_FILLED, Classical("cg-sense", partial(cg_sense, weight=0.01))]
)
def test_fully_sampled_scan_gives_its_sense_combination(method: Reconstructor) -> None:
    """An untrained network is the physics alone; intensities are the scan's own."""
    scan = tiny_scan((25, 20))
    example = prepared(scan)
    volume = reconstruct(method, example)
    assert volume.image.shape == (2, 1, 25, 20)
    assert volume.voxel == scan.voxel
    assert np.array_equal(volume.affine, scan.affine)
    for index in range(2):
        expected = combined(scan, index, example)[0]
        assert largest_error(volume.image[index], expected) < 0.02


def test_result_is_cropped_to_the_matrix() -> None:
    scan = replace(tiny_scan((24, 20)), matrix=(24, 14))
    example = prepared(scan)
    assert example.shape[3:] == (24, 20)  # phase encoding is not cropped before the network
    volume = reconstruct(ZERO_FILLED, example)
    whole = reconstruct(ZERO_FILLED, prepared(tiny_scan((24, 20))))
    assert largest_error(volume.image, cropped(whole.image, (24, 14))) < 1e-6


@pytest.mark.parametrize("at_once", [2, 3, 9])
def test_slices_at_once_are_those_in_turn(at_once: int) -> None:
    example = prepared(tiny_scan(slices=5))
    seen: list[int] = []
    mask = MaskRecipe(acceleration=1.6)
    volume = reconstruct(NETWORK, example, mask, progress=seen.append, at_once=at_once)
    in_turn = reconstruct(NETWORK, example, mask)
    assert np.array_equal(volume.image, in_turn.image)
    assert seen == [1, 2, 3, 4, 5]


def test_who_stops_it_waits_for_an_iteration_and_not_for_an_image() -> None:
    made = 0

    class Long(Classical):
        def _images(self, measurement: Measured) -> Iterator[torch.Tensor]:
            nonlocal made
            assert get_ident() != main_thread().ident
            for made in range(10_000):
                if made == 5:
                    signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
                yield measurement.adjoint
                time.sleep(1e-3)

    with pytest.raises(KeyboardInterrupt):
        reconstruct(Long("long", CG_SENSE.method), prepared(tiny_scan(slices=3)), at_once=2)
    assert made < 5_000


def test_slices_at_once_are_no_more_than_asked_for() -> None:
    """Nor do they keep what a backward pass would need: threads have a mode of their own."""
    together, busy, most = Barrier(3, timeout=60), [], []

    def method(measurement: Measured) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        assert torch.get_num_threads() == 1
        busy.append(1)
        most.append(len(busy))
        together.wait()
        busy.pop()
        return measurement.adjoint

    reconstruct(Classical("together", method), prepared(tiny_scan(slices=6)), at_once=3)
    assert max(most) <= 3


def test_undersampled_scan_is_unfolded() -> None:
    """Taken as it was acquired: nothing more is left out, and SENSE finds what is missing."""
    scan = tiny_scan()
    example = prepared(undersampled(scan, every_second_line()), calibration=8)
    volume = reconstruct(CG_SENSE, example)
    full = reconstruct(ZERO_FILLED, prepared(scan, calibration=8))
    zero = reconstruct(ZERO_FILLED, example)
    assert np.linalg.norm(volume.image - full.image) < 0.7 * np.linalg.norm(zero.image - full.image)


ROWS, LINES = np.arange(48), np.arange(20)
PROSPECTIVE = {
    "partial Fourier": (LINES >= 6)[None, None],
    "partial Fourier, undersampled": every_second_line() & (LINES >= 6),
    "asymmetric echo": (ROWS >= 14)[None, :, None],
    "all of it": every_second_line() & (LINES >= 6) & (ROWS >= 14)[:, None],
    "frames interleaved": (np.arange(4)[:, None] % 2 == LINES % 2)[:, None],
}


@pytest.mark.parametrize("kind", PROSPECTIVE)
def test_what_was_not_acquired_is_left_to_the_mask(kind: str) -> None:
    """Zero-filled is the coils' inverse FFT combined with the maps, whatever was left out."""
    scan, pattern = tiny_scan(), PROSPECTIVE[kind]
    cine = replace(scan, kspace=np.repeat(np.array(scan.kspace), len(pattern), axis=2))
    scan = undersampled(cine, pattern)
    example = prepared(scan)
    volume = reconstruct(ZERO_FILLED, example)
    for index in range(2):
        coils = centred_ifft(scan.kspace[index], (-2, -1))
        maps = example[index].maps.numpy()[0]
        expected = np.sum(cropped(maps, (24, 20)).conj() * cropped(coils, (24, 20)), axis=0)
        assert largest_error(volume.image[index], expected) < 1e-5


def test_mask_undersamples_the_same_way_every_time() -> None:
    example = prepared(tiny_scan(), calibration=8)
    mask = MaskRecipe(acceleration=1.6)
    one, other = (reconstruct(NETWORK, example, mask).image for _ in range(2))
    assert np.array_equal(one, other)
    assert largest_error(one, reconstruct(NETWORK, example).image) > 0.01


def test_mask_on_an_undersampled_scan_is_refused() -> None:
    example = prepared(undersampled(tiny_scan(), every_second_line()))
    with pytest.raises(BadInput, match=r"^tiny: was undersampled when it was scanned"):
        reconstruct(ZERO_FILLED, example, MaskRecipe())


def test_mask_undersamples_a_volume_inside_an_ellipse() -> None:
    example = prepared(undersampled(VOLUME, ellipse(VOLUME)), calibration=6)
    mask = MaskRecipe(kind="poisson", acceleration=2)
    one, whole = (reconstruct(ZERO_FILLED, example, m).image for m in (mask, None))
    assert largest_error(one, whole) > 0.01


def test_two_sets_end_in_their_root_sum_of_squares() -> None:
    example = prepared(tiny_scan(slices=1), sets=2)
    target = example[0].target
    assert target is not None
    volume = reconstruct(ZERO_FILLED, example)
    expected = magnitude(target[None])[0].numpy() * example.header.scale
    assert volume.image.shape == (1, 1, 24, 20)
    assert largest_error(np.abs(volume.image[0]), expected) < 1e-5


def test_a_volume_is_prepared_once_whatever_is_done_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every step of a reconstruction asks for the maps of all slabs again: of a file by then."""
    example, asked = prepared(tiny_scan((16, 18, 17), slices=1)), []
    pixels = Sensitivities._pixels

    def noted(*given: Any) -> Any:
        asked.append(given)
        return pixels(*given)

    monkeypatch.setattr(Sensitivities, "_pixels", noted)
    counts = []
    for method in (ZERO_FILLED, CG_SENSE):
        asked.clear()
        reconstruct(method, example)
        counts.append(len(asked))
    assert 0 < counts[1] <= counts[0]


def test_volume_and_progress() -> None:
    scan = tiny_scan((16, 18, 17), slices=1)
    done: list[int] = []
    volume = reconstruct(ZERO_FILLED, prepared(scan), progress=done.append)
    assert volume.image.shape == (1, 1, 16, 18, 17)
    assert done == [1]
    assert torch.is_grad_enabled()


def test_series_keeps_the_time_between_its_frames(tmp_path: Path) -> None:
    scan = tiny_scan(slices=1)
    kspace = np.repeat(np.array(scan.kspace), 4, axis=2)
    volume = reconstruct(
        ZERO_FILLED, prepared(replace(scan, kspace=kspace, contrast={"frame_time": 42.0}))
    )
    nifti.write_image(volume, tmp_path / "series.nii.gz")
    written = nibabel.load(tmp_path / "series.nii.gz")
    assert written.shape == (20, 24, 1, 4)
    assert written.header.get_zooms()[3] == pytest.approx(0.042)
    assert written.header.get_xyzt_units() == ("mm", "sec")
