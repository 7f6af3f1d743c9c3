import json
from pathlib import Path

import pytest
import torch
from tiny import tiny_recipe, trained_on

from gleam.errors import BadInput
from gleam.networks import build
from gleam.runs import folder as run_folder
from gleam.runs.folder import Row
from gleam.runs.run import Run
from gleam.threads import cores

RECIPE = tiny_recipe(Path("examples"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with a model."""
    run_folder.begin(tmp_path / "run", RECIPE, "data", trained_on(RECIPE))
    run_folder.save_model(tmp_path / "run", build(RECIPE.network, seed=5).state_dict())
    return tmp_path / "run"


def refused(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        _ = Run(folder).network
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_start_says_what_will_be_trained_and_with_what(folder: Path) -> None:
    assert run_folder.load_recipe(folder) == RECIPE
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["threads"] == 1
    assert environment["processes"] == 1
    assert environment["cores"] == cores()
    assert environment["torch"] == torch.__version__
    assert environment["seed"] == RECIPE.seed
    assert environment["device"] == "cpu"
    assert environment["precision"]["networks"] == "fp32"
    assert environment["precision"]["deterministic"] is False
    assert run_folder.read_metrics(folder) == []
    assert run_folder.read_summary(folder) == {}


def test_folder_that_holds_a_run_is_left_alone(folder: Path) -> None:
    with pytest.raises(BadInput, match="holds a run already"):
        run_folder.begin(folder, RECIPE, "data", trained_on(RECIPE))


def test_start_cut_short_is_not_a_run_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe makes it a run, so all that a resumed run reads is there before the recipe."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("recipes.save", "write_metrics", "environment"):
        with monkeypatch.context() as patch:
            patch.setattr(f"gleam.runs.folder.{name}", killed)
            with pytest.raises(KeyboardInterrupt):
                run_folder.begin(tmp_path / "run", RECIPE, "data", trained_on(RECIPE))
        assert not (tmp_path / "run" / "recipe.yaml").exists()
    run_folder.begin(tmp_path / "run", RECIPE, "data", trained_on(RECIPE))
    assert run_folder.read_metrics(tmp_path / "run") == []


def test_saved_model_loads_the_same_ready_for_inference(folder: Path) -> None:
    recipe, network = Run(folder).recipe, Run(folder).network
    assert recipe == RECIPE
    expected = build(RECIPE.network, seed=5).state_dict()
    assert network.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    assert "is not a run" in refused(tmp_path)
    assert "does not exist" in refused(tmp_path / "no")


def test_run_without_a_model_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "first checkpoint" in refused(folder)


def test_broken_model_or_one_of_another_network_is_refused(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    for damaged in (content[:-1], content[: len(content) // 2], b"", b"\xff" * 100):
        (folder / "model.safetensors").write_bytes(damaged)
        assert "broken or of another network" in refused(folder)
    other = RECIPE.network.model_copy(update={"iterations": 2})
    run_folder.save_model(folder, build(other).state_dict())
    assert "another network" in refused(folder)


def test_metrics_are_read_as_written_but_for_a_line_that_was_cut_off(folder: Path) -> None:
    rows = [Row(1, "loss", 0, 0.1 + 0.2, 0.5), Row(1, "psnr", 1, 1e-30, 0.5)]
    run_folder.append_metrics(folder, rows[:1])
    run_folder.append_metrics(folder, rows[1:])
    assert run_folder.read_metrics(folder) == rows
    with (folder / "metrics.csv").open("a") as file:
        file.write("2,loss,0,0.3")
    assert run_folder.read_metrics(folder) == rows


def test_a_network_that_left_its_run_has_no_metrics(folder: Path) -> None:
    (folder / "metrics.csv").unlink()
    assert run_folder.read_metrics(folder) == []


def test_broken_metrics_are_refused(folder: Path) -> None:
    for content in ("", "step\nx,y\n", "step\n1,loss,zero,1,1\n"):
        (folder / "metrics.csv").write_text(content)
        with pytest.raises(BadInput, match=r"metrics\.csv: is broken"):
            run_folder.read_metrics(folder)


def test_broken_summary_is_no_summary(folder: Path) -> None:
    run_folder.write_summary(folder, {"steps": 3})
    assert run_folder.read_summary(folder) == {"steps": 3}
    (folder / "summary.json").write_text("{")
    assert run_folder.read_summary(folder) == {}
