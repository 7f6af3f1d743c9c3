from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageSequence

from gleam.errors import BadInput
from gleam.formats import webp
from gleam.formats.volume import Volume


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
    webp.write_image(cine, tmp_path / "cine.webp")
    pictures, durations = frames(tmp_path / "cine.webp")
    assert durations == [42] * 5
    white = np.percentile(cine.magnitude, 99.5)
    for time, picture in enumerate(pictures):
        expected = np.hstack(np.abs(cine.image[:, time])) / white * 255
        np.testing.assert_array_equal(picture, expected.clip(0, 255).round())


def test_depth_is_a_montage_too(tmp_path, cine):
    volume = replace(cine, image=cine.image.swapaxes(0, 1)[None], contrast={})
    webp.write_image(volume, tmp_path / "cine.webp")
    pictures, durations = frames(tmp_path / "cine.webp")
    assert durations == [50] * 5
    assert pictures[0].shape == (6, 14)


def test_what_does_not_move_is_one_picture(tmp_path, cine):
    webp.write_image(replace(cine, image=cine.image[:, :1]), tmp_path / "still.webp")
    with Image.open(tmp_path / "still.webp") as read:
        assert (read.n_frames, read.size) == (1, (14, 6))


def test_pictures_larger_than_webp_can_be_are_refused(tmp_path, cine):
    wide = np.zeros((1, 1, 2, 16384), np.complex64)
    with pytest.raises(BadInput, match=r"wide.webp: .*16384 × 2 pixels"):
        webp.write_image(replace(cine, image=wide), tmp_path / "wide.webp")
    assert not list(tmp_path.iterdir())
