"""Loggers by name, as a recipe lists them (`training.loggers`): TensorBoard, W&B, MLflow.

The last two are the user's own: where they send what they are told is said by their own settings
(WANDB_MODE=offline, MLFLOW_TRACKING_URI). They get numbers, images of validation, and the recipe
without its paths. What goes wrong with them is a warning, once; training goes on without them.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gleam.errors import BadInput
from gleam.recipe import Recipe
from gleam.runs.events import IMAGE, Event, Logger
from gleam.runs.tensorboard import TensorBoard
from gleam.terminal import warn
from gleam.words import not_installed

PROJECT = "gleam"
MLFLOW = "mlflow.db"  # in the run's folder, where nothing else is said
_PATHS = {"data": {"train", "validation"}, "training": {"start", "offload_to", "idle"}}


def made(names: Sequence[str], folder: Path, recipe: Recipe, first: int) -> list[Logger]:
    """The loggers of a run.

    Args:
        names: as the recipe lists them.
        folder: of the run.
        recipe: what it trains.
        first: the step that comes next; what earlier files say of it no longer holds.

    Raises:
        BadInput: one is not installed.
    """
    loggers: list[Logger] = []
    for name in names:
        if name == "tensorboard":
            loggers.append(TensorBoard(folder / "tensorboard", first))
        else:
            loggers.append(Sent(name, _OPENED[name], folder, recipe))
    return loggers


def check(names: Sequence[str]) -> None:
    """Make sure that what loggers need is installed, before anything is made.

    Raises:
        BadInput: it is not.
    """
    for name in (name for name in names if name in _OPENED):
        try:
            __import__(name)
        except ImportError as error:
            text = f"training.loggers: {name} {not_installed(name, name)}"
            raise BadInput(text) from error


Told = dict[str, float | NDArray[np.uint8]]  # a number, or the grey levels of an image
Send = Callable[[int, Told], None]
Close = Callable[[bool], None]


class Sent:
    """Numbers and images sent to a service of the user's.

    Args:
        name: of the service.
        opened: begins there; gives what sends those of a step, and what ends it well or not.
        folder: of the run.
        recipe: what it trains.
    """

    def __init__(
        self,
        name: str,
        opened: Callable[[Path, dict[str, Any]], tuple[Send, Close]],
        folder: Path,
        recipe: Recipe,
    ) -> None:
        self._name, self._ended = name, False
        self._send: Send | None = None
        settings = recipe.model_dump(mode="json", exclude=_PATHS)
        try:
            self._send, self._close = opened(folder, settings)
        except Exception as error:  # of somebody else's service
            self._give_up(error)

    def log(self, event: Event) -> None:
        """Send the numbers of an event, or its image, step by step."""
        self._ended = self._ended or (
            event.kind == "end" and event.values.get("reason") == "finished"
        )
        steps: dict[int, Told] = defaultdict(dict)
        for name, step, value in event.numbers():
            steps[step][name] = value
        if event.kind == "image":
            steps[event.step][IMAGE] = event.values["image"]
        for step in sorted(steps):
            if self._send is None:
                return
            try:
                self._send(step, steps[step])
            except Exception as error:
                self._give_up(error)

    def close(self) -> None:
        """Say how it ended."""
        if self._send is not None:
            try:
                self._close(self._ended)
            except Exception as error:
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._send = None
        what = " ".join(str(error).split())[:200] or type(error).__name__
        warn(f"training.loggers: {self._name}", [f"is told nothing more ({what})"])


def _wandb(folder: Path, settings: dict[str, Any]) -> tuple[Send, Close]:
    import wandb

    run = wandb.init(project=PROJECT, name=folder.name, dir=str(folder), config=settings)

    def send(step: int, told: Told) -> None:
        run.log({name: converted(value) for name, value in told.items()}, step=step)

    def converted(value: float | NDArray[np.uint8]) -> object:
        return value if isinstance(value, float | int) else wandb.Image(Image.fromarray(value))

    return send, lambda well: run.finish(exit_code=0 if well else 1)


def _mlflow(folder: Path, settings: dict[str, Any]) -> tuple[Send, Close]:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    here = folder.resolve()
    client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{here}/{MLFLOW}")
    known = client.get_experiment_by_name(PROJECT)
    if known is None:
        experiment = client.create_experiment(PROJECT, (here / "mlruns").as_uri())
    else:
        experiment = known.experiment_id
    run = client.create_run(experiment, run_name=folder.name).info.run_id
    for part, fields in settings.items():
        client.log_param(run, part, str(fields)[:500])

    def send(step: int, told: Told) -> None:
        metrics = []
        for name, value in told.items():
            if isinstance(value, float | int):
                metrics.append(Metric(name, value, 0, step))
            else:
                client.log_image(run, Image.fromarray(value), key=name, step=step)
        client.log_batch(run, metrics=metrics)

    return send, lambda well: client.set_terminated(run, "FINISHED" if well else "FAILED")


_OPENED = {"wandb": _wandb, "mlflow": _mlflow}
