import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch.distributed import TCPStore

from gleam import threads
from gleam.parallel.launch import environments


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    (tmp_path / "cgroup").write_text("4:memory:/job\n2:cpuacct,cpu:/job/step\n0::/a/b\n")
    return tmp_path


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def quota(groups: Path) -> float:
    return threads.quota(groups / "cgroup", groups)


def test_without_limits_there_is_no_quota(groups: Path) -> None:
    write(groups / "a/b", cpu__max="max 100000\n")
    write(groups / "cpuacct,cpu/job", cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")
    assert quota(groups) == math.inf
    assert threads.quota(groups / "none", groups) == math.inf


@pytest.mark.parametrize("group", ["", "a", "a/b"])
def test_the_strictest_group_on_the_way_counts(group: str, groups: Path) -> None:
    write(groups / "a/b", cpu__max="400000 100000\n")
    write(groups / group, cpu__max="150000 100000\n")
    assert quota(groups) == 1.5


@pytest.mark.parametrize("group", ["cpuacct,cpu/job/step", "cpuacct,cpu", "cpu/job", "cpu"])
def test_groups_of_version_1_count_too(group: str, groups: Path) -> None:
    write(groups / group, cpu__cfs_quota_us="300000\n", cpu__cfs_period_us="100000\n")
    assert quota(groups) == 3


def test_broken_files_set_no_limit(groups: Path) -> None:
    write(groups / "a/b", cpu__max="many\n")
    write(groups / "a", cpu__max="100000 0\n")
    write(groups / "cpu", cpu__cfs_quota_us="100000\n")
    assert quota(groups) == math.inf


@pytest.mark.parametrize(
    ("allowed", "limit", "expected"), [(4, math.inf, 4), (4, 2.9, 2), (2, 8.0, 2), (4, 0.3, 1)]
)
def test_cores_are_whole_and_at_least_one(
    allowed: int, limit: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(allowed)), raising=False)
    monkeypatch.setattr(threads, "quota", lambda: limit)
    assert threads.cores() == expected


def test_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    for processes, each in ((1, 6), (2, 3), (4, 1), (9, 1)):
        assert threads.share(processes) == each
        for environ in environments(store, processes):
            assert environ["OMP_NUM_THREADS"] == str(each)
            assert environ["OMP_WAIT_POLICY"] == "passive"


def test_what_the_user_chose_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 6)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert threads.environment(2) == {}
    assert threads.share(2) == 5


CHOICE = """
import sys, gleam.cli, os
assert "torch" not in sys.modules
gleam.cli.main(["--version"])
from gleam import threads
print(os.environ["OMP_WAIT_POLICY"], os.environ["OMP_NUM_THREADS"], threads.cores())
print(threads.environment(99)["OMP_NUM_THREADS"])
"""


def test_the_command_line_chooses_before_torch_and_shares_what_it_chose() -> None:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-c", CHOICE], env=environ, capture_output=True, text=True, check=True
    )
    _, chosen, share = done.stdout.splitlines()
    policy, number, cores = chosen.split()
    assert (policy, number, share) == ("passive", cores, "1")
