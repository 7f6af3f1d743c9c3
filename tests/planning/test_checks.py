from dataclasses import replace

import pytest
import torch
from test_inference import MASK, method, stored

from gleam.planning import checks
from gleam.planning.checks import needs_checked
from gleam.planning.inference import Needs, fitted, needs
from gleam.planning.machine import Machine
from gleam.planning.trace import Work
from gleam.planning.uses import Use, apply
from gleam.reconstruction.check import check
from gleam.reconstruction.checked import Plan
from gleam.reconstruction.rivals import rival_of
from gleam.training.meter import metered


@pytest.mark.parametrize(
    ("one", "shape"),
    [(method("modl"), (40, 36)), (method(dimensions=3), (16, 24, 24))],
    ids=["slices", "volume"],
)
def test_the_peak_of_a_check_is_what_the_profiler_finds(one, shape, cpu, tmp_path):
    """Of one draw, and of the network, which takes more than its rival."""
    example = stored(tmp_path, shape, slices=1)
    weights = sum(weight.nbytes for weight in one.network.parameters())
    for use in (Use(), Use(1, 8))[: len(shape) - 1]:
        found, peak = metered(
            lambda use=use: check({"run": one}, example, MASK, Plan(draws=1), slab=use.slab),
            torch.device("cpu"),
        )
        assert found["run"].error.value > 0
        expected = needs_checked(one, example, MASK, cpu, use).peak
        assert 0.97 * (peak + weights) <= expected <= 1.25 * (peak + weights)


def test_the_rival_of_a_network_counts(cpu, tmp_path):
    """The least of networks takes less than compressed sensing, which is made as well."""
    example, one = stored(tmp_path), method(iterations=1)
    small = replace(one, iterations=1)
    rival = needs(rival_of(small, example), example, MASK, cpu, Use())
    assert needs_checked(small, example, MASK, cpu, Use()).peak >= rival.peak


def test_patches_make_a_check_fit(cpu, tmp_path):
    """And the check is the same."""
    example, one = stored(tmp_path, slices=1), method()
    whole = needs_checked(one, example, MASK, cpu, Use()).peak
    before = check({"run": one}, example, MASK, Plan(draws=1))
    use, found = fitted(one, example, MASK, cpu, whole - 1, of=needs_checked)
    assert found.peak < whole
    assert use.patch is not None
    apply(one, use)
    after = check({"run": one}, example, MASK, Plan(draws=1), slab=use.slab)
    assert after["run"].error.value == pytest.approx(before["run"].error.value, rel=1e-5)


@pytest.mark.parametrize(("shape", "slices"), [((48, 64), 1), ((48, 64), 4), ((16, 20, 20), 1)])
def test_a_stored_scan_is_read_again_for_its_noise(shape, slices, tmp_path, monkeypatch):
    """Of many coils, that takes more than an image by a network that is small."""
    nothing = Needs(0, 0, 0, 0, 0, 0, 1, Work())
    monkeypatch.setattr(checks, "needs", lambda *_: nothing)
    monkeypatch.setattr(checks, "needs_of", lambda *_: nothing)
    example = stored(tmp_path, shape, slices, coils=12)
    one = method(dimensions=len(shape), iterations=1, width=2)
    found = needs_checked(one, example, MASK, Machine(torch.device("cpu"), False), Use())
    device = torch.device("cpu")
    _, peak = metered(lambda: check({"run": one}, example, MASK, Plan(draws=1), slab=4), device)
    assert 0.97 * peak <= found.peak <= 2 * peak
