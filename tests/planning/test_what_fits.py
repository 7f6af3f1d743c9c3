import pytest
from metering import TINY, recipe, simple

from gleam.errors import BadInput
from gleam.planning import plan as planning
from gleam.planning.fit import fit, is_small
from gleam.planning.footprint import footprint
from gleam.planning.scans import ScanSize


@pytest.fixture
def made_up(monkeypatch):
    monkeypatch.setattr(planning, "footprint", simple)


DEEP = recipe(8, training={"modules": 1}, regulariser={"width": 8})  # stored 672, else 112


def test_what_fits_is_left_alone(cpu, made_up):
    assert fit(DEEP, TINY, cpu, 672) == (DEEP, [])


def test_only_what_leaves_the_result_alone_is_chosen(cpu, made_up):
    made, changes = fit(DEEP, TINY, cpu, 671)
    assert made == DEEP.changed(training={"storage": "checkpoint"})
    assert changes == ["training.storage: checkpoint"]


def test_what_changes_the_experiment_is_only_proposed(cpu, made_up):
    with pytest.raises(
        BadInput, match=r"it fits with training\.modules: 4 \(now 1\) or with"
    ) as found:
        fit(DEEP.changed(data={"batch": 2}), TINY, cpu, 190)
    assert "data.batch: 1 (now 2)" in str(found.value)
    with pytest.raises(BadInput, match="no single change makes it fit"):
        fit(DEEP, TINY, cpu, 1)


def test_on_several_devices(cpu, made_up):
    with pytest.raises(BadInput, match="cannot be divided"):
        fit(DEEP, TINY, cpu, 672, devices=3)
    wide = DEEP.changed(data={"batch": 2})
    assert fit(wide, TINY, cpu, 672, devices=2) == (wide, [])


@pytest.mark.parametrize("coils", [3, 48])
def test_a_training_that_just_fits_is_never_taken_for_a_small_one(coils, cpu):
    """The guess is never below half of what it takes, the next batch in the making included."""
    kspace = recipe(2, network={"sets": 2}, training={"target": "kspace"})
    for one in (recipe(4), recipe(4, "modl", training={"modules": 1}, data={"batch": 3}), kspace):
        scan = ScanSize((48, 40), coils)
        peak = footprint(one, scan, cpu).peak
        assert not is_small(one, scan, peak)
        assert is_small(one, scan, 1000 * peak)
