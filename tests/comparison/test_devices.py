import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny import tiny_recipe

from gleam.comparison import devices
from gleam.comparison.devices import Order, Row, measure_devices, workers
from gleam.comparison.plan import Plan
from gleam.errors import BadInput

Planned = Callable[..., Plan]

SCHEMES: dict[str, Any] = {
    "overlapping": {"training": {"overlap": 1}},
    "greedy": {},
    "end-to-end": {"training": {"modules": 1}},
}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_every_way_is_timed_on_two_processes(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "TURNS", 1)
    found = measure_devices(planned(SCHEMES), 2, tmp_path)
    assert (found.count, found.scheme) == (2, "greedy")
    rows = {(row.name, row.batch): row for row in found.rows}
    assert set(rows) == {(name, batch) for name in devices.COMPARED for batch in (1, 4)}
    assert all(row.seconds > 0 and row.speed > 0 for row in found.rows)
    alone, ours, backward, replicas = (rows[name, 1] for name in devices.COMPARED)
    assert alone.speed == 1
    assert 0 < ours.memory < alone.memory  # fewer weights, no more activations
    assert replicas.memory > ours.memory  # every activation of all iterations
    image = 8 * 24 * 20  # of the largest example, complex64
    assert alone.sent is not None
    assert ours.sent is not None
    assert backward.sent is not None
    assert alone.sent < image / 2 < image < ours.sent < backward.sent  # gradients travel back
    again = measure_devices(planned(SCHEMES), 2, tmp_path)
    assert again == found  # not timed again


def test_the_pipeline_of_a_reversible_network_carries_both_streams(examples: Path) -> None:
    base = tiny_recipe(examples)
    network = base.network.model_copy(update={"family": "reversible"})
    with workers(base.model_copy(update={"network": network}), 2) as crew:
        for way in ("pipeline", "one_f_one_b", "data_parallel"):
            assert crew.ask(Order(way, 2)).seconds > 0


def test_a_process_that_dies_is_said(examples: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        pytest.raises(BadInput, match=r"compare: a process ended while it was timed \(no_way, 1"),
        workers(tiny_recipe(examples), 2) as crew,
    ):
        crew.ask(Order("no_way", 1))
    assert "no_way" in capfd.readouterr().err


def test_schemes_that_no_pipeline_can_train_are_refused(planned: Planned, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no scheme fits a pipeline of 4 devices \(overlapping: "):
        measure_devices(planned(SCHEMES), 4, tmp_path)


def test_one_device_is_no_pipeline(planned: Planned, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--devices 1: give 2 or more"):
        measure_devices(planned(SCHEMES), 1, tmp_path)


def test_a_broken_file_of_measurements_is_named(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Row("parallel GLEAM", 1, 0.1, 2.0, 1000, None)
    monkeypatch.setattr(devices, "_measured", lambda *_: [row])
    assert measure_devices(planned(SCHEMES), 2, tmp_path).rows == [row]
    path = tmp_path / "devices.json"
    known = json.loads(path.read_text())
    path.write_text(json.dumps(known | {"rows": [{"name": "parallel GLEAM"}]}))
    with pytest.raises(BadInput, match=r"devices\.json: is broken; remove it"):
        measure_devices(planned(SCHEMES), 2, tmp_path)
