"""How fast a training goes: of the steps since it was last told, and of all but the first."""

import pytest

from gleam.runs.pace import Pace


def test_speeds_are_of_the_steps_told_and_of_all_but_the_first() -> None:
    pace = Pace(batch=4)
    assert pace.untold == 0
    assert pace.whole() == {}
    for seconds in (9.0, 8.0):  # the optimizers' states, the metering
        pace.add({0: 1.0, 1: 2.0}, seconds, 0.0)
    assert pace.untold == 2
    told = pace.tell()
    assert told["losses"] == {"0": [1.0, 1.0], "1": [2.0, 2.0]}
    assert told["ms_per_step"] == 8500
    assert told["slices_per_second"] == pytest.approx(8 / 17, abs=1e-3)
    for seconds, waited in ((0.1, 0.1), (0.2, 0.0), (0.3, 0.1)):
        pace.add({0: 0.5}, seconds, waited)
    told = pace.tell()
    assert told["losses"] == {"0": [0.5] * 3}
    assert told == {"losses": told["losses"], **pace.whole()}
    assert told["ms_per_step"] == 200
    assert told["slices_per_second"] == pytest.approx(12 / 0.8)
    assert told["waiting"] == pytest.approx(0.25)
    assert pace.untold == 0
