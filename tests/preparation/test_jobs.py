import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from pathlib import Path
from threading import Thread

import h5py
import numpy as np
import pytest
from tiny import tiny_scan

from gleam.data.example import find
from gleam.errors import BadInput
from gleam.files import make_folder
from gleam.formats import Scan, write_scan
from gleam.preparation import jobs
from gleam.preparation.jobs import Outcome
from gleam.preparation.prepare import Settings


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for seed in range(3):
        write_scan(tiny_scan(seed=seed), tmp_path / "scans" / f"scan-{seed}.h5")
    return tmp_path / "scans"


def prepare(
    scans: Path, out: Path, workers: int = 1, force: bool = False, **settings: int
) -> dict[str, str]:
    """What became of each scan."""
    return {o.source.stem: o.status for o in outcomes(scans, out, workers, force, **settings)}


def outcomes(
    scans: Path, out: Path, workers: int = 1, force: bool = False, **settings: int
) -> list[Outcome]:
    make_folder(out)
    found = jobs.find_scans([scans])
    done = list(jobs.prepare(found, out, Settings(**settings), workers, force=force))
    return sorted(done, key=lambda outcome: outcome.source)


def all_are(status: str) -> dict[str, str]:
    return {f"scan-{index}": status for index in range(3)}


def test_what_was_prepared_is_kept(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert prepare(scans, out) == all_are("prepared")
    assert [example.header.name for example in find(out, 1)] == ["scan-0", "scan-1", "scan-2"]
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert prepare(scans, out) == all_are("kept")
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_changed_scan_or_settings_are_done_again_where_that_is_said(
    scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    prepare(scans, out)
    stat = (scans / "scan-1.h5").stat()
    os.utime(scans / "scan-1.h5", ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    (changed,) = (o for o in outcomes(scans, out) if o.status == "skipped")
    assert changed.source.name == "scan-1.h5"
    assert "scan-1.h5: is there already, made of another file" in (changed.reason or "")
    assert prepare(scans, out, force=True) == all_are("kept") | {"scan-1": "prepared"}
    assert prepare(scans, out, force=True, calibration=6) == all_are("prepared")


def test_another_reference_is_another_preparation(scans: Path, tmp_path: Path) -> None:
    source, out, reference = scans / "scan-1.h5", tmp_path / "out", tmp_path / "reference.h5"

    def status(settings: Settings) -> str:
        return jobs.prepare_one(source, out, settings, force=True)[0].status

    shutil.copy(source, reference)
    assert status(Settings()) == "prepared"
    assert status(Settings(reference=reference)) == "prepared"
    assert status(Settings(reference=reference)) == "kept"
    os.utime(reference, ns=(1, 1))
    assert status(Settings(reference=reference)) == "prepared"
    reference.unlink()
    (outcome,) = jobs.prepare_one(source, out, Settings(reference=reference))
    assert outcome.status == "skipped"
    assert "reference.h5: cannot be read" in (outcome.reason or "")


def test_what_is_no_example_is_not_overwritten(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    other = tmp_path / "out" / "scan-2.h5"
    other.write_bytes(b"somebody's")
    assert prepare(scans, tmp_path / "out") == all_are("prepared") | {"scan-2": "skipped"}
    assert other.read_bytes() == b"somebody's"


def test_header_of_a_cfl_pair_counts_as_the_scan(tmp_path: Path) -> None:
    write_scan(tiny_scan(oversampling=1), tmp_path / "scans" / "pair.cfl")
    assert prepare(tmp_path / "scans", tmp_path) == {"pair": "prepared"}
    assert prepare(tmp_path / "scans", tmp_path) == {"pair": "kept"}
    header = tmp_path / "scans" / "pair.hdr"
    header.write_text(header.read_text() + "# Creator\n")
    assert prepare(tmp_path / "scans", tmp_path, force=True) == {"pair": "prepared"}


@pytest.mark.parametrize("workers", [1, 2])
def test_broken_scan_in_the_middle_stops_nothing(workers: int, scans: Path, tmp_path: Path) -> None:
    broken = scans / "scan-1.h5"
    broken.write_bytes(broken.read_bytes()[:1000])
    out = tmp_path / "out"
    done = outcomes(scans, out, workers)
    assert [outcome.status for outcome in done] == ["prepared", "skipped", "prepared"]
    reason = done[1].reason
    assert reason is not None
    assert reason.startswith("not readable as HDF5")
    assert "\n" not in reason
    assert [outcome.shape for outcome in done] == [(2, 3, 1, 24, 20), None, (2, 3, 1, 24, 20)]
    assert [outcome.sha256 for outcome in done] == [
        hashlib.sha256(outcome.source.read_bytes()).hexdigest() for outcome in done
    ]
    assert sorted(path.name for path in out.iterdir()) == ["scan-0.h5", "scan-2.h5"]
    alone = tmp_path / "alone"
    prepare(scans, alone)
    for name in ("scan-0.h5", "scan-2.h5"):
        with h5py.File(out / name) as one, h5py.File(alone / name) as other:
            assert one.attrs["header"] == other.attrs["header"]
            for array in ("kspace", "maps", "target", "sampled"):
                assert np.array_equal(one[array][()], other[array][()])


def test_value_that_is_not_finite_late_in_a_scan_leaves_no_file(tmp_path: Path) -> None:
    write_scan(tiny_scan(slices=3), tmp_path / "scans" / "scan.h5")
    with h5py.File(tmp_path / "scans" / "scan.h5", "a") as file:
        file["kspace"][2, 0, 0, 0] = np.nan
    (outcome,) = outcomes(tmp_path / "scans", tmp_path / "out")
    assert outcome.status == "skipped"
    assert "slice 2" in outcome.reason
    assert not any((tmp_path / "out").iterdir())


KILLED = """
import sys, time
from pathlib import Path
from gleam.data import example
from gleam.preparation import jobs
from gleam.preparation.prepare import Prepared, Settings

class Slow(Prepared):
    def __getitem__(self, index):
        if index == 1:
            print("half", flush=True)
            time.sleep(60)
        return super().__getitem__(index)

jobs.Prepared = Slow
jobs.prepare_one(Path(sys.argv[1]), Path(sys.argv[2]), Settings())
"""


def test_killed_run_leaves_no_half_file_under_its_final_name(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_folder(out)
    arguments = [sys.executable, "-c", KILLED, scans / "scan-0.h5", out]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
    assert [path.name.startswith(".") for path in out.iterdir()] == [True]
    assert prepare(scans, out) == all_are("prepared")
    assert len(find(out, 1)) == 3


def test_scans_are_found_in_folders_and_by_name(scans: Path, tmp_path: Path) -> None:
    (scans / "notes.txt").touch()
    (scans / "._scan-0.h5").touch()  # as macOS leaves them
    write_scan(tiny_scan(oversampling=1), tmp_path / "more" / "pair.cfl")
    found = jobs.find_scans([tmp_path / "more" / "pair.hdr", scans, scans / "scan-0.h5"])
    assert [path.name for path in found] == ["pair.cfl", "scan-0.h5", "scan-1.h5", "scan-2.h5"]


def test_scans_that_cannot_be_found_or_told_apart_are_refused(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="empty: holds no scan"):
        jobs.find_scans([tmp_path / "empty"])
    with pytest.raises(BadInput, match="no: does not exist"):
        jobs.find_scans([tmp_path / "no"])
    write_scan(tiny_scan(), tmp_path / "other" / "scan-1.h5")
    with pytest.raises(BadInput, match="same name"):
        jobs.find_scans([scans, tmp_path / "other"])


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "x", Path("/dev/null/x"), Path("/proc/x")):
        with pytest.raises(BadInput, match="cannot be written"):
            make_folder(out)


def test_scan_that_goes_away_is_skipped(tmp_path: Path) -> None:
    (outcome,) = jobs.prepare_one(tmp_path / "gone.h5", tmp_path, Settings())
    assert (outcome.status, outcome.reason) == (
        "skipped", "cannot be read (No such file or directory)"
    )  # fmt: skip


def test_reason_holds_no_folder(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "scan-0.h5").touch()
    (scans / "scan-1.h5").write_bytes(b"cut off")
    (scans / "pair.cfl").touch()
    for outcome in outcomes(scans, tmp_path / "out"):
        assert str(tmp_path) not in str(outcome.reason)


def test_what_no_reader_foresaw_is_skipped_too(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Scan:
        raise ZeroDivisionError("Jane Doe\nof whom no manifest may speak")

    monkeypatch.setattr(jobs, "read_scans", fails)
    (outcome,) = jobs.prepare_one(scans / "scan-0.h5", tmp_path, Settings())
    assert outcome.status == "skipped"
    said = r"cannot be used \(ZeroDivisionError in test_jobs\.py, line \d+\)"
    assert re.fullmatch(said, str(outcome.reason))


def test_killed_worker_names_its_scan_and_the_rest_goes_on(scans: Path, tmp_path: Path) -> None:
    def kill() -> None:
        while not (new := set(active_children()) - before):
            time.sleep(0.001)
        new.pop().kill()

    make_folder(tmp_path / "out")
    before = set(active_children())
    killer = Thread(target=kill)
    killer.start()
    first, *rest = jobs.prepare(jobs.find_scans([scans]), tmp_path / "out", Settings())
    killer.join()
    assert (first.source.name, first.status) == ("scan-0.h5", "skipped")
    assert str(first.reason).startswith("its worker died of SIGKILL; most likely")
    assert [outcome.status for outcome in rest] == ["prepared", "prepared"]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")
def test_scan_too_large_for_a_worker_is_skipped(scans: Path, tmp_path: Path, bounded: None) -> None:
    shape = (32, 1024, 2048)  # 512 MiB, of which nothing is on the disk
    np.lib.format.open_memmap(scans / "large.npy", "w+", np.complex64, shape)
    make_folder(tmp_path / "out")
    sources = jobs.find_scans([scans])
    done = {
        outcome.source.name: outcome
        for outcome in jobs.prepare(sources, tmp_path / "out", Settings(), 1, memory=2**28)
    }
    large = done.pop("large.npy")
    assert (large.status, large.reason) == (
        "skipped", jobs.ROOM
    )  # fmt: skip
    assert [outcome.status for outcome in done.values()] == ["prepared"] * 3
