import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import example_files

from gleam.data.cluster import prepare_on
from gleam.data.jobs import find_scans, prepare
from gleam.data.prepare import Settings
from gleam.errors import BadInput
from gleam.files import make_folder

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler and a worker in this process."""
    quiet = {"dashboard_address": None, "worker_dashboard_address": None}
    with distributed.LocalCluster(1, threads_per_worker=1, processes=False, **quiet) as cluster:
        yield cluster.scheduler_address


def test_cluster_makes_the_same_examples(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = example_files(tmp_path)
    (tmp_path / "scans" / "broken.h5").write_bytes(b"cut off")
    monkeypatch.chdir(tmp_path)
    sources, out = find_scans([Path("scans")]), Path("out")
    make_folder(out)
    for status in ("prepared", "kept"):
        outcomes = {o.source: o for o in prepare_on(address, sources, out, Settings())}
        assert sorted(outcomes) == sources
        broken = outcomes.pop(Path("scans/broken.h5"))
        assert broken.status == "skipped"
        assert str(broken.reason).startswith("not readable as HDF5")
        assert [outcome.status for outcome in outcomes.values()] == [status] * 3
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {
        p.name: p.read_bytes() for p in here.iterdir()
    }
    assert {o.status for o in prepare(sources, out, Settings())} == {"kept", "skipped"}


@pytest.mark.parametrize("wrong", ["no address", "/x/y", "a:b:c:"])
def test_address_without_a_scheduler_is_refused(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no Dask scheduler answers there"):
        list(prepare_on(wrong, [], tmp_path, Settings()))


def test_missing_library_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BadInput, match=r"pip install 'gleam-mri\[dask\]'"):
        list(prepare_on("localhost:8786", [], tmp_path, Settings()))
