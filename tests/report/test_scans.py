"""What a page holds of scans: windows, gains, and how they are shared out."""

import pytest
import torch

from gleam.evaluation.examples import Pictured, pictured
from gleam.report import scans
from gleam.report.scans import Shown, common_gain, shared_out


def one(error: float, size: int = 8, name: str = "scan") -> Shown:
    """A scan of ones, and a method that is wrong by so much everywhere."""
    target = torch.ones(2, 1, 1, size, size, dtype=torch.complex64)
    return Shown(pictured(name, [0, 1], target, {"method": target + error}))


def test_white_is_what_all_but_the_brightest_voxels_stay_below() -> None:
    target = torch.ones(1, 1, 1, 10, 100, dtype=torch.complex64)
    target[..., 0, :4] = 1000
    assert pictured("a", [0], target, {}).white == pytest.approx(1)
    target[..., 0, :60] = 1000
    assert pictured("a", [0], target, {}).white == pytest.approx(1000)


def test_errors_are_as_bright_as_those_of_the_median_scan_allow() -> None:
    assert common_gain([one(0.04), one(0.05), one(0.9)]) == 20
    assert common_gain([one(0.04)]) == 20
    assert common_gain([one(3.0)]) == 1
    assert common_gain([]) == 1


def test_a_scan_that_is_larger_than_a_page_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = one(0.1), one(0.1, size=64)
    monkeypatch.setattr(scans, "ROOM", 3 * small.scan.nbytes * 4 // 3)
    assert shared_out([]) == [[]]
    assert shared_out([large]) == [[large]]
    assert shared_out([small, small, large, small]) == [[small, small], [large], [small]]


def test_voxels_are_told_along_z_y_and_x() -> None:
    def voxel(shape: tuple[int, ...], said: tuple[float, ...]) -> Pictured:
        return pictured(
            "a", [0], torch.ones(1, 1, 1, *shape, dtype=torch.complex64), {}, None, said
        )

    assert voxel((4, 5), (1.0, 2.0, 7.0)).voxel == (7.0, 1.0, 2.0)
    assert voxel((3, 4, 5), (3.0, 1.0, 2.0)).voxel == (3.0, 1.0, 2.0)
    assert voxel((3, 4, 5), ()).voxel == (1.0, 1.0, 1.0)
