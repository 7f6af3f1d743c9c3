"""Volumes are upright: letters on a phantom read as they do in nibabel's canonical view."""

from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looking import pixels, settled
from numpy.typing import NDArray
from toy_pages import volume_evaluation

from gleam.formats import read_image
from gleam.report.evaluation import write_report
from gleam.report.opened import page_of, read_images
from gleam.report.page import write_page
from gleam.viewing.turned import turned

nibabel = pytest.importorskip("nibabel")

LETTERS = {
    "F": ["####", "#   ", "### ", "#   ", "#   "],
    "P": ["### ", "#  #", "### ", "#   ", "#   "],
    "R": ["### ", "#  #", "### ", "# # ", "#  #"],
}
SIZE = (7, 8, 9)  # x, y, z of nibabel's canonical axes, RAS


def letter(name: str) -> NDArray[np.bool_]:
    """(row, column), as it is read."""
    return np.array([[mark == "#" for mark in row] for row in LETTERS[name]])


def phantom() -> NDArray[np.float32]:
    """(x, y, z), RAS: a letter on each middle plane, to be read in the radiological convention.

    That is: the patient's right on the left, the front, or the head, up; sagittal planes have the
    front on the left.
    """
    volume = np.full(SIZE, 0.1, np.float32)
    x, y, z = (size // 2 for size in SIZE)
    # rows grow downwards and columns to the right: against y and x, against z and x, z and y
    volume[1:5, 1:6, z][::-1, ::-1] += 0.9 * letter("F").T
    volume[1:5, y, 2:7][::-1, ::-1] += 0.9 * letter("P").T
    volume[x, 2:6, 2:7][::-1, ::-1] += 0.9 * letter("R").T
    return volume


def affines() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Orders and directions of the axes a file may have: a dozen of the 48."""
    every = [*product(permutations(range(3)), product((1, -1), repeat=3))]
    return [*every[::4], every[-1]]


def stored(order: tuple[int, ...], signs: tuple[int, ...], path: Path) -> Path:
    """The phantom in a file whose axes are others."""
    affine = np.diag([2.0, 2.5, 3.0, 1.0])
    affine[:3, 3] = (-31, 11, 7)
    image = nibabel.Nifti1Image(phantom(), affine)
    codes = np.array([[order.index(axis), signs[axis]] for axis in range(3)])
    nibabel.save(image.as_reoriented(codes), path)
    canonical = nibabel.as_closest_canonical(nibabel.load(path))
    np.testing.assert_allclose(canonical.get_fdata(), phantom(), atol=1e-6)
    return path


def expected() -> dict[str, NDArray[np.float32]]:
    """By name, each plane of nibabel's canonical view, in the radiological convention."""
    volume = phantom()
    x, y, z = (size // 2 for size in SIZE)
    return {
        "transverse": volume[::-1, ::-1, z].T,
        "coronal": volume[::-1, y, ::-1].T,
        "sagittal": volume[x, ::-1, ::-1].T,
    }


@pytest.mark.parametrize(("order", "signs"), affines())
def test_planes_are_those_of_nibabels_canonical_view(
    order: tuple[int, ...], signs: tuple[int, ...], tmp_path: Path
) -> None:
    image = read_image(stored(order, signs, tmp_path / "letters.nii"))
    volume = image.magnitude[0]
    found = {}
    for axis, plane in enumerate(turned(image.upright)):
        number = index_of(plane.name, signs, order, axis, volume.shape)
        found[plane.name] = plane.shown(volume.take(number, axis))
    for name, seen in expected().items():
        np.testing.assert_allclose(found[name], seen, atol=1e-6)


def index_of(
    name: str, signs: tuple[int, ...], order: tuple[int, ...], axis: int, shape: tuple[int, ...]
) -> int:
    """Of the canonical volume's middle plane, along the file's axis."""
    canonical = ("sagittal", "coronal", "transverse").index(name)
    middle = SIZE[canonical] // 2
    return middle if signs[canonical] > 0 else shape[axis] - 1 - middle


@pytest.mark.parametrize(("order", "signs"), [affines()[2], affines()[-2]])
def test_the_browser_shows_them_so(
    order: tuple[int, ...], signs: tuple[int, ...], tmp_path: Path, show: Any
) -> None:
    path = stored(order, signs, tmp_path / "letters.nii")
    (page_file,) = write_page(tmp_path / "page.html", page_of(read_images([path]), "letters"))
    page = show(page_file)
    names = page.locator("#stage .plane").all_inner_texts()
    planes = [*turned(read_image(path).upright)]
    assert names == [plane.name for plane in planes]
    volume = read_image(path).magnitude[0]
    for axis, plane in enumerate(planes):
        wanted = index_of(plane.name, signs, order, axis, volume.shape)
        page.fill(f"[name={'zyx'[axis]}]", str(wanted))
    settled(page)
    for axis, plane in enumerate(planes):
        seen = pixels(page, 0, axis)[..., 0] > 128
        np.testing.assert_array_equal(seen, expected()[plane.name] > 0.5)


def test_a_volume_whose_place_is_not_known_has_its_head_up(tmp_path: Path, show: Any) -> None:
    volume = phantom().T[:, ::-1, ::-1]  # (z, y, x), y to the back and x to the left: LPS
    write_report(tmp_path / "r.html", volume_evaluation(volume, (3.0, 2.5, 2.0), None))
    page = show(tmp_path / "r.html")
    page.fill("[name=y]", str(SIZE[1] - 1 - SIZE[1] // 2))
    settled(page)
    coronal = pixels(page, 0, 1)[..., 0] > 128
    np.testing.assert_array_equal(coronal, expected()["coronal"] > 0.5)
    assert page.locator("#stage .frame .plane").all_inner_texts() == []


def test_a_click_takes_all_planes_there(tmp_path: Path, show: Any) -> None:
    image = read_image(stored((2, 0, 1), (1, -1, 1), tmp_path / "letters.nii"))
    volume, upright = image.magnitude[0], image.upright
    write_report(tmp_path / "r.html", volume_evaluation(volume, image.voxel, upright))
    page = show(tmp_path / "r.html")
    for axis in range(3):
        box = page.locator("#stage .frame").nth(axis).bounding_box()
        page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.7 * box["height"])
        settled(page)
        at = [int(page.input_value(f"[name={name}]")) for name in "zyx"]
        assert upright is not None
        seen = upright[axis].shown(volume.take(at[axis], axis))
        rows, columns = seen.shape
        shown = pixels(page, 0, axis)[..., 0]
        here = seen[int(0.7 * rows), int(0.3 * columns)]
        assert here == pytest.approx(volume[tuple(at)], abs=1e-4)
        others = [other for other in range(3) if other != axis]
        for other in others:
            other_seen = pixels(page, 0, other)[..., 0] > 128
            wanted = upright[other].shown(volume.take(at[other], other)) > 0.5
            np.testing.assert_array_equal(other_seen, wanted)
        assert shown.shape == seen.shape
    ratio = page.locator("#stage .frame").first.evaluate("(one) => one.style.aspectRatio")
    z, y, x = image.voxel
    assert upright is not None
    wide, high = volume.shape[2] * x, volume.shape[1] * y
    expected_ratio = high / wide if upright[0].transposed else wide / high
    assert float(ratio.split("/")[0]) == pytest.approx(expected_ratio, rel=1e-3)
    assert z > 0
