import h5py
import numpy as np
import pytest

from gleam.errors import BadInput
from gleam.formats import hdf5


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
