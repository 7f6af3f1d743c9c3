import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from tiny import example_files

from gleam.errors import BadInput
from gleam.files import make_folder
from gleam.preparation import cluster
from gleam.preparation.cluster import prepare_on
from gleam.preparation.jobs import find_scans, prepare
from gleam.preparation.prepare import Settings

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler and a worker in this process."""
    quiet = {"dashboard_address": ":0", "worker_dashboard_address": ":0"}
    with distributed.LocalCluster(1, threads_per_worker=1, processes=False, **quiet) as local:
        yield local.scheduler_address


def assert_same_example(got: Path, expected: Path) -> None:
    """The same datasets and attributes; how HDF5 lays them out in the file may differ."""
    with h5py.File(got) as a, h5py.File(expected) as b:
        assert dict(a.attrs) == dict(b.attrs)
        assert a.keys() == b.keys()
        for name, dataset in b.items():
            assert a[name].dtype == dataset.dtype
            assert dict(a[name].attrs) == dict(dataset.attrs)
            np.testing.assert_allclose(a[name][()], dataset[()], rtol=1e-5, atol=1e-6)


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
    assert {path.name for path in out.iterdir()} == {path.name for path in here.iterdir()}
    for path in here.iterdir():
        assert_same_example(out / path.name, path)
    assert {o.status for o in prepare(sources, out, Settings())} == {"kept", "skipped"}


@pytest.mark.parametrize("wrong", ["no address", "/x/y", "a:b:c:"])
def test_address_without_a_scheduler_is_refused(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no Dask scheduler answers there"):
        list(prepare_on(wrong, [], tmp_path, Settings()))


def greet(server: socket.socket, greeting: bytes) -> None:
    """Say this to the first who comes, and listen until that one leaves."""
    with server.accept()[0] as visitor:
        visitor.sendall(greeting)
        while visitor.recv(4096):
            pass


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.6\r\n"], ids=["silent", "ssh"])
def test_something_else_that_listens_is_refused(
    greeting: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(greet, server, greeting)
        wrong = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(BadInput, match=f"{wrong}: no Dask scheduler answers there"):
            list(prepare_on(wrong, [], tmp_path, Settings()))


def test_a_cluster_without_workers_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with distributed.LocalCluster(0, processes=False, dashboard_address=":0") as local:
        assert list(prepare_on(local.scheduler_address, [], tmp_path, Settings())) == []
    assert "the cluster has no worker yet" in capsys.readouterr().err


def test_missing_library_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BadInput, match=r"pip install -e '\.\[dask\]'"):
        list(prepare_on("localhost:8786", [], tmp_path, Settings()))
