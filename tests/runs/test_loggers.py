"""Loggers of the user's own: told in their offline modes, and none of them ends a training."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import example_files, tiny_recipe

from gleam.errors import BadInput
from gleam.recipe import Recipe
from gleam.runs import loggers
from gleam.runs.events import IMAGE, Event
from gleam.runs.loggers import Sent, check, made
from gleam.runs.stages import train_in_stages

LEVELS = np.arange(15, dtype=np.uint8).reshape(3, 5)
EVENTS = [
    Event("steps", 2, {"losses": {"0": [0.5, 0.25], "1": [0.4, None]}, "waiting": 0.1}),
    Event("validation", 2, {"psnr": {"0": 20.0, "1": 21.5}}),
    Event("image", 2, {"image": LEVELS}),
    Event("end", 2, {"reason": "finished"}),
]
TOLD = {
    1: {"loss/0": 0.5, "loss/1": 0.4},
    2: {"loss/0": 0.25, "speed/waiting": 0.1, "psnr/0": 20.0, "psnr/1": 21.5, IMAGE: LEVELS},
}


class Service:
    """What it was told, by step; it fails at will."""

    def __init__(self, failing: bool = False) -> None:
        self.told: dict[int, dict[str, float]] = {}
        self.ended: bool | None = None
        self.settings: dict = {}
        self.failing = failing

    def opened(self, folder: Path, settings: dict):
        self.settings = settings

        def send(step: int, numbers: dict[str, float]) -> None:
            if self.failing:
                raise ConnectionError("no such host")
            self.told.setdefault(step, {}).update(numbers)

        def close(well: bool) -> None:
            self.ended = well

        return send, close


def test_numbers_come_step_by_step_without_paths(tmp_path: Path) -> None:
    service = Service()
    recipe = Recipe.model_validate({"data": {"train": "/home/jane/secret"}})
    logger = Sent("wandb", service.opened, tmp_path, recipe)
    for event in EVENTS:
        logger.log(event)
    logger.close()
    assert service.told == TOLD
    assert service.ended is True
    assert "secret" not in str(service.settings)
    assert service.settings["training"]["modules"] == 8


def test_a_service_that_fails_is_a_warning_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = Sent("wandb", Service(failing=True).opened, tmp_path, Recipe())
    for event in EVENTS:
        logger.log(event)
    logger.close()
    said = capsys.readouterr().err
    assert said.count("training.loggers: wandb") == 1
    assert "no such host" in said


def test_a_run_tells_them_and_the_recipe_says_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    monkeypatch.setitem(loggers._OPENED, "wandb", service.opened)
    monkeypatch.setitem(sys.modules, "wandb", sys)  # as if it were installed
    data = example_files(tmp_path, 1)
    recipe = tiny_recipe(data, steps=2, validate_every=2, loggers=["wandb"])
    train_in_stages(recipe, tmp_path / "run", quiet=True)
    assert {"loss/0", "loss/1", "psnr/2", IMAGE} <= service.told[2].keys()
    assert service.ended is True
    assert not (tmp_path / "run" / "tensorboard").exists()
    assert (tmp_path / "run" / "events.jsonl").exists()


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_what_is_not_installed_is_said_before_anything_is_made(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadInput, match=rf"training.loggers: {name} needs .*\[{name}\]"):
        check(["tensorboard", name])
    recipe = tiny_recipe(example_files(tmp_path, 1), loggers=[name])
    with pytest.raises(BadInput, match=r"training.loggers"):
        train_in_stages(recipe, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_weights_and_biases_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="pip install -e '.[wandb]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    (logger,) = made(["wandb"], tmp_path, Recipe(), 1)
    for event in EVENTS:
        logger.log(event)
    logger.close()
    (record,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    content = record.read_bytes()
    for name in ("loss/0", "psnr/1", "speed/waiting", IMAGE):
        assert name.encode() in content
    (picture,) = record.parent.glob("files/media/images/**/*.png")
    assert np.array_equal(np.array(Image.open(picture)), LEVELS)


@pytest.mark.filterwarnings("default")  # of the database, at its end
@pytest.mark.slow
def test_mlflow_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="pip install -e '.[mlflow]'")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (logger,) = made(["mlflow"], tmp_path, Recipe(), 1)
    for event in EVENTS:
        logger.log(event)
    logger.close()
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("gleam")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "loss/0")
    assert [(one.step, one.value) for one in history] == [(1, 0.5), (2, 0.25)]
    (picture,) = tmp_path.glob("mlruns/**/images/*.png")
    assert np.array_equal(np.array(Image.open(picture)), LEVELS)
