from collections.abc import Callable

import pytest

from gleam.training.timing import interleaved, ratio


def test_works_take_turns_and_drift_does_not_change_their_ratio() -> None:
    now, order = 0.0, []

    def work(name: str, seconds: float) -> Callable[[], None]:
        def step() -> None:
            nonlocal now
            turn = len(order) // 2
            order.append(name)
            # The machine gets slower turn by turn, and stumbles once.
            now += seconds * (1 + turn) * (50 if (name, turn) == ("a", 3) else 1)

        return step

    times = interleaved({"a": work("a", 3.0), "b": work("b", 2.0)}, repeats=5, clock=lambda: now)
    assert order == ["a", "b"] * 6
    assert times["b"] == [2.0 * turn for turn in range(2, 7)]  # not the first
    assert ratio(times["a"], times["b"]) == pytest.approx(1.5)
