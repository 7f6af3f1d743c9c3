from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageSequence

from gleam.errors import BadInput
from gleam.formats import pictures
from gleam.formats.volume import Volume


def written(tmp_path, image):
    pictures.write_png(Volume(image, (1.0, 1.0, 1.0), np.eye(4)), tmp_path / "image.png")
    with Image.open(tmp_path / "image.png") as read:
        assert read.mode == "L"
        return np.asarray(read)


def test_slices_form_a_montage_row_by_row(tmp_path):
    image = np.repeat(np.arange(5) / 4, 6 * 7).reshape(5, 1, 6, 7).astype(np.complex64)
    grid = written(tmp_path, image * 1j)
    assert grid.shape == (2 * 6, 3 * 7)
    tiles = grid.reshape(2, 6, 3, 7).swapaxes(1, 2).reshape(6, 6, 7)
    np.testing.assert_array_equal(tiles[:, 0, 0], [0, 64, 128, 191, 255, 0])
    assert (tiles == tiles[:, :1, :1]).all()


def test_white_is_the_percentile_of_the_volume(tmp_path):
    image = np.full((1, 1, 2, 40, 50), 100, np.complex64)
    image[0, 0, 0, 0, :4] = 1e6  # 0.1 % of the voxels
    image[0, 0, 1, 39, 49] = 50
    grid = written(tmp_path, image)
    assert grid[0, 0] == grid[10, 10] == 255
    assert grid[39, 99] == 128


def test_an_empty_image_is_black(tmp_path):
    assert not written(tmp_path, np.zeros((1, 1, 3, 3), np.complex64)).any()


@pytest.fixture
def cine() -> Volume:
    """2 slices, 5 frames: grey levels differ everywhere, slice 0 is the darker."""
    image = np.arange(2 * 5 * 6 * 7).reshape(2, 5, 6, 7).astype(np.complex64) * 1j
    return Volume(image, (1.0, 1.0, 1.0), np.eye(4), {"frame_time": 42.0})


def frames(path):
    with Image.open(path) as read:
        assert read.info["loop"] == 0
        shown = [
            (np.asarray(frame.convert("L")), frame.info["duration"])
            for frame in ImageSequence.Iterator(read)
        ]
    return [picture for picture, _ in shown], [duration for _, duration in shown]


def test_frames_follow_in_time_with_the_slices_side_by_side(tmp_path, cine):
    pictures.write_webp(cine, tmp_path / "cine.webp")
    shown, durations = frames(tmp_path / "cine.webp")
    assert durations == [42] * 5
    white = np.percentile(cine.magnitude, 99.5)
    for time, picture in enumerate(shown):
        expected = np.hstack(np.abs(cine.image[:, time])) / white * 255
        np.testing.assert_array_equal(picture, expected.clip(0, 255).round())


def test_depth_is_a_montage_too(tmp_path, cine):
    volume = replace(cine, image=cine.image.swapaxes(0, 1)[None], contrast={})
    pictures.write_webp(volume, tmp_path / "cine.webp")
    shown, durations = frames(tmp_path / "cine.webp")
    assert durations == [50] * 5
    assert shown[0].shape == (6, 14)


def test_what_does_not_move_is_one_picture(tmp_path, cine):
    pictures.write_webp(replace(cine, image=cine.image[:, :1]), tmp_path / "still.webp")
    with Image.open(tmp_path / "still.webp") as read:
        assert (read.n_frames, read.size) == (1, (14, 6))


def test_pictures_larger_than_webp_can_be_are_refused(tmp_path, cine):
    wide = np.zeros((1, 1, 2, 16384), np.complex64)
    with pytest.raises(BadInput, match=r"wide.webp: .*16384 × 2 pixels"):
        pictures.write_webp(replace(cine, image=wide), tmp_path / "wide.webp")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("voxel", "size"), [((1.0, 3.0, 5.0), (72, 48)), ((3.0, 1.5, 5.0), (24, 96))]
)
def test_pixels_are_square(tmp_path, voxel, size):
    image = np.zeros((1, 1, 48, 24), np.complex64)
    image[..., 12:36, 6:18] = 1
    affine = np.diag([voxel[1], voxel[0], 5.0, 1.0])
    pictures.write_png(Volume(image, voxel, affine), tmp_path / "image.png")
    picture = np.asarray(Image.open(tmp_path / "image.png"))
    assert picture.shape == size[::-1]
    rows, columns = np.nonzero(picture > 127)  # half of either side, as of the voxels
    assert np.ptp(rows) + 1 == pytest.approx(size[1] / 2, abs=1)
    assert np.ptp(columns) + 1 == pytest.approx(size[0] / 2, abs=1)
