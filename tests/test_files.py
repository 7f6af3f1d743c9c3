from contextlib import suppress
from pathlib import Path

import pytest

from gleam.errors import BadInput
from gleam.files import replacing


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
