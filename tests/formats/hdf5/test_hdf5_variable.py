import h5py
import numpy as np
import pytest

from gleam.errors import BadInput
from gleam.formats.hdf5 import file as hdf5
from gleam.formats.hdf5 import variable as hdf5_variable

WORDS = [b"a", b"", b"some words", b"x" * 5000, "größer".encode()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "strings.h5"


def read(path, name="words"):
    with hdf5.opened(path) as file:
        return hdf5_variable.text(hdf5.dataset(file, name))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("kind", [h5py.string_dtype(), h5py.string_dtype("ascii"), "S6000"])
def test_one_string(path, word, shape, kind):
    with h5py.File(path, "w") as file:
        file.create_dataset("others", data=WORDS, dtype=h5py.string_dtype())
        file.create_dataset("words", shape, kind)[...] = word
    assert read(path) == word


def test_many_small_elements_share_a_collection(path):
    kind = np.dtype([("number", "<i4"), ("values", h5py.vlen_dtype(np.dtype("<f4")))])
    values = [np.arange(n, dtype="<f4") for n in (3, 0, 700, 1, 2, 5000)]
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", (6,), kind, chunks=(4,))
        for index, value in enumerate(values):
            data[index] = (index, value)
    with hdf5.opened(path) as file:
        found = hdf5.dataset(file, "data")
        raw = hdf5_variable.elements(found, found.dtype.itemsize)
    np.testing.assert_array_equal(raw[:, :4].copy().view("<i4")[:, 0], range(6))
    places = raw[:, 4:20].copy().view(hdf5_variable.PLACE)[:, 0]
    for content, value in zip(hdf5_variable.contents(path, places, 4), values, strict=True):
        np.testing.assert_array_equal(np.frombuffer(content, "<f4"), value)


@pytest.mark.parametrize("data", [3.0, [b"two", b"words"], np.zeros((1, 0))])
def test_what_is_not_one_string_is_refused(path, data):
    with h5py.File(path, "w") as file:
        file["words"] = data
    with pytest.raises(BadInput, match="not one string"):
        read(path)


@pytest.mark.parametrize(
    ("at", "value"),
    [  # from the start of the collection, or of the element
        (0, b"GOLF"),
        (4, b"\2"),
        (8, (20).to_bytes(8, "little")),
        (16, b"\0\0"),
        (16, b"\7\0"),
        (24, (2**63).to_bytes(8, "little")),
        (24, (99).to_bytes(8, "little")),
        ("length", (2**32 - 1).to_bytes(4, "little")),
        ("collection", (2**64 - 1).to_bytes(8, "little")),
        ("collection", (2**40).to_bytes(8, "little")),
        ("index", (2).to_bytes(4, "little")),
    ],
)
def test_damaged_heaps_are_refused(path, at, value):
    with h5py.File(path, "w") as file:
        file.create_dataset("words", data=b"0123456789" * 10, dtype=h5py.string_dtype())
        element = file["words"].id.get_offset()
    content = bytearray(path.read_bytes())
    place = content.index(b"GCOL")
    at = place + at if isinstance(at, int) else element + hdf5_variable.PLACE.fields[at][1]
    content[at : at + len(value)] = value
    path.write_bytes(content)
    with pytest.raises(BadInput, match=str(path)):
        read(path)


@pytest.mark.parametrize(
    ("whole", "one"),
    [
        ({"userblock_size": 512}, {}),
        ({}, {"chunks": (1,), "compression": "gzip"}),
        ({}, {"chunks": (1,), "shuffle": True}),
    ],
)
def test_packed_elements_are_refused(path, whole, one):
    with h5py.File(path, "w", **whole) as file:
        file.create_dataset("words", data=[b"word"], dtype=h5py.string_dtype(), **one)
    with pytest.raises(BadInput, match="h5repack"):
        read(path)
