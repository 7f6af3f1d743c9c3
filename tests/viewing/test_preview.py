from dataclasses import replace

import numpy as np
import pytest
from tiny import CG_SENSE, centred_ifft, cropped, largest_error, prepared, tiny_scan, undersampled

from gleam.formats import Scan
from gleam.reconstruction.reconstruct import reconstruct
from gleam.viewing.preview import of_example, of_scan


def series(frames: int = 8) -> Scan:
    """Brightness goes up and down; lines are interleaved."""
    scan = tiny_scan(slices=1)
    beat = (1 + 0.5 * np.sin(np.arange(frames)))[:, None, None]
    whole = replace(scan, kspace=(np.array(scan.kspace) * beat).astype(np.complex64))
    lines = (np.arange(20) - np.arange(frames)[:, None]) % 2 == 0
    return undersampled(whole, lines[:, None])


def test_series_shows_its_mean_and_a_line_over_time() -> None:
    scan = series()
    example = prepared(scan)
    preview = of_scan(scan, example)
    mean, profile = preview.images
    assert mean == "middle slice"
    image = np.abs(reconstruct(CG_SENSE, example).image[0]) / example.header.scale
    assert largest_error(preview.images[mean], image.mean(0)) < 1e-5
    row = int(profile.removeprefix("x over time (down), y = "))
    assert largest_error(preview.images[profile], image[:, row]) < 1e-5
    assert preview.sampling.shape == (48, 20)
    assert np.all(preview.sampling == 0.5)
    assert list(of_example(example).images) == [mean, profile]


@pytest.mark.parametrize("shape", [(16, 18, 20), (17, 16, 21)])
def test_volume_shows_three_planes(shape: tuple[int, ...]) -> None:
    scan = tiny_scan(shape, slices=1)
    preview = of_scan(scan, None)
    volume = cropped(centred_ifft(scan.kspace[0], (-3, -2, -1)), shape)[:, 0]
    volume = np.sqrt((np.abs(volume) ** 2).sum(0))
    z, y, x = (n // 2 for n in shape)
    expected = {f"z = {z}": volume[z], f"y = {y}": volume[::-1, y], f"x = {x}": volume[::-1, :, x]}
    assert list(preview.images) == list(expected)
    for name, plane in expected.items():
        assert largest_error(preview.images[name], plane) < 1e-5
    assert [name[0] for name in of_example(prepared(scan)).images] == ["z", "y", "x"]
    assert of_scan(scan, None).caption == of_example(prepared(scan)).caption == ""

    turned = replace(scan, affine=np.diag([-1.0, 1.0, 1.0, 1.0]) @ scan.affine)
    preview = of_scan(turned, None)
    assert "radiological" in preview.caption
    assert preview.caption == of_example(prepared(turned)).caption
    names = [f"transverse, z = {z}", f"coronal, y = {y}", f"sagittal, x = {x}"]
    seen = [volume[z][:, ::-1], volume[::-1, y, ::-1], volume[::-1, :, x]]
    for name, plane in zip(names, seen, strict=True):
        assert largest_error(preview.images[name], plane) < 1e-5


def test_pixels_are_square() -> None:
    """Voxels of 2 mm have twice as many pixels; what is over time has no millimetres."""
    scan = replace(series(), voxel=(2.0, 1.0, 5.0))
    for preview in (of_scan(scan, prepared(scan)), of_example(prepared(scan)), of_scan(scan, None)):
        image, *over_time, sampling = [picture.shape for picture in preview.pictures()]
        assert image == (48, 20)
        assert over_time == [picture.shape for name, picture in preview.images.items()][1:]
        assert sampling == preview.sampling.shape

    scan = replace(tiny_scan((16, 18, 20), slices=1), voxel=(1.0, 2.0, 1.0))
    across = [(36, 20), (16, 20), (16, 36)]
    sideways = scan.affine[:, [1, 0, 2, 3]]  # y to the left, x to the back
    for affine, first in ((scan.affine, across[0]), (sideways, across[0][::-1])):
        placed = replace(scan, affine=affine)
        for preview in (of_scan(placed, None), of_example(prepared(placed))):
            *images, _ = [picture.shape for picture in preview.pictures()]
            assert images == [first, *across[1:]]


@pytest.mark.parametrize("shape", [(24, 20), (16, 18, 20)], ids=["slice", "volume"])
def test_lines_that_few_frames_have_count_as_much_as_others(shape: tuple[int, ...]) -> None:
    """Of what moves, the mean over the frames that have them; where none has, there is nothing."""
    scan = tiny_scan(shape, slices=1)
    still = np.concatenate([np.asarray(scan.kspace)] * 4, axis=2)
    lines = (np.arange(shape[-1]) - np.arange(4)[:, None]) % 4 == 0
    lines[1:, : shape[-1] // 2] = False  # these in one frame or none, the others in all in turn
    sampled = lines.reshape(4, *[1] * (len(shape) - 1), -1)
    found = of_scan(undersampled(replace(scan, kspace=still), sampled), None)
    once = undersampled(scan, sampled.any(axis=0, keepdims=True))
    expected = of_scan(once, None)
    assert list(found.images) == list(expected.images)
    for name, image in expected.images.items():
        assert image.any()
        assert largest_error(found.images[name], image) < 1e-5


def test_frames_of_opposite_sign_are_seen() -> None:
    """The mean of their k-space is nothing."""
    scan = tiny_scan((16, 18, 20), slices=1)
    still = np.asarray(scan.kspace)
    inverted = replace(scan, kspace=np.concatenate([still, -still], axis=2))
    for name, plane in of_scan(scan, None).images.items():
        assert largest_error(of_scan(inverted, None).images[name], plane) < 1e-5
