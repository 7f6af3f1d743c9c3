import pytest
from metering import recipe

from gleam.planning.footprint import footprint
from gleam.planning.scans import ScanSize
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
        (
            recipe(training={"target": "kspace"}),
            lambda r: r.images_per_step < 2,
            "training.holdout.splits: 1 (now 3)",
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


def test_steps_are_launched_anew_where_what_is_recorded_takes_too_much(cpu, gpu):
    """Modules at rest are launched anew, too, and are fetched besides: they come later."""

    def fits(one):
        return one.training.graph == "never" or one.training.idle == "host"

    assert fitted(recipe(4), gpu, fits) == recipe(4, training={"graph": "never"})
    assert fitted(recipe(4), cpu, fits) is None  # there nothing is recorded

    def in_patches(one):
        return fits(one) and one.network.patch == "auto" and one.training.storage == "store"

    made = fitted(recipe(4), gpu, in_patches)
    assert made == recipe(4, training={"graph": "never"}, network={"patch": "auto"})


def test_a_large_volume_fits_by_patches_that_are_launched_anew(gpu):
    """What modules hand on lies in no buffers then."""
    deep = recipe(16, training={"modules": 16}, regulariser={"dimensions": 3, "width": 8})
    scan = ScanSize((96, 96, 96), 4)

    def taken(one):
        return footprint(one, scan, gpu).peak

    patches = {"patch": "auto"}
    recorded = taken(deep.changed(network=patches))
    anew = taken(deep.changed(network=patches, training={"graph": "never"}))
    images = 16 * 96**3 * 8
    assert recorded - anew > images
    memory = anew + images // 2
    made = fitted(deep, gpu, lambda one: taken(one) <= memory)
    assert made is not None
    assert taken(made) <= memory
    assert made.training.graph == "never"


@pytest.mark.parametrize("target", ["image", "kspace"])
def test_maps_on_the_host_bound_what_a_volume_of_many_coils_takes(target, gpu, monkeypatch):
    """And k-space with them, where samples of it are predicted: the peak knows no coils."""
    monkeypatch.setattr("gleam.physics.sense._FULL", 1)
    volume = (64, 64, 64)
    lean = {"storage": "checkpoint", "idle": "host", "target": target}
    one = recipe(2, regulariser={"dimensions": 3}, mask={"kind": "poisson"}, training=lean)
    fetched = one.changed(training={"maps": "host"})
    few, many = (footprint(fetched, ScanSize(volume, coils), gpu) for coils in (4, 8))
    assert many == few
    scan = ScanSize(volume, 8)
    there, maps = footprint(one, scan, gpu), 8 * scan.size
    assert there.data >= many.data + maps
    assert there.peak > many.peak + 0.7 * maps
    assert many.activations >= there.activations  # with those of few coils
    assert fitted(one, gpu, lambda made: made.training.maps == "host") == fetched


def test_maps_on_the_host_make_no_difference_to_a_cpu(cpu):
    one = recipe(4)
    fetched = one.changed(training={"maps": "host"})
    scan = ScanSize((16, 12), 3)
    assert footprint(fetched, scan, cpu) == footprint(one, scan, cpu)
    assert fitted(one, cpu, lambda r: r.training.maps == "host") is None
