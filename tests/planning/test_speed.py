from itertools import count

import pytest
from metering import TINY, recipe

from gleam.physics import solve
from gleam.planning import speed as speeds
from gleam.planning.scans import ScanSize
from gleam.planning.speed import Speed, amount, speed, speed_of
from gleam.planning.trace import Work

SMALL, LARGE = Work(100, 1000, 10, 50), Work(120, 64_000, 900, 3000)


def test_two_times_tell_what_launching_and_work_cost():
    true = Speed(2e-5, 3e-9)
    found = speed_of([SMALL, LARGE], [true.seconds(SMALL), true.seconds(LARGE)])
    assert found.per_operation == pytest.approx(2e-5)
    assert found.per_work == pytest.approx(3e-9)


@pytest.mark.parametrize("seconds", [(1.0, 0.5), (1.0, 1.0), (1e-9, 1.0)])
def test_times_that_cannot_be_give_a_speed_that_can(seconds):
    """A machine that was busy; what the larger of the two took, stays."""
    found = speed_of([SMALL, LARGE], seconds)
    assert found.per_operation >= 0
    assert found.per_work >= 0
    assert found.seconds(LARGE) == pytest.approx(seconds[1])


def test_only_small_scans_are_timed(cpu, monkeypatch):
    timed = []
    monkeypatch.setattr(
        speeds, "_timed", lambda recipe, scan, *_: timed.append((recipe, scan)) or scan.size * 1e-9
    )
    monkeypatch.setattr(speeds, "MOST", 1e8)
    deep = recipe(40, training={"modules": 20, "storage": "checkpoint"})
    found = speed(deep, ScanSize((128, 128), 4), cpu)
    (one, smaller), (_, larger) = timed
    assert one.network.iterations == 2
    assert smaller.size * 2 == larger.size < 128 * 128 * 4
    assert amount(Work(0, 1)) == 1
    assert found.per_work > 0


def test_what_begins_with_another_run_is_timed_by_itself(cpu, monkeypatch):
    timed = []
    monkeypatch.setattr(speeds, "_timed", lambda recipe, *_: timed.append(recipe) or 1.0)
    grown = {"start": "run", "frozen": 2, "copies": True, "stages": [{"iterations": 6}]}
    speed(recipe(4, training=grown), TINY, cpu)
    assert all(one.training.start is None and one.module_sizes() == [2] for one in timed)


def test_what_is_timed_is_not_solved_at_once(cpu, monkeypatch):
    """Where CG goes on to a tolerance, constant numbers would take a step or two."""
    steps = []
    one = recipe(4, "modl").changed(network={"cg_tolerance": 1e-5})

    def counted(operator, *arguments, **options):
        return cg(lambda x: steps.append(1) or operator(x), *arguments, **options)

    cg = solve.conjugate_gradients
    monkeypatch.setattr(solve, "conjugate_gradients", counted)
    single = one.changed(network={"iterations": 1}, training={"modules": 1})
    speeds._timed(single, TINY, cpu, lambda: 0.0)
    solves = 2 * (1 + speeds.TIMED)  # forward and backward
    assert len(steps) > 4 * solves


def test_a_module_is_timed_in_earnest(cpu):
    ticks = count()
    found = speed(recipe(), TINY, cpu, clock=lambda: float(next(ticks)))
    assert found.seconds(Work(10, 10, 10, 10)) > 0
