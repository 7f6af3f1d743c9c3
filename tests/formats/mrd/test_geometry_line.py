import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gleam.formats import read_scan, write_scan
from gleam.formats.geometry import Geometry
from gleam.formats.layout import Layout


def placed(make_scan, shape, **given):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()
    affine[:3, 3] = [-31.5, 22.25, 57.125]
    dims = len(shape) - 3
    return make_scan(
        shape,
        voxel=(1.25, 1.5, 7.0),
        affine=affine,
        thickness=4.0 if dims == 2 else None,
        matrix=(shape[3] // 2, *shape[4:]),
        **given,
    )


@pytest.mark.parametrize(
    ("shape", "name"),
    [((3, 2, 1, 8, 9), "scan.h5"), ((3, 2, 4, 8, 9), "scan.cfl"), ((1, 2, 1, 8, 9, 7), "scan.cfl")],
)
def test_the_place_survives_in_formats_that_have_no_field_for_it(tmp_path, make_scan, shape, name):
    scan = placed(make_scan, shape)
    write_scan(scan, tmp_path / name)
    back = read_scan(tmp_path / name)
    np.testing.assert_array_equal(back.affine, scan.affine)
    assert (back.matrix, back.voxel) == (scan.matrix, scan.voxel)
    assert back.thickness == scan.thickness


def test_axes_that_change_places_take_their_directions_along(tmp_path, make_scan):
    scan = placed(make_scan, (1, 2, 1, 8, 9, 7), readout=1)
    write_scan(scan, tmp_path / "scan.cfl")
    back = read_scan(tmp_path / "scan.cfl")  # y z x
    assert back.matrix == (9, 4, 7)
    assert back.voxel == (1.5, 1.25, 7.0)
    z, y, x = 3, 8, 5
    np.testing.assert_allclose(back.affine @ [x, z, y, 1], scan.affine @ [x, y, z, 1])


def test_what_the_user_says_goes_before(tmp_path, make_scan):
    write_scan(placed(make_scan, (3, 2, 1, 8, 9)), tmp_path / "scan.cfl")
    scan = read_scan(tmp_path / "scan.cfl", Layout.parse("y x coil slice"))
    assert scan.voxel == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"voxel": [1.0, 0.0, 1.0]},
        {"voxel": [1.0, 1.0]},
        {"affine": [[1.0] * 4] * 3},
        {"affine": [["nan"] * 4] * 4},
        {"affine": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1e308, 0, 0, 1]]},
        {"affine": [[1e300, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]},
        {"thickness": -1.0},
        {"matrix": [8]},
        {"matrix": [80, 9]},
        {"matrix": "8 9"},
    ],
)
def test_a_damaged_line_is_refused(tmp_path, make_scan, refused, change):
    scan = placed(make_scan, (3, 2, 1, 8, 9))
    write_scan(scan, tmp_path / "scan.cfl")
    line = json.loads(Geometry.of(scan).model_dump_json()) | change
    header = tmp_path / "scan.hdr"
    sizes = header.read_text().partition("# Geometry")[0]
    header.write_text(f"{sizes}# Geometry\n{json.dumps(line)}\n")
    assert "geometry" in refused(read_scan, tmp_path / "scan.cfl")
