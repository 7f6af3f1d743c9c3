import numpy as np
import pytest

from gleam.formats import (
    FORMATS,
    Layout,
    Volume,
    image_name,
    image_writer,
    is_scan_file,
    read_scan,
    write_scan,
)


@pytest.mark.parametrize("name", ["scan.h5", "scan.cfl"])
def test_scans_go_through_the_format_of_their_suffix(tmp_path, make_scan, name):
    scan = make_scan((2, 3, 1, 12, 10))
    write_scan(scan, tmp_path / name)
    back = read_scan(tmp_path / name)
    assert back.name == "scan"
    np.testing.assert_array_equal(back.kspace[1], scan.kspace[1])


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.npy", "a.png", "a.webp", "a.cfl", "a"])
def test_images_are_written_and_nothing_else(tmp_path, name):
    volume = Volume(np.ones((2, 1, 4, 5), np.complex64), (1.0, 1.0, 1.0), np.eye(4))
    path = tmp_path / "new folder" / name
    image_writer(path)(volume, path)
    expected = {name, "a.hdr"} if name == "a.cfl" else {name}
    assert {path.name for path in (tmp_path / "new folder").iterdir()} == expected


@pytest.mark.parametrize("name", ["a.NII.GZ", "a.NPY", "a.PNG", "a.Webp", "a.MRD", "a.DCM"])
def test_images_are_written_in_capitals_too(tmp_path, name):
    volume = Volume(np.ones((1, 1, 4, 5), np.complex64), (1.0, 1.0, 1.0), np.eye(4))
    image_writer(tmp_path / name)(volume, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_has_its_suffix(tmp_path, format, refused):
    """Under another, others' programs would not know what it is; or the library that writes it."""
    volume = Volume(np.ones((2, 1, 4, 5), np.complex64), (1.0, 1.0, 1.0), np.eye(4))
    path = tmp_path / image_name("P1.2", format)
    image_writer(path, format)(volume, path)
    assert path.name in [one.name for one in tmp_path.iterdir()]
    for name in ("scan", "scan.v2", "scan.jpg") if format != "dicom" else ():
        said = refused(lambda path: image_writer(path, format), tmp_path / name)
        assert f"an image of --format {format} ends in .{path.name.removeprefix('P1.2.')};" in said


def test_unknown_suffixes_name_the_known_ones(tmp_path, make_scan, refused):
    scan = make_scan((1, 1, 1, 4, 4))
    path = tmp_path / "scan.raw"
    assert ".cfl, .hdr, .npy" in refused(read_scan, path)
    assert ".h5, .cfl" in refused(lambda p: write_scan(scan, p), path)
    assert ".nii, .nii.gz, .npy, .png, .webp, .cfl, .dcm" in refused(image_writer, path)


@pytest.mark.parametrize("name", ["missing.h5", "missing.npy"])
def test_missing_files_are_refused(tmp_path, refused, name):
    assert "no such file" in refused(read_scan, tmp_path / name)


@pytest.mark.parametrize("name", ["scan.mrd", "scan.dat"])
def test_axes_of_files_that_name_their_own_are_refused(tmp_path, refused, name):
    (tmp_path / name).touch()
    layout = Layout.parse("coil y x")
    assert "--axes" in refused(lambda path: read_scan(path, layout), tmp_path / name)


def test_suffixes_in_capitals_are_known(tmp_path, make_scan):
    scan = make_scan((1, 3, 1, 12, 10))
    write_scan(scan, tmp_path / "scan.H5")
    np.testing.assert_array_equal(read_scan(tmp_path / "scan.H5").kspace[0], scan.kspace[0])
    assert is_scan_file(tmp_path / "scan.H5")


@pytest.mark.parametrize(
    ("name", "message"),
    [("scan.h5", "is a folder"), ("series", "is a folder"), ("brain.nii.gz", "holds images")],
)
def test_what_is_no_scan_is_called_what_it_is(tmp_path, name, message, refused):
    if message == "is a folder":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(b"")
    assert message in refused(read_scan, tmp_path / name)
