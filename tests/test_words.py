import re
import tomllib
from pathlib import Path

import pytest

from gleam.words import counted, nearest, not_installed

SOURCE = Path(__file__).parents[1]
KNOWN = ["--training.learning-rate", "--training.steps", "--training.loss", "--network.cg-steps"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("--training.learning_rat", "--training.learning-rate"),
        ("--traning.steps", "--training.steps"),
        ("--steps", "--training.steps"),
        ("--training.learn", "--training.learning-rate"),
        ("--training.epochs", None),
        ("--training.dropout", None),
        ("--training.optimizer", None),
        ("--lr", None),
    ],
)
def test_only_what_is_near_is_proposed(said: str, meant: str | None) -> None:
    hint = f"did you mean {meant}?" if meant else "see the help"
    assert nearest(said, KNOWN, "see the help") == hint


def test_all_that_is_known_is_named_by_default() -> None:
    assert nearest("x", ["steps", "loss"]) == "known are steps, loss"
    assert nearest("Train", ["simulate", "train"]) == "did you mean train?"


def test_install_hints_name_extras_that_there_are() -> None:
    assert not_installed("nibabel", "nifti").endswith("pip install -e '.[nifti]'")
    extras = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    used = set()
    for path in (SOURCE / "src").rglob("*.py"):
        text = path.read_text()
        assert "pip install 'gleam-mri" not in text
        used |= set(re.findall(r"""not_installed\([^)]*["'](\w+)["']\)""", text))
    used |= {"wandb", "mlflow"}  # loggers, each an extra of its own name
    assert used == extras["optional-dependencies"].keys() - {"dev", "docs"}


def test_numbers_of_things_are_said() -> None:
    said = [counted(number, "scan") for number in (0, 1, 2)]
    assert said == ["0 scans", "1 scan", "2 scans"]
