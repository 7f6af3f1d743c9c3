"""The study on a GPU: all of it, tiny, on the CPU; stopped and gone on with; what it writes."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu_study
from benchmarks.gpu_study import KINDS, SCHEMES, STAGES, Study, at_most, main
from benchmarks.gpu_study_results import figures, inserted, section
from gleam.comparison.plan import Plan


@pytest.mark.slow
def test_all_of_it_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ["--small", "--device", "cpu", "--out", str(tmp_path)]
    assert main(said) == 0
    found = json.loads((tmp_path / "gpu_study.json").read_text())
    assert found["device"].startswith("the CPU")
    for kind in ("2d", "3d", "cine"):
        figure = found[f"gpu_study.greedy_minus_end_to_end_equal_memory_{kind}_db"]
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert found["gpu_study.greedy_minus_checkpoint_equal_memory_2d_db"]["seeds"] == 2
    written = (tmp_path / "study.md").read_text()

    def fail(*_: object, **__: object) -> None:
        pytest.fail("was done before")

    monkeypatch.setattr(gpu_study, "compare", fail)
    assert main(said) == 0
    assert (tmp_path / "study.md").read_text() == written


def made_up(kind: str, tmp_path: Path) -> Study:
    """A study that has its data, and compares nothing."""
    for name in KINDS[kind].scans:
        (tmp_path / kind / name).mkdir(parents=True)
    return Study(tmp_path, "cpu", KINDS, STAGES, tmp_path / "gpu_study.json", tmp_path / "study.md")


def test_2d_sees_sixteen_times_the_samples_of_the_shorter_study(tmp_path: Path) -> None:
    plan = made_up("2d", tmp_path)._plan("2d", ("greedy", "narrow"), 3)
    assert plan.base.training.steps * plan.base.data.batch == 16 * 1000
    assert plan.compare.seeds == 3
    assert [*plan.recipes] == ["greedy", "narrow"]
    assert plan.recipes["narrow"].training.modules == 1


def test_minutes_become_steps_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def measure(plan: Plan, *_: object) -> dict[str, Any]:
        measured.append([*plan.recipes])
        return {"greedy": type("Entry", (), {"seconds": 0.5})}

    monkeypatch.setattr(gpu_study, "measure", measure)
    study = made_up("cine", tmp_path)
    for _ in range(2):
        assert study._plan("cine", ("greedy", "shallow"), 1).base.training.steps == 15 * 60 * 2
    assert measured == [["greedy"]]


def test_time_that_is_up_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wait = threading.Event().wait
    monkeypatch.setattr(Study, "run", lambda _: wait(60))
    assert main(["--minutes", "0.0005", "--out", str(tmp_path)]) == 0
    assert "the same command goes on" in capsys.readouterr().out
    over = threading.Event()
    with at_most(60, over):
        pass
    assert not over.is_set()


def compared(**gaps: float) -> dict[str, Any]:
    """A summary in which these schemes are so far above the greedy one."""
    score = {"mean": 30.0, "low": 29.0, "high": 31.0}
    scores: dict[str, Any] = {"greedy": {"psnr_complex": score, "ssim": score}}
    for name, gap in gaps.items():
        between = {"mean": gap, "low": gap - 0.5, "high": gap + 0.25}
        scores[name.replace("_", "-")] = {
            "psnr_complex": score, "ssim": score, "minus_against": {"psnr_complex": between}
        }  # fmt: skip
    costs = {
        "memory_bytes": 2**20, "time_per_step_ratio": 1.0, "steps": 4, "learning_rate": 0.1,
        "seeds": 3,
    }  # fmt: skip
    return {"schemes": dict.fromkeys(scores, costs), "scores": {"simulated": scores}}


def test_greedy_is_compared_with_the_best_that_fits() -> None:
    found = {"2d": compared(shallow=-1.0, narrow=-2.0), "3d": compared(narrow=1.0)}
    made = figures(found, "a card")
    assert [*made] == ["gpu_study.greedy_minus_end_to_end_equal_memory_2d_db"]
    (figure,) = made.values()
    assert (figure["value"], figure["low"], figure["high"]) == (1.0, 0.75, 1.5)
    assert (figure["device"], figure["seeds"]) == ("a card", 3)


def test_the_section_takes_the_place_of_the_one_there_is() -> None:
    page = "# A study\n\nAbout.\n\n## On a GPU, and longer\n\nOld.\n\n## Last\n\nEnd.\n"
    text = section({"2d": compared(**{name.replace("-", "_"): 0.5 for name in SCHEMES})}, "a card")
    once = inserted(page, text)
    assert "Old." not in once
    assert once.startswith("# A study\n\nAbout.\n\n## On a GPU, and longer\n\n")
    assert once.endswith("\n\n## Last\n\nEnd.\n")
    assert "-0.50 [-0.75, +0.00]" in once
    assert inserted(once, text) == once
    assert inserted(inserted("# A study\n", text), text) == f"# A study\n\n{text}"
