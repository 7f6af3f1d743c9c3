"""Five hundred scans, twenty of them broken: prepared, killed half-way, resumed, on a cluster."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from tiny import tiny_scan

from gleam.formats import write_scan

pytestmark = pytest.mark.slow

SCANS = 500


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def not_a_number(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["kspace"][0, 1, 2, 3] = np.nan


def elsewhere(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["kspace"]
        file["kspace"] = h5py.ExternalLink("/etc/passwd", "kspace")


def radial(path: Path) -> None:
    with h5py.File(path, "a") as file:
        header = file["ismrmrd_header"][()].decode().replace("cartesian", "radial")
        del file["ismrmrd_header"]
        file["ismrmrd_header"] = header


BREAK: dict[Callable[[Path], None], str] = {
    cut_off: "not readable as HDF5",
    empty: "not readable as HDF5",
    not_a_number: "not finite",
    elsewhere: "link to elsewhere",
    radial: "the trajectory is 'radial'",
}


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    for index in range(SCANS):
        scan = tiny_scan((16, 16), slices=1, coils=2, oversampling=1, seed=index)
        write_scan(scan, folder / f"scan-{index:03}.h5")
    for index, spoil in zip(broken(), list(BREAK) * 4, strict=True):
        spoil(folder / f"scan-{index:03}.h5")
    return folder


def broken() -> range:
    return range(7, SCANS, SCANS // 20)


def command(scans: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "gleam", "prepare", str(scans), str(out), *options]


def counted(scans: Path, out: Path, *options: str) -> Counter[str]:
    """What a run says became of the scans."""
    done = subprocess.run(
        command(scans, out, *options, "--json"), capture_output=True, text=True, check=True
    )
    return Counter(outcome["status"] for outcome in json.loads(done.stdout))


def examples(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in out.glob("[!.]*.h5")}


def check_manifest(out: Path) -> None:
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [line["source"] for line in lines] == [f"scan-{i:03}.h5" for i in range(SCANS)]
    skipped = [line for line in lines if line["status"] == "skipped"]
    for line, index, says in zip(skipped, broken(), list(BREAK.values()) * 4, strict=True):
        assert line["source"] == f"scan-{index:03}.h5"
        assert says in line["reason"]
        assert line["shape"] is None
    for line in lines:
        assert len(line["sha256"]) == 64
        if line["status"] == "prepared":
            assert (line["reason"], line["shape"]) == (None, [1, 2, 1, 16, 16])
    assert len({line["sha256"] for line in lines}) == SCANS - 3  # the empty ones are alike


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as running:
        yield running.scheduler_address


@pytest.fixture(params=["workers", "cluster"])
def where(request: pytest.FixtureRequest) -> list[str]:
    """The options that say where the work is done."""
    if request.param == "workers":
        return ["--workers", "2"]
    return ["--dask", request.getfixturevalue("cluster")]


def test_broken_scans_are_listed_and_stop_nothing(
    scans: Path, where: list[str], tmp_path: Path
) -> None:
    assert counted(scans, tmp_path, *where) == {"prepared": 480, "skipped": 20}
    assert len(examples(tmp_path)) == 480
    check_manifest(tmp_path)
    assert counted(scans, tmp_path, "--workers", "2") == {"kept": 480, "skipped": 20}


def test_killed_run_is_resumed_without_doing_anything_twice(
    scans: Path, where: list[str], tmp_path: Path
) -> None:
    with subprocess.Popen(command(scans, tmp_path, *where)) as run:
        while len(examples(tmp_path)) < 240 and run.poll() is None:
            time.sleep(0.01)
        run.kill()
        assert run.wait() < 0
    before = examples(tmp_path)
    assert 240 <= len(before) < 470
    statuses = counted(scans, tmp_path, *where)
    assert len(before) <= statuses["kept"] < 480  # its workers went on to the end of a scan
    assert statuses["kept"] + statuses["prepared"] == 480
    assert statuses["skipped"] == 20
    after = examples(tmp_path)
    assert len(after) == 480
    assert before.items() <= after.items()
    check_manifest(tmp_path)
