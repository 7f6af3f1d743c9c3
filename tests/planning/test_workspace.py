import json
from dataclasses import replace

import pytest
import torch

from gleam.planning import workspace
from gleam.planning.trace import aten
from gleam.planning.workspace import Convolution, Workspaces, found

PLAIN = Convolution(
    None, 1, (40, 30), (8, 8), (3, 3), (1, 1), (1, 1), "float32", "last", "last", "", "Mkldnn"
)
CPU = torch.device("cpu")


def arguments(image, weight):
    return image, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1


def test_a_convolution_is_known_by_its_arguments():
    image = torch.zeros(1, 8, 40, 30).to(memory_format=torch.channels_last)
    given = arguments(image, torch.zeros(8, 8, 3, 3))
    one = found(aten.convolution.default, given)
    assert replace(one, backend="") == replace(PLAIN, weight_layout="first", backend="")
    back = (torch.zeros(1, 8, 40, 30), *given[:2], [0], *given[3:], [False, True, False])
    backward = found(aten.convolution_backward.default, back)
    assert backward.wanted == (False, True)
    assert backward.gradient_layout == "first"


def test_small_ones_are_measured_as_they_are(tmp_path):
    image = torch.zeros(1, 2, 9, 8)
    one = found(aten.convolution.default, arguments(image, torch.zeros(4, 2, 3, 3)))
    if one.backend != "Slow2d":
        pytest.skip("this PyTorch convolves few channels in another way")
    columns = 2 * 9 * 9 * 8 * 4
    assert Workspaces(CPU, tmp_path).of(one) == columns


def test_large_ones_follow_from_smaller_ones_and_are_measured_once(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        Convolution, "run", lambda one, device: seen.append(one.grid) or 100 + 3 * area(one.grid)
    )
    large = replace(PLAIN, grid=(4000, 3000))
    assert Workspaces(CPU, tmp_path).of(large) == 100 + 3 * area(large.grid)
    assert len(seen) == 2
    assert max(map(area, seen)) < 30_000
    assert Workspaces(CPU, tmp_path).of(replace(large, grid=(5000, 3000))) > 0
    assert len(seen) == 2


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("layout", ["first", "part"])
def test_images_that_are_reordered_count_each(images, layout, tmp_path, monkeypatch):
    """What is not in oneDNN's layout is copied whole, be it of one image or of many."""
    monkeypatch.setattr(workspace, "SMALL", 0)
    one = replace(PLAIN, grid=(64, 48), channels=(16, 16), images=images, layout=layout)
    exact = one.run(CPU)
    assert Workspaces(CPU, tmp_path).of(one) == pytest.approx(exact, rel=0.02, abs=2**14)


def area(grid):
    return grid[0] * grid[1]


def test_prediction_of_a_larger_one_is_what_it_takes(tmp_path, monkeypatch):
    """Columns are written out, or channels padded: either grows with the grid."""
    for dtype in ("float32", "bfloat16"):
        wide = replace(PLAIN, wanted=(True, True), gradient_layout="last", dtype=dtype)
        wide = replace(wide, grid=(200, 150))
        taken = wide.run(CPU)
        monkeypatch.setattr(workspace, "SMALL", 2**20)
        assert Workspaces(CPU, tmp_path).of(wide) == pytest.approx(taken, rel=0.02)


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": ["x", 2]}'])
def test_a_broken_file_is_measured_anew(tmp_path, text):
    first = Workspaces(CPU, tmp_path)
    first._path.write_text(text)
    second = Workspaces(CPU, tmp_path)
    assert second._lines == {}
    second._lines["kind"] = (1.0, 2.0)
    second._keep()
    assert json.loads(first._path.read_text()) == {"kind": [1.0, 2.0]}


def test_where_nothing_can_be_kept_it_is_measured_each_time(tmp_path):
    (tmp_path / "file").write_text("")
    Workspaces(CPU, tmp_path / "file" / "folder")._keep()
