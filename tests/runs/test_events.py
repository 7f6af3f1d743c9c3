"""A run's events: kept in the order in which they happened, for all to read."""

import json
from pathlib import Path

import numpy as np
import pytest
from ends import drawn

from gleam.errors import BadInput, Unwritable
from gleam.runs.events import FILE, Event, EventLog, Logger, forget_events, read_events
from gleam.runs.tensorboard import TensorBoard

STEPS = Event("steps", 12, {"losses": {"0": [3.0, 2.0], "1": [0.5, 0.25]}, "waiting": 0.125}, 2.5)


def written(folder: Path, *events: Event) -> Path:
    log = EventLog(folder)
    for event in events:
        log.log(event)
    log.close()
    return folder / FILE


def test_events_are_read_as_they_were_written(tmp_path: Path) -> None:
    events = [
        Event("start", 0, {"device": "the CPU", "steps": 20}, 1.0),
        STEPS,
        Event("validation", 12, {"psnr": {"0": 20.5, "1": 31.25}}, 3.0),
        Event("end", 12, {"reason": "stopped", "text": "λ\n"}, 4.0),
    ]
    path = written(tmp_path, *events)
    assert read_events(tmp_path) == events
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert json.loads(first) == {
        "event": "start", "step": 0, "time": 1.0, "device": "the CPU", "steps": 20
    }  # fmt: skip


def test_numbers_are_those_of_each_step() -> None:
    assert STEPS.losses == [(11, 0, 3.0), (12, 0, 2.0), (11, 1, 0.5), (12, 1, 0.25)]
    assert list(STEPS.numbers()) == [
        ("loss/0", 11, 3.0), ("loss/0", 12, 2.0), ("loss/1", 11, 0.5), ("loss/1", 12, 0.25),
        ("speed/waiting", 12, 0.125),
    ]  # fmt: skip
    assert not [*Event("start", 0, {"steps": 20}).numbers()]


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    path = written(tmp_path, Event("steps", 1, {"losses": {"0": [float("nan")]}}))
    assert "NaN" not in path.read_text()
    (event,) = read_events(tmp_path)
    assert event.losses == [(1, 0, None)]
    assert not [*event.numbers()]


@pytest.mark.parametrize("lost", [1, 5, 20])
def test_a_torn_last_line_is_left_out_and_mended(tmp_path: Path, lost: int) -> None:
    path = written(tmp_path, STEPS, Event("checkpoint", 12, {"best": True}, 3.0))
    path.write_bytes(path.read_bytes()[:-lost])
    assert read_events(tmp_path) == [STEPS]
    forget_events(tmp_path, 12)
    written(tmp_path, STEPS)
    assert read_events(tmp_path) == [STEPS, STEPS]


@pytest.mark.parametrize("line", ["[]", "{}", '{"event": "x", "step": 0, "time": 0}', "{"])
def test_a_broken_line_is_said(tmp_path: Path, line: str) -> None:
    path = written(tmp_path, STEPS)
    path.write_text(line + "\n" + path.read_text())
    with pytest.raises(BadInput, match=f"{FILE}: missing or broken"):
        read_events(tmp_path)


def test_what_happened_after_a_step_is_forgotten(tmp_path: Path) -> None:
    kept = [Event("start", 0, {}, 1.0), STEPS, Event("end", 12, {"reason": "stopped"}, 3.0)]
    written(tmp_path, *kept, Event("steps", 13, {}, 4.0), Event("validation", 13, {}, 5.0))
    forget_events(tmp_path, 12)
    assert read_events(tmp_path) == kept
    forget_events(tmp_path / "nothing", 12)  # of an early version
    assert not (tmp_path / "nothing").exists()


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match=FILE):
        EventLog(tmp_path / "gone").log(STEPS)


def test_tensorboard_draws_the_same_numbers(tmp_path: Path) -> None:
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    board = TensorBoard(tmp_path, 11)
    board.log(STEPS)
    board.log(Event("end", 12, {"reason": "finished"}))
    board.close()
    (path,) = tmp_path.iterdir()
    drawn = [
        (value.tag, event.step, value.tensor.float_val[0], event.wall_time)
        for event in loader.EventFileLoader(str(path)).Load()
        for value in event.summary.value
    ]
    assert drawn == [(*number, 2.5) for number in STEPS.numbers()]


def test_tensorboard_shows_an_image_as_it_is(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    board, levels = TensorBoard(tmp_path / "tensorboard", 1), np.arange(15, dtype=np.uint8)
    board.log(Event("image", 12, {"image": levels.reshape(3, 5)}))
    board.close()
    shown = drawn(tmp_path)
    assert shown.keys() == {12}
    assert np.array_equal(shown[12], levels.reshape(3, 5))


def test_an_image_is_in_no_line(tmp_path: Path) -> None:
    image = Event("image", 12, {"image": np.zeros((3, 5), np.uint8)})
    assert not [*image.numbers()]
    written(tmp_path, STEPS, image)
    assert read_events(tmp_path) == [STEPS]


def test_both_are_loggers(tmp_path: Path) -> None:
    assert isinstance(EventLog(tmp_path), Logger)
    assert isinstance(TensorBoard(tmp_path / "board", 1), Logger)
