import gc
from pathlib import Path

import h5py
import numpy as np
import pytest
from full import files_limited_to

from gleam.errors import Unwritable
from gleam.formats.hdf5.writer import creating


def write(path: Path, chunks: int) -> None:
    with creating(path) as (file, check):
        whole = file.create_dataset("whole", (chunks, 500), np.float64, chunks=(1, 500))
        for index in range(chunks):
            whole[index] = index
            check()


@pytest.mark.parametrize("room", range(30_000, 50_000, 1500))
def test_full_at_any_moment_it_says_so_and_leaves_nothing(
    room: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In data, in HDF5's own tables, and while it closes."""
    with files_limited_to(room), pytest.raises(Unwritable, match="File too large"):
        write(tmp_path / "file.h5", 12)
    gc.collect()
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
    write(tmp_path / "file.h5", 12)


def test_whole_file_is_what_hdf5_alone_writes(tmp_path: Path) -> None:
    write(tmp_path / "file.h5", 3)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        whole = file.create_dataset("whole", (3, 500), np.float64, chunks=(1, 500))
        for index in range(3):
            whole[index] = index
    assert (tmp_path / "file.h5").read_bytes() == (tmp_path / "other.h5").read_bytes()
