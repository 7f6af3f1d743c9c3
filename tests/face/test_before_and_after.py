"""What fits, said before a training; how good it is, said after; and what stops one."""

import json

import pytest
from plans import untraced

import gleam
from gleam.face import evaluations

__all__ = ["untraced"]


def test_an_evaluation_is_what_the_verb_writes(there, tmp_path):
    found = gleam.evaluate("runs/greedy", "examples", tmp_path / "new", force=True)
    written = json.loads((tmp_path / "new/summary.json").read_text())
    assert (tmp_path / "new/report.html").exists()
    assert found.methods == ["zero-filled", "CG-SENSE", "wavelets", "greedy"]
    mean = found.means.means["greedy"]["psnr_complex"].mean
    assert mean == pytest.approx(written["per_scan"]["means"]["greedy"]["psnr_complex"]["mean"])
    assert f"greedy {mean:.1f} dB>" in repr(found)
    assert {(score.scan, score.method) for score in found.scans} == {
        (scan, method) for scan in ("scan-0", "scan-1") for method in found.methods
    }
    with pytest.raises(gleam.BadInput, match="is there already; replace it with force=True"):
        gleam.evaluate("runs/greedy", "examples", tmp_path / "new")


def test_messages_name_the_arguments_of_python(there):
    with pytest.raises(gleam.BadInput, match="is a run; give the results another folder with to=…"):
        gleam.evaluate((), "examples", "runs/greedy", force=True)


def test_runs_of_different_masks_ask_for_one(there, monkeypatch):
    class Recipe:
        def __init__(self, run):
            self.mask = gleam.mask(acceleration=len(run.name))

    monkeypatch.setattr(evaluations, "load_recipe", Recipe)
    wrong = pytest.raises(gleam.BadInput, match=r"different masks; give mask=gleam.mask\(…\)")
    for verb in (gleam.evaluate, gleam.write_report):
        with wrong:
            verb(["two", "three"], data="examples", to="new")


def test_runs_are_trusted_as_they_were_opened(there):
    trusted = gleam.open_run("runs/greedy", trust=["mynet"])
    assert evaluations.trust_of([trusted, "runs/greedy", trusted]) == ("mynet",)
    assert evaluations.trust_of("runs/greedy") == ()


def test_a_plan_is_said_in_a_line_and_in_a_table(untraced):
    network = {"family": "pgd", "iterations": 2, "regulariser": {"width": 8}}
    recipe = {"network": network, "training": {"modules": 1}}
    size = {"shape": (32, 32), "coils": 4, "device": "cpu"}
    found = gleam.plan(recipe, memory=2**30, training={"modules": 2}, **size)
    assert len(repr(found)) < 200
    assert "1 GiB" in repr(found)
    assert [line.split("  ")[0] for line in str(found).splitlines()][2] == "scheme"
    assert found.offers[0].recipe.module_sizes() == [1, 1]
    for wrong, message in (
        ({"memory": "lots"}, "plan: memory=… is 1MiB or more"),
        ({"devices": 0}, "plan: devices=… is 1 or more, not 0"),
        ({"hours": 0.0}, "plan: hours=… are more than 0"),
    ):
        with pytest.raises(gleam.BadInput, match=message):
            gleam.plan(recipe, **size | wrong)


def test_training_takes_a_device(there, tmp_path):
    with pytest.raises(gleam.BadInput, match="no GPU here"):
        gleam.train("recipe.yaml", tmp_path / "run", quiet=True, device="cuda:7")
