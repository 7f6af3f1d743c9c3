from contextlib import suppress

import h5py
import numpy as np
import pytest

from gleam.errors import BadInput
from gleam.formats.hdf5.attribute import text
from gleam.formats.hdf5.file import opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scan.h5"


def read(path, name="name"):
    with h5py.File(path) as file:
        return text(file, name)


@pytest.mark.parametrize("value", ["AXT2", "", "Knie, rückwärts", "x" * 40_000])
@pytest.mark.parametrize("others", [0, 3, 60])
def test_strings_as_h5py_writes_them(path, value, others):
    with h5py.File(path, "w") as file:
        for index in range(others):
            file.attrs[f"other {index}"] = "something else" if index % 2 else 3.5
            file[f"dataset {index}"] = index
        file.attrs["name"] = value
    assert read(path) == value
    assert read(path, "no") is None


def test_string_of_fixed_length(path):
    with h5py.File(path, "w") as file:
        file.attrs["name"] = np.bytes_("AXT2")
    assert read(path) == "AXT2"


@pytest.mark.parametrize("value", [3.0, ["a", "b"], np.zeros(3), h5py.Empty("f4")])
def test_what_is_no_string_is_none(path, value):
    with h5py.File(path, "w") as file:
        file.attrs["name"] = value
    assert read(path) is None


@pytest.mark.parametrize("layout", [{"libver": "latest"}, {"userblock_size": 512}])
def test_other_layouts_are_passed_over(path, layout):
    with h5py.File(path, "w", **layout) as file:
        file.attrs["name"] = "AXT2"
    assert read(path) is None


def test_heap_of_zeros_is_refused(path):
    """HDF5 itself never comes back from it."""
    with h5py.File(path, "w") as file:
        file.attrs["name"] = "AXT2"
    content = path.read_bytes()
    heap = content.index(b"GCOL")
    path.write_bytes(content[: heap + 16] + bytes(len(content) - heap - 16))
    with pytest.raises(BadInput, match=r"scan\.h5: claims data that are not there"):
        read(path)


def test_any_damage_is_refused_or_read(path):
    with h5py.File(path, "w") as file:
        for index in range(9):
            file.attrs[f"other {index}"] = index
        file.attrs["name"] = "AXT2"
    content = path.read_bytes()
    with h5py.File(path) as file:
        root = h5py.h5o.get_info(file.id).addr
    for position in range(root, root + 400):
        path.write_bytes(content[:position] + b"\xff" + content[position + 1 :])
        with suppress(BadInput), opened(path) as file:
            text(file, "name")
