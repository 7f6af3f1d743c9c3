"""Every logger keeps the contract of `Logger`: told anything in order, it ends no training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from gleam.recipe import Recipe
from gleam.runs.events import Event, EventLog, Kind, Logger
from gleam.runs.loggers import Sent
from gleam.runs.tensorboard import TensorBoard

VALUES: dict[str, dict[str, Any]] = {
    "start": {"device": "the CPU, 1 thread", "steps": 4, "graph": False},
    "steps": {"losses": {"0": [0.5, None], "1": [float("nan"), 0.25]}, "waiting": 0.0},
    "validation": {"psnr": {"0": 20.0, "1": None}},
    "image": {"image": np.arange(15, dtype=np.uint8).reshape(3, 5)},
    "plateau": {"module": 1, "text": "module 1 learns no more"},
    "checkpoint": {"best": True},
    "warning": {"text": "a step cannot be recorded λ\n"},
    "end": {"reason": "finished", "text": ""},
}


def check_logger(make: Callable[[Path], Logger], folder: Path) -> None:
    """Whether it takes every kind of event, also twice and none, and a second run beside it."""
    assert set(VALUES) == set(get_args(Kind))
    none = make(folder / "none")
    assert isinstance(none, Logger)
    assert none.close() is None, "cannot end where nothing happened"  # type: ignore[func-returns-value]
    logger = make(folder / "all")
    for round_ in (1, 2):
        for kind in get_args(Kind):
            values = dict(VALUES[kind])
            told = repr(values)
            event = Event(kind, 2 * round_, values, 1.0)
            assert logger.log(event) is None  # type: ignore[func-returns-value]
            assert repr(values) == told, "changes what it is told"
    logger.close()
    files = _files(folder / "all")
    make(folder / "all").close()
    kept = _files(folder / "all")
    assert all(kept[name][: len(text)] == text for name, text in files.items()), "loses what was"
    stopped = make(folder / "stopped")
    stopped.log(Event("steps", 2, VALUES["steps"], 1.0))
    stopped.close()  # without an end


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def service(failing: bool) -> Callable[[Path, Any], Any]:
    def opened(folder: Path, settings: Any) -> Any:
        def send(step: int, told: Any) -> None:
            if failing:
                raise ConnectionError("no such host")

        return send, lambda well: send(0, {})

    return opened


LOGGERS: dict[str, Callable[[Path], Logger]] = {
    "events.jsonl": lambda folder: EventLog(made(folder)),
    "TensorBoard": lambda folder: TensorBoard(folder, 1),
    "a service": lambda folder: Sent("wandb", service(False), folder, Recipe()),
    "a service that fails": lambda folder: Sent("wandb", service(True), folder, Recipe()),
}


@pytest.mark.parametrize("name", LOGGERS)
def test_contract(name: str, tmp_path: Path) -> None:
    if name == "TensorBoard":
        pytest.importorskip("tensorboard")
    check_logger(LOGGERS[name], tmp_path)


class Broken:
    """Breaks one rule."""

    def __init__(self, rule: str, folder: Path) -> None:
        self.rule, self.events, self.path = rule, 0, made(folder) / "log"
        if rule == "loses" or not self.path.exists():
            self.path.write_text("")

    def log(self, event: Event) -> None:
        self.events += 1
        with self.path.open("a") as file:
            file.write("told\n")
        if self.rule == "changes":
            event.values["more"] = 1  # type: ignore[index]
        if self.rule == event.kind:
            raise KeyError(event.kind)

    def close(self) -> None:
        if self.rule == "nothing" and not self.events:
            raise ValueError("nothing")


@pytest.mark.parametrize("rule", ["changes", "loses", "nothing", *VALUES])
def test_contract_that_is_broken_is_noticed(rule: str, tmp_path: Path) -> None:
    check_logger(lambda folder: Broken("", folder), tmp_path / "sound")
    with pytest.raises((AssertionError, KeyError, ValueError), match=rule):
        check_logger(lambda folder: Broken(rule, folder), tmp_path / "broken")
