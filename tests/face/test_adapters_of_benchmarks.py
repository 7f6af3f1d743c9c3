"""Networks of other people, small, have plain autograd's gradients through the public face."""

from functools import partial

import pytest

from benchmarks.adapters import NETWORKS, compare, gradient_error
from gleam.errors import BadInput

FEATURES = [4] * 6
SMALL = {
    "fastmri_varnet": {"cascades": 3, "size": 32, "coils": 2, "chans": 4, "sens_chans": 2},
    "monai_varnet_3d": {
        "iterations": 2, "space": (6, 16, 20), "coils": 2, "spatial_dims": 3,
        "features": FEATURES, "sens_features": FEATURES,
    },
    "direct_recurrent_varnet": {"iterations": 2, "space": (16, 20), "hidden": 4, "layers": 2},
    "deepinv_pgd": {"iterations": 2, "space": (16, 20), "width": 4, "depth": 3},
}  # fmt: skip


def test_every_network_has_a_small_one():
    assert {*SMALL} == {*NETWORKS}


def small(name):
    made = NETWORKS[name]
    if name != "fastmri_varnet":
        made = partial(made.func, made.args[0])

    def make():
        try:
            return made(**SMALL[name])
        except (ImportError, BadInput) as missing:
            pytest.skip(f"not installed: {missing}; the benchmark says how")

    return make


@pytest.mark.parametrize("name", SMALL)
def test_every_module_has_the_gradients_of_plain_autograd(name):
    assert gradient_error(small(name)()) < 1e-6


@pytest.mark.parametrize("name", SMALL)
def test_what_is_printed_is_what_is_measured(name, monkeypatch):
    monkeypatch.setattr("benchmarks.adapters.REPEATS", 1)
    figures = compare(name, small(name))
    assert 0 < figures[f"adapters.{name}.memory_over_end_to_end"]["value"] < 1
    assert 0 < figures[f"adapters.{name}.step_memory_over_end_to_end"]["value"] < 1
    assert figures[f"adapters.{name}.time_over_end_to_end"]["value"] > 0
