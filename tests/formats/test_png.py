import numpy as np
from PIL import Image

from gleam.formats import png
from gleam.formats.volume import Volume


def written(tmp_path, image):
    png.write_image(Volume(image, (1.0, 1.0, 1.0), np.eye(4)), tmp_path / "image.png")
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
