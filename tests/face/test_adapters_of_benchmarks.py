"""Networks of other people, small, have plain autograd's gradients through the public face."""

import pytest

from benchmarks.adapters import NETWORKS, compare, gradient_error

SMALL = {"fastmri_varnet": {"cascades": 3, "size": 32, "coils": 2, "chans": 4, "sens_chans": 2}}


def small(name):
    def make():
        try:
            return NETWORKS[name](**SMALL[name])
        except ImportError as missing:
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
    assert 0 < figures[f"adapters.{name}.step_memory_over_end_to_end"]["value"] < 0.8
    assert figures[f"adapters.{name}.time_over_end_to_end"]["value"] > 0
