from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from kinds import VOLUME, ellipse
from tiny import (
    centred_fft,
    centred_ifft,
    coil_images,
    every_second_line,
    largest_error,
    prepared,
    tiny_scan,
    undersampled,
)

from gleam.data.collate import Item, collate
from gleam.data.example import ExampleFile, write
from gleam.data.masks import mask_axes, mask_seed
from gleam.data.volume import collate_volume
from gleam.errors import BadInput
from gleam.physics.sampling import draw
from gleam.preparation.prepare import Prepared
from gleam.recipe import MaskRecipe

LINES = MaskRecipe(kind="equispaced", acceleration=1.6)
POINTS = MaskRecipe(kind="poisson", acceleration=1.8)


def zero_filled(example: Prepared, index: int, mask: np.ndarray) -> np.ndarray:
    """Aᴴy by the centred operator on the raw scan; `mask` is centred, of the cropped k-space."""
    axes = tuple(range(-len(example.scan.matrix), 0))
    kspace = centred_fft(coil_images(example.scan, index), axes) * mask
    coils = centred_ifft(kspace, axes) / example.header.scale
    return np.einsum("sc...,c...->s...", example[index].maps.numpy().conj(), coils)


def drawn(example: Prepared, mask: MaskRecipe, axes: tuple[int, ...], seed: int) -> np.ndarray:
    """The centred mask, shaped to broadcast over the space axes."""
    space, centre = example.shape[3:], example.header.calibration
    pattern = draw(
        mask.kind,
        tuple(space[a] for a in axes),
        mask.acceleration,
        tuple(centre[a] for a in axes),
        seed,
    )
    return pattern.reshape([n if a - len(space) in axes else 1 for a, n in enumerate(space)])


@pytest.mark.parametrize("shape", [(24, 20), (25, 21)])
@pytest.mark.parametrize(("mask", "axes"), [(LINES, (-1,)), (POINTS, (-2, -1))])
def test_adjoint_is_that_of_the_centred_operator_on_the_raw_scan(
    shape: tuple[int, ...], mask: MaskRecipe, axes: tuple[int, ...]
) -> None:
    example = prepared(tiny_scan(shape), calibration=8)
    batch = collate([Item(example, 1, 5), Item(example, 0, 6)], mask)
    assert batch.measurement.sense.axes == axes
    for position, (index, seed) in enumerate([(1, 5), (0, 6)]):
        expected = zero_filled(example, index, drawn(example, mask, axes, seed))
        assert largest_error(batch.measurement.adjoint[position].numpy(), expected) < 1e-5
    assert (batch.scans, batch.slices, batch.matrix) == (["tiny"] * 2, [1, 0], shape)


@pytest.mark.parametrize(("mask", "axes"), [(LINES, (-1,)), (POINTS, (-2, -1))])
def test_axes_of_a_volume_that_the_mask_leaves_alone_are_transformed_once(
    mask: MaskRecipe, axes: tuple[int, ...]
) -> None:
    example = prepared(tiny_scan((16, 18, 17), slices=1), calibration=8)
    assert example.header.axes == (-2, -1)
    batch = collate([Item(example, 0, 3)], mask)
    sense = batch.measurement.sense
    assert sense.axes == axes
    assert [n > 1 for n in sense.mask.shape[-3:]] == [a in axes for a in (-3, -2, -1)]
    expected = zero_filled(example, 0, drawn(example, mask, axes, 3))
    assert largest_error(batch.measurement.adjoint[0].numpy(), expected) < 1e-5


@pytest.mark.parametrize(("mask", "positions"), [(LINES, 20), (POINTS, 24 * 20)])
def test_acceleration_is_exact_and_the_calibration_region_is_kept(
    mask: MaskRecipe, positions: int
) -> None:
    example = prepared(tiny_scan(), calibration=8)
    batch = collate([Item(example, 0, seed) for seed in range(4)], mask)
    sampled = batch.measurement.sense.mask
    for one in sampled:
        assert int(one.sum()) == round(positions / mask.acceleration)
        centre = torch.fft.fftshift(one[0, 0])[..., 10 - 4 : 10 + 4]
        assert centre.all()
    assert not torch.equal(sampled[0], sampled[1])


def test_measurement_and_target_agree() -> None:
    """Fully sampled, Aᴴy is the target, and AᴴA of it hardly differs: maps explain the data."""
    example = prepared(tiny_scan((48, 40), coils=6), calibration=20)
    for mask in (None, MaskRecipe(acceleration=1)):
        batch = collate([Item(example, 0, 0)], mask)
        torch.testing.assert_close(batch.measurement.adjoint, batch.target)
    half = collate([Item(example, 0, 0)], MaskRecipe(acceleration=1.5)).measurement
    assert batch.target is not None
    error = half.sense.normal(batch.target) - half.adjoint
    assert error.norm() < 0.1 * half.adjoint.norm()


def test_acceleration_that_the_calibration_region_exceeds_is_refused() -> None:
    example = prepared(tiny_scan(), calibration=10)
    with pytest.raises(BadInput, match="acceleration 4 leaves 5 of 20 samples"):
        collate([Item(example, 0, 0)], MaskRecipe(acceleration=4))


def test_undersampled_scan_is_taken_as_it_was_acquired() -> None:
    lines = every_second_line()
    example = prepared(undersampled(tiny_scan(), lines))
    batch = collate([Item(example, 0, 0)], None)
    assert batch.target is None
    assert batch.measurement.sense.axes == (-1,)
    expected = zero_filled(example, 0, lines)
    assert largest_error(batch.measurement.adjoint[0].numpy(), expected) < 1e-5


def test_frames_sampled_differently() -> None:
    scan = tiny_scan(slices=1)
    frames = replace(scan, kspace=np.repeat(np.array(scan.kspace), 2, axis=2))
    lines = np.stack([every_second_line()[0], ~every_second_line()[0]])
    lines[:, :, 6:14] = True
    example = prepared(undersampled(frames, lines))
    batch = collate([Item(example, 0, 0)], None)
    assert batch.measurement.sense.mask.shape == (1, 1, 2, 1, 20)
    expected = zero_filled(example, 0, lines)
    assert largest_error(batch.measurement.adjoint[0].numpy(), expected) < 1e-5


@pytest.mark.parametrize(
    ("readout", "dims", "wanted", "axes"),
    [
        (-2, 2, 1, (-1,)),
        (-1, 2, 1, (-2,)),
        (None, 2, 1, (-1,)),
        (-2, 2, 2, (-2, -1)),
        (-3, 3, 1, (-1,)),
        (-3, 3, 2, (-2, -1)),
        (-1, 3, 2, (-3, -2)),
    ],
)
def test_masks_vary_along_the_last_phase_encoding_axes(
    readout: int | None, dims: int, wanted: int, axes: tuple[int, ...]
) -> None:
    assert mask_axes(readout, dims, wanted) == axes


def test_seed_of_a_scan_is_that_of_its_name_on_every_machine() -> None:
    assert mask_seed("scan-0000") == 2062718278


def test_acceleration_counts_what_was_acquired() -> None:
    """Edges that a vendor filled with zeros are no lines to leave out."""
    lines = np.zeros((1, 1, 40), bool)
    lines[..., 4:34] = True
    example = prepared(undersampled(tiny_scan((24, 40)), lines))
    assert example.complete
    for seed in range(4):
        mask = MaskRecipe(kind="random", acceleration=2.5)
        sampled = collate([Item(example, 0, seed)], mask).measurement.sense.mask
        assert sampled.sum() == round(30 / 2.5)
        assert not np.fft.fftshift(sampled.numpy()[0, 0], axes=-1)[~lines].any()


def series(frames: int, calibration: int = 4) -> Prepared:
    scan = tiny_scan((16, 24), slices=1)
    return prepared(
        replace(scan, kspace=np.repeat(np.array(scan.kspace), frames, axis=2)),
        calibration=calibration,
    )


@pytest.mark.parametrize("kind", ["kt-random", "kt-golden", "kt-vista"])
def test_series_are_undersampled_frame_by_frame(
    kind: Literal["kt-random", "kt-golden", "kt-vista"],
) -> None:
    example, mask = series(6), MaskRecipe(kind=kind, acceleration=3)
    batch = collate([Item(example, 0, 2)], mask)
    sampled = batch.measurement.sense.mask
    assert sampled.shape == (1, 1, 6, 1, 24)
    assert (sampled.sum(-1) == 8).all()
    pattern = draw(kind, (24,), 3.0, (4,), 2, None, 6)
    assert not (pattern == pattern[:1]).all()
    expected = zero_filled(example, 0, pattern[:, None])
    assert largest_error(batch.measurement.adjoint[0].numpy(), expected) < 1e-5


def test_static_mask_is_one_for_all_frames() -> None:
    sampled = collate([Item(series(5), 0, 2)], LINES).measurement.sense.mask
    assert sampled.expand(1, 1, 5, 1, 24).sum() == 5 * round(24 / LINES.acceleration)
    assert (sampled == sampled[:, :, :1]).all()


def test_mask_over_time_needs_frames() -> None:
    example = prepared(tiny_scan(), calibration=4)
    with pytest.raises(BadInput, match="tiny: has one frame, but a kt-vista mask differs from"):
        collate([Item(example, 0, 0)], MaskRecipe(kind="kt-vista"))


def test_shutter_reaches_the_mask() -> None:
    example = prepared(tiny_scan((24, 20)), calibration=4)
    mask = MaskRecipe(kind="poisson", acceleration=2, shutter=True)
    sampled = torch.fft.fftshift(collate([Item(example, 0, 1)], mask).measurement.sense.mask)
    assert sampled.sum() == 240
    assert not sampled[..., :2, :3].any()


@pytest.mark.parametrize("shutter", [False, True])
def test_points_are_drawn_from_the_ellipse_that_was_acquired(shutter: bool) -> None:
    acquired = ellipse(VOLUME)
    example = prepared(undersampled(VOLUME, acquired), calibration=6)
    mask = MaskRecipe(kind="poisson", acceleration=2.5, shutter=shutter)
    for seed in range(3):
        sampled = collate([Item(example, 0, seed)], mask).measurement.sense.mask[0, 0, 0]
        drawn = np.fft.fftshift(sampled.numpy())
        assert drawn.sum() == round(acquired.sum() / 2.5)
        assert not drawn[~acquired[0]].any()
        assert drawn[:, 5:11, 6:12].all()  # calibration lines


def test_lines_of_an_ellipse_count_alike() -> None:
    acquired = ellipse(VOLUME)
    example = prepared(undersampled(VOLUME, acquired), calibration=6)
    sampled = collate([Item(example, 0, 1)], LINES).measurement.sense.mask[0, 0, 0]
    drawn = np.fft.fftshift(sampled.numpy())
    assert not drawn[~acquired[0]].any()
    lines = drawn.any((0, 1))
    assert lines.sum() == round(18 / LINES.acceleration)
    assert np.array_equal(drawn, acquired[0] & lines)


def test_kspace_is_read_again_where_it_is_wanted(tmp_path: Path) -> None:
    """Of slices, and of a volume's slabs: Aᴴ of it is what the measurement has."""
    example = prepared(tiny_scan(), calibration=8)
    one = collate([Item(example, n, seed=n) for n in range(2)], LINES).measurement
    assert torch.equal(one.sense.adjoint(one.kspace()), one.adjoint)
    write(prepared(tiny_scan((16, 18, 17), slices=1), calibration=8), tmp_path / "volume.h5")
    volume = ExampleFile(tmp_path / "volume.h5")
    slabbed = collate_volume(Item(volume, 0, 0), LINES, 5).measurement
    part = slabbed.part(range(3, 7))
    assert part.kspace().shape[slabbed.axis] == 4
    assert largest_error(part.sense.adjoint(part.kspace()).numpy(), part.adjoint.numpy()) < 1e-6
    assert torch.equal(slabbed.whole().adjoint, slabbed.adjoint)
    with pytest.raises(BadInput, match="wants k-space itself"):
        replace(part, read=None).kspace()
