import pytest
from metering import recipe

from gleam.planning.ways import fitted, proposals, schemes


def stored(*storages):
    return lambda one: one.training.storage in storages


def test_what_fits_stays_as_it_is(cpu):
    one = recipe(4, training={"storage": "checkpoint"})
    assert fitted(one, cpu, lambda _: True) is one


def test_the_first_way_that_fits_is_taken_and_nothing_else_changes(cpu, gpu):
    one = recipe(4)
    made = fitted(one, cpu, stored("checkpoint", "invert"))
    assert made == one.changed(training={"storage": "checkpoint"})
    assert fitted(one, gpu, stored("offload", "checkpoint")).training.storage == "offload"
    assert fitted(one, cpu, stored("offload")) is None  # there is no other memory


def test_only_what_can_be_undone_is_inverted(cpu):
    assert fitted(recipe(4), cpu, stored("invert")) is None
    turned = recipe(4, "reversible")
    assert fitted(turned, cpu, stored("invert")).training.storage == "invert"


def test_schemes_are_cut_differently():
    cut = {name: one.module_sizes() for name, one in schemes(recipe(4)).items()}
    assert cut == {
        "as the recipe says": [2, 2],
        "greedy, modules of one": [1, 1, 1, 1],
        "end-to-end": [4],
    }
    overlapping = recipe(4, training={"modules": 4, "overlap": 3, "loss_weights": "last"})
    assert schemes(overlapping)["end-to-end"].loss_weights() == [1.0]


@pytest.mark.parametrize(
    ("one", "fits", "words"),
    [
        (
            recipe(8, training={"modules": 1}),
            lambda r: r.training.modules >= 4,
            "training.modules: 4",
        ),
        (
            recipe(4, training={"modules": 4, "overlap": 2}),
            lambda r: r.training.overlap < 1,
            "training.overlap: 0 (now 2)",
        ),
        (recipe(data={"batch": 8}), lambda r: r.data.batch < 3, "data.batch: 2 (now 8)"),
        (
            recipe(regulariser={"dimensions": 3}),
            lambda r: r.data.slab is not None and r.data.slab < 20,
            "data.slab: 16 (now none)",
        ),
        (recipe(12), lambda r: r.network.iterations < 7, "network.iterations: 6 (now 12)"),
        (
            recipe(regulariser={"width": 64}),
            lambda r: r.network.width <= 16,
            "network.regulariser.width: 16",
        ),
    ],
)
def test_changes_of_the_experiment_are_named(one, fits, words, cpu):
    (found,) = proposals(one, cpu, fits)
    assert found[0].startswith(words)
    assert fits(found[1])


def test_where_nothing_helps_nothing_is_proposed(cpu):
    assert proposals(recipe(8, data={"batch": 4}), cpu, lambda _: False) == []
