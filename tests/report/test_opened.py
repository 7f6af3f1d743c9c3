"""Images and scans as files, in the viewer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import prepared, tiny_scan

from gleam.errors import BadInput
from gleam.formats import Layout, Volume, image_writer
from gleam.formats.scan import centred_affine
from gleam.report.opened import is_image, page_of, read_images, scan_pictured


def volume(seed: int = 0, shape: tuple[int, ...] = (2, 1, 8, 9)) -> Volume:
    random = np.random.default_rng(seed)
    image = random.random(shape).astype(np.complex64)
    affine = centred_affine(shape[2:], (1.0, 1.0, 3.0), shape[0])
    affine[:3, 3] += 5
    return Volume(image, (1.0, 1.0, 3.0), affine)


@pytest.mark.parametrize(
    ("name", "axes", "image"),
    [
        ("a.nii", None, True),
        ("a.nii.gz", None, True),
        ("a.dcm", None, True),
        ("a.npy", "y x", True),
        ("a.npy", "coil y x", False),
        ("a.mat", None, False),
        ("a.h5", None, False),
    ],
)
def test_what_is_an_image_and_what_a_scan(
    name: str, axes: str | None, image: bool, tmp_path: Path
) -> None:
    layout = None if axes is None else Layout.parse(axes)
    assert is_image(tmp_path / name, layout) == image
    assert is_image(tmp_path, None)  # a folder of DICOM files


def test_images_of_one_size_can_be_compared(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    made = {"a.nii": volume(), "b.nii": volume(1), "c.nii": volume(2, (2, 1, 8, 7))}
    for name, one in made.items():
        image_writer(tmp_path / name)(one, tmp_path / name)
    together, apart = read_images([tmp_path / name for name in made])
    assert [*together.images] == ["a.nii", "b.nii"]
    assert [*apart.images] == ["c.nii"]
    found = np.abs(together.images["b.nii"].image()).squeeze()
    # 2D slices come back as the planes of a volume
    np.testing.assert_allclose(found, made["b.nii"].magnitude[0], atol=1e-3)
    page = page_of([together, apart], "images")
    assert page.extent[0] == "2 images"
    assert len(page.colours) == 3


def test_a_scan_is_shown_with_its_sampling() -> None:
    example = prepared(tiny_scan())
    slices, _, _, rows, columns = example.shape
    image = replace(volume(), image=np.ones((slices, 1, rows, columns), np.complex64))
    shown = scan_pictured(example, {"one": image})
    assert shown.scan == "tiny"
    assert shown.reference is None
    assert shown.sampling is not None
    assert shown.sampling.shape == (rows, columns)
    assert shown.voxel == (3.0, 1.0, 1.0)


def test_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="nothing to look at"):
        page_of([], "nothing")
