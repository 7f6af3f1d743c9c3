import pytest

from gleam.planning.allocator import Allocator

MIB = 2**20


def test_memory_comes_in_segments():
    memory = Allocator()
    memory.take(1, 5)
    assert memory.reserved == 2 * MIB
    memory.take(2, 3 * MIB)
    assert memory.reserved == 22 * MIB
    memory.take(3, 11 * MIB)  # what is left of that segment is enough
    assert memory.reserved == 22 * MIB
    memory.take(4, 11 * MIB)
    assert memory.reserved == 34 * MIB


def test_what_comes_back_is_given_out_again_and_joined_with_its_neighbours():
    memory = Allocator()
    for name in range(3):
        memory.take(name, 6 * MIB)
    assert memory.reserved == 20 * MIB
    for name in (0, 2, 1):
        memory.give_back(name)
    memory.take(3, 20 * MIB)
    assert memory.reserved == 20 * MIB


def test_holes_that_are_too_small_are_of_no_use():
    memory = Allocator()
    for name in range(4):
        memory.take(name, 5 * MIB)
    for name in (0, 2):
        memory.give_back(name)
    memory.take(5, 10 * MIB)
    assert memory.reserved == 30 * MIB


@pytest.mark.parametrize("name", [0, 77])
def test_nothing_is_no_block(name):
    memory = Allocator()
    memory.take(0, 0)
    memory.give_back(name)
    assert memory.reserved == 0
