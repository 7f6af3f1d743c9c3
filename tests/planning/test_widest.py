import pytest

from gleam.planning.footprint import Footprint
from gleam.planning.widest import widest


def taken(width, bent=0.0):
    """Weights grow with the square, activations as they do but for what is rounded."""
    activations = round(70_000 * width - bent * width**2)
    return Footprint(9 * width**2, 0, 18 * width**2, activations, 0, data=400_000)


@pytest.mark.parametrize("bent", [0.0, 30.0])  # less than in proportion, so that the curve bends
@pytest.mark.parametrize("memory", [1_500_000, 7_450_000, 80_000_000])
def test_few_questions_are_asked_for_a_width(memory, bent):
    asked = []
    found = widest(lambda width: asked.append(width) or taken(width, bent), 32, memory)
    assert found % 8 == 0
    assert taken(found, bent).peak <= memory < taken(found * 20 // 19 + 8, bent).peak
    assert len(asked) <= 4
    assert max(asked) < 1.2 * max(found, 32)  # what is far too wide takes long to look at


def test_no_width_fits():
    assert widest(taken, 32, 500_000) is None
    assert widest(lambda width: Footprint(1, 0, 0, 1, 0), 32, 10**9) == 4096


def test_steps_in_memory_are_met():
    """What is taken jumps, as workspaces do: the search still ends, at the last width below."""
    asked = []

    def jumping(width):
        asked.append(width)
        return Footprint(0, 0, 0, 1000 * width + (10**6 if width > 200 else 0), 0)

    assert widest(jumping, 32, 900_000) == 200
    assert len(asked) < 15
