import json

import pytest
from plans import untraced
from tiny import tiny_recipe

from gleam import recipe as recipes
from gleam.cli import main

__all__ = ["untraced"]
SCAN = ["--shape", "24", "20", "--coils", "3"]


@pytest.fixture
def file(tmp_path, monkeypatch, untraced):
    """A recipe whose data are not there; no step of it is traced or timed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "recipe.yaml"
    recipes.save(tiny_recipe(tmp_path / "nowhere").changed(network={"cg_steps": 1}), path)
    return path


def test_a_plan_is_printed_and_its_choice_is_a_recipe(file, tmp_path, capsys):
    out = tmp_path / "chosen.yaml"
    command = ["plan", str(file), *SCAN, "--memory", "2MiB", "--hours", "1", "-o", str(out)]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["scheme"] for one in found["offers"]} >= {"as the recipe says", "end-to-end"}
    for one in found["offers"]:
        assert one["peak_bytes"] == sum(one["bytes"].values()) <= 2 * 2**20
        assert one["steps"] == round(3600 / one["seconds_per_step"])
    chosen = recipes.load(out)
    assert chosen.training.minutes == 60
    (taken,) = (one["recipe"] for one in found["offers"] if one["scheme"] == found["chosen"])
    assert chosen.model_dump(mode="json") == taken
    assert main(command) == 2  # it is there
    assert main([*command, "--force"]) == 0
    said = capsys.readouterr().out
    assert "24 × 20, 3 coils; 2 MiB, 1 h" in said
    assert f"{out}: {found['chosen']}" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([*SCAN, "--memory", "24"], "--memory is 1MiB or more, as 4GiB; not '24'"),
        ([*SCAN, "--memory", "24XB"], "as 4GiB; not '24XB'"),
        ([*SCAN, "--memory", "0GiB"], "as 4GiB; not '0GiB'"),
        ([*SCAN, "--hours", "0"], "--hours are more than 0, not 0"),
        ([*SCAN, "--hours", "nan"], "--hours are more than 0, not nan"),
        ([*SCAN, "--devices", "0"], "--devices is 1 or more, not 0"),
        (["--shape", "24", "--coils", "3"], "shape: 24 has 1 axes; give y x, or z y x"),
        (["--shape", "24", "20"], "not how many --coils"),
        (["--coils", "3"], "go with --shape"),
        ([], "data.train"),
        ([*SCAN, "--device", "cuda"], "say how much it has, with --memory"),
        ([*SCAN, "--device", "cuda:7"], "--device cuda:7: PyTorch can use no GPU"),
        ([*SCAN, "--network.regulariser.dimensions", "3"], "is one slice"),
        (
            ["--shape", "2000", "2000", "--coils", "3", "--memory", "1MiB"],
            "nothing fits into 1 MiB",
        ),
    ],
)
def test_what_cannot_be_is_said_in_a_line(file, options, said, capsys):
    assert main(["plan", str(file), *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
