"""The plan's own thoughts, on footprints that are made up; true ones are in test_footprint."""

import pytest
from metering import TINY, recipe, simple

from gleam.errors import BadInput
from gleam.planning import plan as planning
from gleam.planning.plan import Budget, _of_depth, peak, plan
from gleam.planning.speed import Speed


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    """No step is traced or timed."""
    monkeypatch.setattr(planning, "footprint", simple)
    monkeypatch.setattr(planning, "speed", lambda *_: Speed(1.0, 0.0))


DEEP = recipe(16, training={"modules": 1}, regulariser={"width": 8})


def test_of_all_schemes_that_fit_the_deepest_is_taken(cpu):
    found = plan(DEEP, TINY, cpu, Budget(250, hours=100.0))
    rows = {
        one.name: (one.recipe.training.storage, one.recipe.network.iterations)
        for one in found.offers
    }
    assert rows == {
        "as the recipe says": ("checkpoint", 16),
        "greedy, modules of two": ("store", 16),
        "greedy, modules of one": ("store", 16),
    }
    assert found.missing == {}
    assert all(one.steps == 100 * 3600 // 16 for one in found.offers)
    assert all(one.footprint.peak <= 250 for one in found.offers)
    assert found.chosen.recipe.training.minutes == 6000


def test_what_does_not_fit_is_made_shallow(cpu):
    found = plan(DEEP, TINY, cpu, Budget(90 + 8 * 3))
    (whole,) = (one for one in found.offers if one.name == "as the recipe says")
    assert whole.recipe.network.iterations < 16
    assert whole.footprint.peak <= 114
    assert found.chosen.recipe.network.iterations >= whole.recipe.network.iterations


def test_sizes_are_the_largest_that_fit(cpu):
    for memory in (250, 1000):
        for one in plan(DEEP, TINY, cpu, Budget(memory)).offers:
            deeper = _of_depth(one.recipe, one.deepest + 1).changed(
                training={"storage": "checkpoint"}
            )
            assert peak(deeper, TINY, cpu)[0].peak > memory
            wider = one.recipe.changed(network={"regulariser": {"width": one.widest * 5 // 4 + 8}})
            assert peak(wider, TINY, cpu)[0].peak > memory


def test_where_there_is_no_time_to_learn_many_iterations_steps_count(cpu):
    """No scheme makes enough steps of 16 iterations: then none of them is better for its depth."""
    found = plan(DEEP, TINY, cpu, Budget(114, hours=1.0))
    assert found.chosen.steps == max(
        one.steps
        for one in found.offers
        if one.recipe.network.iterations == found.chosen.recipe.network.iterations
    )


def test_nothing_fits(cpu):
    with pytest.raises(BadInput, match=r"nothing fits into .*network\.regulariser\.width"):
        plan(recipe(2, regulariser={"width": 512}), TINY, cpu, Budget(2000))
    with pytest.raises(BadInput, match="not even one iteration"):
        plan(DEEP, TINY, cpu, Budget(1))


def test_too_few_modules_divide_each_batch(cpu):
    wide = DEEP.changed(data={"batch": 4})
    assert peak(wide, TINY, cpu, 4) == (peak(DEEP, TINY, cpu)[0], 4)
    with pytest.raises(BadInput, match="cannot be divided"):
        peak(DEEP, TINY, cpu, 3)
    found = plan(DEEP, TINY, cpu, Budget(10_000, devices=3))
    assert "cannot be divided" in found.missing["as the recipe says"]
    assert {one.name for one in found.offers} == {
        "greedy, modules of two",
        "greedy, modules of one",
    }


def test_of_a_recipe_with_stages_the_first_is_planned(cpu):
    """However deep it may be; a stage that is no deeper falls away."""
    found = plan(DEEP.changed(training={"stages": [{"iterations": 20}]}), TINY, cpu, Budget(10_000))
    assert found.missing == {}
    assert all(one.deepest > 20 for one in found.offers)
    assert all(len(one.recipe.training.stages) == 1 for one in found.offers)


def test_depth_keeps_modules_as_long_as_they_are():
    four = _of_depth(recipe(8, training={"modules": 4}), 13)
    assert four.module_sizes() == [2] * 6 + [1]
    last = recipe(4, training={"modules": 4, "overlap": 3, "loss_weights": "last"})
    assert _of_depth(last, 2).training.overlap == 1
