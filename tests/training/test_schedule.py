import pytest

from gleam.training.schedule import warmup_cosine


def rates(warmup, steps):
    return [warmup_cosine(s, highest=0.2, warmup=warmup, steps=steps) for s in range(steps + 1)]


def test_values():
    expected = [0.05, 0.1, 0.15, 0.2, 0.2 * (2 + 2**0.5) / 4, 0.1, 0.2 * (2 - 2**0.5) / 4, 0]
    assert rates(warmup=3, steps=7) == pytest.approx(expected)


def test_without_warmup_it_starts_at_the_highest():
    assert rates(warmup=0, steps=2) == pytest.approx([0.2, 0.1, 0])


@pytest.mark.parametrize("warmup", [0, 4, 10])
def test_every_step_of_a_run_learns(warmup):
    assert min(rates(warmup, steps=10)[:-1]) > 0
    assert max(rates(warmup, steps=10)) <= 0.2


def test_beyond_the_last_step_it_stays_zero():
    assert warmup_cosine(30, highest=0.2, warmup=3, steps=7) == pytest.approx(0)
