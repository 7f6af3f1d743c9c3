import pytest

from gleam.search import largest


@pytest.mark.parametrize("limit", [0, 2, 3, 7, 63, 64, 100])
@pytest.mark.parametrize("near", [None, 1, 5, 64, 100])
def test_the_largest_is_found_wherever_it_is(limit, near):
    asked = []
    found = largest(lambda n: asked.append(n) or n <= limit, 3, 64, near)
    assert found == (None if limit < 3 else min(limit, 64))
    assert len({*asked}) == len(asked) <= 11
    assert all(3 <= n <= 64 for n in asked)


def test_what_is_far_too_large_is_not_asked_about():
    asked = []
    assert largest(lambda n: asked.append(n) or n <= 40, 1, 1000, near=12) == 40
    assert max(asked) < 80


def test_none_may_be_there():
    assert largest(lambda n: True, 5, 4, near=9) is None
