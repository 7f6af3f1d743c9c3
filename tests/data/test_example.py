import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from tiny import every_second_line, prepared, tiny_scan, undersampled

from gleam.data import open_files
from gleam.data.example import ExampleFile, find, write
from gleam.data.open_files import kept_open
from gleam.errors import BadInput


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(prepared(tiny_scan()), tmp_path / "scan.h5")
    return tmp_path / "scan.h5"


@pytest.mark.parametrize("complete", [True, False])
def test_written_example_reads_the_same(complete: bool, tmp_path: Path) -> None:
    scan = tiny_scan() if complete else undersampled(tiny_scan(), every_second_line())
    example = prepared(scan)
    write(example, tmp_path / "scan.h5")
    (read,) = find(tmp_path, 1)
    assert (read.header, read.shape, read.sets) == (example.header, example.shape, 1)
    assert read.complete == complete
    assert torch.equal(read.sampled, example.sampled)
    for index in range(2):
        one, other = read[index], example[index]
        assert torch.equal(one.kspace, other.kspace)
        assert torch.equal(one.maps, other.maps)
        assert (one.target is None) == (not complete)
        if one.target is not None and other.target is not None:
            assert torch.equal(one.target, other.target)


def test_slices_are_chunks_and_the_convention_is_said(path: Path) -> None:
    with h5py.File(path) as file:
        for name in ("kspace", "maps", "target"):
            assert file[name].chunks == (1, *file[name].shape[1:])
        assert "floor(N/2)" in file.attrs["convention"]


def test_half_written_file_of_a_killed_run_is_not_an_example(path: Path) -> None:
    (path.parent / ".123-other.h5").write_bytes(b"half")
    assert [example.path for example in find(path.parent, 1)] == [path]


def test_nothing_found_is_refused(tmp_path: Path) -> None:
    for nowhere, said in (
        (tmp_path, "holds no example files"),
        (tmp_path / "no", "does not exist"),
    ):
        with pytest.raises(BadInput, match=said):
            find(nowhere, 1)


def broken(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        find(path, 1)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_cut_off_file_is_refused(path: Path) -> None:
    content = path.read_bytes()
    for length in (0, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        broken(path)


@pytest.mark.parametrize("name", ["kspace", "maps", "sampled"])
def test_missing_array_is_refused(name: str, path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file[name]
    assert name in broken(path)


@pytest.mark.parametrize("name", ["kspace", "maps", "target"])
@pytest.mark.parametrize("shape", [(2, 3), (7,), (2, 1, 3, 1, 24, 19)])
def test_arrays_that_do_not_fit_are_refused(name: str, shape: tuple[int, ...], path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = np.ones(shape, np.complex64)
    broken(path)


@pytest.mark.parametrize("header", ["", "{}", '{"name": 1}', "[", "x" * 100])
def test_broken_header_is_refused(header: str, path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["header"] = header
    assert "not an example file of `gleam prepare`" in broken(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("axes", [-1, -1]),
        ("axes", [-1, -2]),
        ("axes", [-4]),
        ("readout", 0),
        ("matrix", [24, 21]),
        ("calibration", [-1, 10]),
        ("voxel", [1.0, 1.0]),
        ("voxel", [1.0, 0.0, 1.0]),
        ("affine", [[1.0, 0.0], [0.0, 1.0]]),
        ("scale", 0.0),
        ("contrast", {"TR": float("inf")}),
    ],
)
def test_header_that_does_not_fit_is_refused(field: str, value: object, path: Path) -> None:
    with h5py.File(path, "a") as file:
        header = json.loads(file.attrs["header"])
        assert field in header
        file.attrs["header"] = json.dumps({**header, field: value})
    assert "do not fit each other" in broken(path)


def test_scan_in_place_of_an_example_is_refused(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file.attrs["header"]
    assert "not an example file of `gleam prepare`" in broken(path)


def test_links_out_of_the_file_are_not_followed(path: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "elsewhere.hdf", "w") as file:
        file["kspace"] = np.ones((2, 3, 1, 24, 20), np.complex64)
    with h5py.File(path, "a") as file:
        del file["kspace"]
        file["kspace"] = h5py.ExternalLink(tmp_path / "elsewhere.hdf", "kspace")
    assert "link" in broken(path)


def test_file_that_goes_bad_after_opening_is_named(path: Path) -> None:
    example = ExampleFile(path)
    path.write_bytes(b"")
    with pytest.raises(BadInput, match=str(path)):
        example[0]


@pytest.mark.parametrize("keeping", [kept_open, nullcontext])
def test_a_file_that_was_replaced_is_read_anew(
    keeping: Callable[[], AbstractContextManager[None]], tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    write(prepared(tiny_scan(seed=0)), path)
    with keeping():
        example = ExampleFile(path)
        before = example[0].kspace
        write(prepared(tiny_scan(seed=1)), path)
        again = prepared(tiny_scan(seed=1))[0]
        assert torch.equal(example[0].kspace, again.kspace)
        assert not torch.equal(before, again.kspace)


def test_so_many_files_stay_open_and_only_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files() -> int:
        return int(h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE))

    kept = lru_cache(2)(open_files._opened.__wrapped__)
    monkeypatch.setattr(open_files, "_opened", kept)
    write(prepared(tiny_scan()), tmp_path / "0.h5")
    for number in range(1, 5):
        shutil.copy(tmp_path / "0.h5", tmp_path / f"{number}.h5")
    examples, before = find(tmp_path), files()
    with kept_open():
        with kept_open():
            slices = [example[0] for example in examples]
        assert files() - before == 2
        assert torch.equal(examples[0][1].maps, examples[4][1].maps)
    assert files() == before
    assert torch.equal(examples[0][0].kspace, slices[4].kspace)
    assert files() == before


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    write(prepared(tiny_scan()), tmp_path / "scan.h5")
    example = ExampleFile(tmp_path / "scan.h5")
    (tmp_path / "scan.h5").unlink()
    with kept_open(), pytest.raises(BadInput, match=r"scan\.h5: not readable"):
        example[0]
