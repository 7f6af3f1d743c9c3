import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from full import files_limited_to
from safetensors.torch import save_file

from gleam.errors import BadInput, Unwritable
from gleam.files import replacing, reserve


def test_file_appears_whole_under_its_name_and_nowhere_else(tmp_path: Path) -> None:
    goal = tmp_path / "new" / "folder" / "image.nii.gz"
    with replacing(goal) as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("whole")
        assert not goal.exists()
    assert goal.read_text() == "whole"
    assert list(goal.parent.iterdir()) == [goal]


def test_failure_leaves_what_was_there(tmp_path: Path) -> None:
    goal = tmp_path / "file"
    goal.write_text("old")
    with suppress(ZeroDivisionError), replacing(goal) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert goal.read_text() == "old"
    assert list(tmp_path.iterdir()) == [goal]


def test_folder_replaces_folder_and_failed_folder_goes(tmp_path: Path) -> None:
    goal = tmp_path / "checkpoint"
    for content in ("first", "second"):
        with replacing(goal) as temporary:
            temporary.mkdir()
            (temporary / content).touch()
    assert [file.name for file in goal.iterdir()] == ["second"]
    with suppress(ZeroDivisionError), replacing(goal) as temporary:
        temporary.mkdir()
        (temporary / "third").touch()
        raise ZeroDivisionError
    assert [file.name for file in goal.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [goal]


def test_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for goal in (
        tmp_path / "file" / "x",
        tmp_path / "file" / "deeper" / "x",
        tmp_path / "folder",
        Path("/dev/null/x"),
        Path("/proc/no/x"),
        tmp_path / ("x" * 300),
    ):
        with (
            pytest.raises(BadInput, match=r"cannot be written \(.+\)") as caught,
            replacing(goal) as temporary,
        ):
            temporary.write_text("")
        assert "\n" not in str(caught.value)
        assert str(goal) in str(caught.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    goal = tmp_path / "model"
    writing = replacing(goal)
    half = writing.__enter__()
    half.mkdir()
    (half / "weights").touch()
    other = tmp_path / ".0badcafe-another"
    other.touch()
    with replacing(goal) as temporary:
        assert not half.exists()
        temporary.mkdir()
    assert set(tmp_path.iterdir()) == {goal, other}


def test_files_follow_the_umask(tmp_path: Path) -> None:
    """Also those of a library that keeps them for their owner."""
    before = os.umask(0o027)
    try:
        for name, mode in (("own", 0o600), ("run", 0o666)):
            with replacing(tmp_path / name) as temporary:
                save_file({"weight": torch.zeros(2)}, temporary)
                temporary.chmod(mode & ~0o027)
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}
    finally:
        os.umask(before)


FULL: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("x" * 9000),
    "NumPy": lambda path: np.save(path.open("wb"), np.ones(2000)),
    "NumPy, in part": lambda path: np.ones(2000).tofile(path),
    "safetensors": lambda path: save_file({"weight": torch.zeros(9000)}, path),
}


@pytest.mark.parametrize("write", FULL.values(), ids=FULL)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_full_disk_is_told_whoever_writes(write: Callable[[Path], object], tmp_path: Path) -> None:
    goal = tmp_path / "file"
    goal.write_text("old")
    told = rf"{goal}: cannot be written \(.+\); make room there or choose another place"
    with (
        files_limited_to(8192),
        pytest.raises(Unwritable, match=told),
        replacing(goal) as temporary,
    ):
        write(temporary)
    assert goal.read_text() == "old"
    assert list(tmp_path.iterdir()) == [goal]


def test_folder_that_vanishes_is_told(tmp_path: Path) -> None:
    goal = tmp_path / "folder" / "file"
    told = pytest.raises(Unwritable, match="was the folder deleted or moved")
    with told, replacing(goal) as temporary:
        shutil.rmtree(goal.parent)
        temporary.write_text("")
    assert not goal.parent.exists()


@pytest.mark.parametrize("reserves", [True, False])
def test_room_is_reserved_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserves: bool
) -> None:
    """Where a system cannot reserve, a full disk is met all the same before anything is mapped."""
    if not reserves:
        monkeypatch.delattr(os, "posix_fallocate")
    size = 2**20 + 3
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"begun")
        file.flush()
        reserve(file, 5, size)
        file.seek(0)
        assert file.read() == b"begun" + bytes(size)
    with (
        files_limited_to(2**16),
        (tmp_path / "other").open("w+b", buffering=0) as file,
        pytest.raises(OSError, match="too large"),
    ):
        reserve(file, 0, size)
