"""Another commit's package is imported beside this one, and both step alike."""

import subprocess
import sys

import pytest
import torch

from benchmarks import against


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    try:
        against.unpack("HEAD", tmp_path)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not in a git repository")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == against.THEN]:
        del sys.modules[name]


def test_both_packages_step_side_by_side(unpacked, monkeypatch):
    tiny = ((1, 2, 2, 12, 10), (-1,), {"family": "modl"}, {"dimensions": 3, "width": 4})
    monkeypatch.setitem(against.CASES, "cine", tiny)
    steps = {name: against.step(name, "cine", "greedy") for name in ("gleam", against.THEN)}
    for step in steps.values():
        step()
    files = {sys.modules[package].__file__ for package in steps}
    assert sum(str(unpacked) in file for file in files) == 1
    ours, theirs = (step.learner.network.state_dict() for step in steps.values())
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in ours)
