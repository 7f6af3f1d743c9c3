"""Disks that get full and folders that go, in every verb: one line, exit code 1, how to go on."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from full import files_limited_to
from test_bad_input import tree
from tiny import example_files, tiny_recipe, trained_on

from gleam import recipe as recipes
from gleam.cli import main
from gleam.errors import Unwritable
from gleam.networks import build
from gleam.preparation import jobs
from gleam.preparation.prepare import Settings
from gleam.runs import checkpoint
from gleam.runs import folder as run_folder

ROOM = 8 << 10  # bytes that a file may have, fewer than any result's


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("made")
    examples = example_files(here, scans=3)
    recipe = tiny_recipe(examples)
    recipes.save(recipe, here / "recipe.yaml")
    run_folder.begin(here / "run", recipe, "data", trained_on(recipe))
    run_folder.save_model(here / "run", build(recipe.network).state_dict())
    return here


def command(verb: str, made: Path, out: Path) -> list[object]:
    scans = made / "scans"
    return {
        "simulate": [out, "--scans", 1, "--slices", 2, "--shape", 64, 64],
        "inspect": [scans / "scan-0.h5", "-o", out / "picture.png"],
        "train": [made / "recipe.yaml", "--out", out],
        "evaluate": [made / "run", "--data", made / "examples", "--out", out],
        "reconstruct": ["zero-filled", scans / "scan-0.h5", "-o", out / "image.nii"],
        "compare": [made / "recipe.yaml", "--test", made / "examples", "--out", out, "--force"],
    }[verb]


def line(capfd: pytest.CaptureFixture[str]) -> str:
    """The one that says what happened; only a verb's own progress stands before it."""
    err = capfd.readouterr().err
    *before, last = err.splitlines()
    progress = "training |[a-z]+ on the CPU|step |gleam: warning: |.*: lists no schemes"
    assert all(re.match(progress, one) for one in before), err
    assert last.startswith("gleam: ")
    return last.removeprefix("gleam: ")


@pytest.mark.parametrize(
    ("verb", "room"),
    [
        ("simulate", ROOM),
        ("inspect", 1000),
        ("train", ROOM),
        ("evaluate", ROOM),
        ("reconstruct", 1000),
        ("compare", ROOM),
    ],
)
def test_full_disk(
    verb: str, room: int, made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, before = tmp_path / "out", tree(made)
    with files_limited_to(room):
        assert main([verb, *map(str, command(verb, made, out))]) == 1
    said = line(capfd)
    assert said.startswith(f"{out}")
    assert "cannot be written (File too large); make room there or choose another place" in said
    again = f"go on with: gleam train --resume {out}"
    assert said.endswith(again if verb == "train" else "then run the same command again")
    assert tree(made) == before
    halves = [path for path in out.rglob(".*") if path.is_file()]
    assert not [path for path in halves if ".step-" not in str(path)]


def test_scan_that_finds_no_room_stops_the_rest(made: Path, tmp_path: Path) -> None:
    """Instead of becoming one more that was skipped."""
    with files_limited_to(ROOM), pytest.raises(Unwritable, match=r"scan-0\.h5: cannot be written"):
        jobs.prepare_one(made / "scans" / "scan-0.h5", tmp_path, Settings())
    assert not list(tmp_path.iterdir())


def test_what_was_trained_stays_whole_and_goes_on(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The disk gets full after the first checkpoint: of the next, nothing is taken for one."""
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        write = checkpoint.save_file

        def full(tensors: object, path: Path) -> None:
            if checkpoint.found(folder / "checkpoints"):
                path.write_bytes(b"half")
                raise OSError(28, "No space left on device")
            write(tensors, path)

        patch.setattr(checkpoint, "save_file", full)
        assert main(["train", str(made / "recipe.yaml"), "--out", str(folder)]) == 1
    assert line(capfd).endswith(f", then go on with: gleam train --resume {folder}")
    assert [path.name for path in checkpoint.found(folder / "checkpoints")] == ["step-00000002"]
    assert main(["train", "--resume", str(folder)]) == 0
    assert run_folder.read_summary(folder)["steps"] == 6


@pytest.mark.parametrize("moved", [False, True])
def test_run_whose_folder_vanishes(
    moved: bool, made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        publish = checkpoint.publish

        def vanish(*arguments: object) -> Path:
            path = publish(*arguments)  # type: ignore[arg-type]
            folder.rename(tmp_path / "elsewhere") if moved else shutil.rmtree(folder)
            return path

        patch.setattr(checkpoint, "publish", vanish)
        assert main(["train", str(made / "recipe.yaml"), "--out", str(folder)]) == 1
    said = line(capfd)
    assert "was the folder deleted or moved? Put it back, then go on with: gleam train" in said
    assert not folder.exists()
    if moved:
        assert main(["train", "--resume", str(tmp_path / "elsewhere")]) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("verb", ["inspect", "reconstruct", "--version"])
def test_output_that_cannot_be_written(
    verb: str,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    rest = [] if verb == "--version" else [*command(verb, made, tmp_path), "--json"]
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main([verb, *map(str, rest)]) == 1
    assert line(capfd) == (
        "standard output: cannot be written (No space left on device); make room there or choose "
        "another place, then run the same command again"
    )


def test_python_says_nothing_more_at_its_end() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "gleam", "--help"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if (
        os.geteuid()
        or not shutil.which("mount")
        or subprocess.run(mounting, check=False).returncode
    ):
        pytest.skip("only who may mount a disk can fill one")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_prepare_on_a_disk_that_gets_full(
    made: Path, small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """HDF5's own failure, in a process that it would take with it."""
    filler = small_disk / "filler"
    filler.write_bytes(bytes(980 << 10))
    what = ["prepare", str(made / "scans"), str(small_disk)]
    assert main(what) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "No space left on device" in err
    assert err.count("\n") == 1
    filler.unlink()
    assert main(what) == 0
    assert "3 prepared" in capfd.readouterr().out
