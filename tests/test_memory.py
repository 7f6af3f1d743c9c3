"""Memory that ran out is known as such, whoever was refused; and nothing else is."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from gleam.errors import BadInput, Stopped
from gleam.formats.hdf5.file import readable
from gleam.memory import asked_for, exhausted

GPU = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of "
    "which 3.25 GiB is free. Including non-PyTorch memory, this process has 75.00 GiB in use."
)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError(""),
        torch.OutOfMemoryError(GPU),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
        RuntimeError("std::bad_alloc"),
        OSError("Unable to read dataset (memory allocation failed for raw data chunk)"),
    ],
)
def test_all_of_these_mean_it(error: Exception) -> None:
    assert exhausted(error)


def test_so_do_what_torch_and_numpy_raise() -> None:
    with pytest.raises(RuntimeError) as by_torch:
        torch.empty(2**58, dtype=torch.uint8)
    assert exhausted(by_torch.value)
    assert asked_for(by_torch.value) == "out of memory: 274877906944 MiB more were asked for"
    with pytest.raises(MemoryError) as by_numpy:
        np.empty(2**58, np.uint8)
    assert exhausted(by_numpy.value)
    assert asked_for(by_numpy.value) == "out of memory"


def test_and_what_was_caused_by_it() -> None:
    with pytest.raises(BadInput) as caused, readable(Path("scan.h5")):
        raise OSError("Unable to read dataset (memory allocation failed)")
    assert exhausted(caused.value)


def test_other_errors_do_not(tmp_path: Path) -> None:
    assert not exhausted(None)
    assert not exhausted(ValueError("3 is no number of modules"))
    assert not exhausted(BadInput("--memory: out of memory is what that would be"))
    assert not exhausted(Stopped("stopped at step 3"))
    (tmp_path / "scan.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(OSError, match="Unable") as broken:
        h5py.File(tmp_path / "scan.h5")
    assert not exhausted(broken.value)


def test_what_was_asked_for_is_said_in_one_line() -> None:
    said = asked_for(torch.OutOfMemoryError(GPU))
    assert said == "out of memory: 20.00 GiB more were asked for of 79.11 GiB in all"
