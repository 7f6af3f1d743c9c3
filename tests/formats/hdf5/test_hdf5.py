import h5py
import numpy as np
import pytest

from gleam.errors import BadInput
from gleam.formats.hdf5 import file as hdf5
from gleam.processes import PROCESSES


@pytest.fixture
def elsewhere(tmp_path):
    with h5py.File(tmp_path / "elsewhere.h5", "w") as file:
        file["kspace"] = np.ones((4, 5))
    return tmp_path / "elsewhere.h5"


def virtual(file, source):
    layout = h5py.VirtualLayout((4, 5), float)
    layout[:] = h5py.VirtualSource(source, "kspace", (4, 5))
    file.create_virtual_dataset("kspace", layout)


def external_storage(file, source):
    file.create_dataset("kspace", (4, 5), float, external=[(str(source), 0, 160)])


def external_link(file, source):
    file["kspace"] = h5py.ExternalLink(str(source), "kspace")


def soft_link(file, source):
    file["other"] = np.ones(3)
    file["kspace"] = h5py.SoftLink("/other")


def group(file, source):
    file.create_group("kspace")


def nothing(file, source):
    pass


def never_written(file, source):
    file.create_dataset("kspace", (10**6, 10**6), "f4", chunks=(1, 10**6))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (virtual, "other files"),
        (external_storage, "other files"),
        (external_link, "link"),
        (soft_link, "link"),
        (group, "not a dataset"),
        (nothing, "no dataset"),
        (never_written, "almost no data"),
    ],
)
def test_data_that_is_not_in_the_file_is_refused(tmp_path, elsewhere, make, message):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        make(file, elsewhere)
    with pytest.raises(BadInput, match=message), hdf5.opened(tmp_path / "scan.h5") as file:
        hdf5.dataset(file, "kspace")


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"chunks": (1, 500)}])
def test_data_in_the_file_is_read(tmp_path, options):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("kspace", data=np.zeros((400, 500)), **options)  # packs best of all
    with hdf5.opened(tmp_path / "scan.h5") as file:
        assert hdf5.dataset(file, "kspace")[()].shape == (400, 500)


def test_numbers_that_h5py_would_read_beyond_its_array_are_refused(tmp_path):
    """As a damaged file has them: 8 bytes on the disk that need 16 in memory."""
    odd = h5py.h5t.IEEE_F64LE.copy()
    odd.set_ebias(1021)  # one bit
    pair = h5py.h5t.create(h5py.h5t.COMPOUND, 16)
    pair.insert(b"real", 0, odd)
    pair.insert(b"imag", 8, h5py.h5t.IEEE_F64LE)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        space = h5py.h5s.create_simple((4, 5))
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        h5py.h5d.create(file.id, b"kspace", pair, space, plist)
    with pytest.raises(BadInput, match="odd numbers"), hdf5.opened(tmp_path / "scan.h5") as file:
        hdf5.dataset(file, "kspace")


@pytest.mark.parametrize("userblock", [0, 512])
def test_virtual_dataset_of_a_damaged_heap_is_not_opened(tmp_path, elsewhere, userblock):
    """HDF5 itself never comes back from it."""
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w", userblock_size=userblock) as file:
        virtual(file, elsewhere)
    content = path.read_bytes()
    heap = content.index(b"GCOL")
    path.write_bytes(content[: heap + 16] + bytes(len(content) - heap - 16))
    child = PROCESSES.Process(target=meet_the_damaged_heap, args=(path,))
    child.start()
    child.join(60)  # no timeout of pytest's ends what hangs inside of HDF5
    child.kill()
    child.join()
    assert child.exitcode == 0


def meet_the_damaged_heap(path):
    with pytest.raises(BadInput, match="other files"), hdf5.opened(path) as file:
        hdf5.dataset(file, "kspace")
    with hdf5.opened(path) as file:
        assert not hdf5.lies_here(file, "kspace")
