import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from gleam import terminal
from gleam.cli import main
from gleam.runs.progress import displayed
from gleam.terminal import Clock, counted, doing, duration, followed


class Listener(io.StringIO):
    """What is said, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.more = threading.Condition()

    def write(self, text: str) -> int:
        with self.more:
            self.more.notify_all()
            return super().write(text)

    def until(self, said: str) -> str:
        with self.more:
            assert self.more.wait_for(lambda: said in self.getvalue(), 60), self.getvalue()
        return self.getvalue()


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    """Of a stderr that is a file, where half a minute is soon over."""
    listener = Listener()
    monkeypatch.setattr(terminal, "EVERY", 0.01)
    monkeypatch.setattr(terminal, "console", Console(file=listener, width=20))
    monkeypatch.setattr("gleam.runs.progress.console", terminal.console)
    return listener


def test_work_says_how_far_it_is_and_how_long_it_will_take(listener: Listener) -> None:
    for number in followed(range(1, 4), "preparing [all] the many scans", 3):
        if number == 1:
            listener.until("preparing [all] the many scans: 0 of 3, after 0 s\n")
        if number == 3:
            assert " s left\n" in listener.until("preparing [all] the many scans: 2 of 3, ")
    with counted("reconstructing", 2) as done:
        done(1)
        listener.until("reconstructing: 1 of 2, ")
    assert not terminal._going_on


def test_inner_work_speaks_and_outer_work_goes_on_speaking(listener: Listener) -> None:
    with doing(lambda: "outer"):
        listener.until("outer\n")
        with doing(lambda: "inner"):
            listener.until("inner\n")
            with terminal.silence():
                before = listener.getvalue()
                threading.Event().wait(0.1)
                assert len(listener.getvalue()) - len(before) < len("inner\ninner\n")
        listener.truncate(0)
        listener.until("outer\n")


def test_nothing_is_said_beside_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Listener()
    monkeypatch.setattr(terminal, "console", Console(file=listener, force_terminal=True))
    terminal.say_unwatched("step 3")
    assert listener.getvalue() == ""


@pytest.mark.parametrize("quiet", [False, True])
def test_run_speaks_before_its_first_step_and_into_its_log(
    quiet: bool, listener: Listener, tmp_path: Path
) -> None:
    log = tmp_path / "train.log"
    with displayed(log, 10, 50, quiet) as display:
        while not log.exists() or "step 10 of 50, after" not in log.read_text():
            time.sleep(0.005)
        display.step([0.25, 0.125])
        while "step 11 of 50, loss 0.250 0.125, " not in log.read_text():
            time.sleep(0.005)
        display.say("step 11: validation PSNR 30.00 dB")
    assert log.read_text().endswith("PSNR 30.00 dB\n")
    assert ("step 11 of 50, loss 0.250 0.125, " in listener.getvalue()) != quiet
    assert ("validation PSNR" in listener.getvalue()) != quiet


def test_every_verb_says_that_it_is_at_work(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> Iterator[None]:
        listener.until("inspect: at work, after 0 s")
        raise KeyboardInterrupt

    monkeypatch.setattr("gleam.cli.options.parse", slow)
    assert main(["inspect"]) == 130


def test_durations_are_as_coarse_as_they_are_long() -> None:
    said = [duration(seconds) for seconds in (0.0, 42.4, 150.0, 5000.0, 12000.0)]
    assert said == ["0 s", "42 s", "2 min", "83 min", "3 h 20 min"]
    assert Clock(5, 2).left(2) == "after 0 s"


def test_work_that_an_error_broke_off_may_end_while_other_work_goes_on() -> None:
    before = threading.active_count()
    broken = followed([1, 2, 3], "first", 3)
    next(broken)  # as a loop that an error has left, for as long as the error is remembered
    with counted("second", 2) as done:
        done(1)
        broken.close()
        assert threading.active_count() == before
    with doing(lambda: "third"):
        assert threading.active_count() == before + 1
