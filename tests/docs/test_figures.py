"""Figures in prose are those that benchmarks wrote down."""

import json
from pathlib import Path

import pytest

from benchmarks import step_memory

ROOT = Path(__file__).parents[2]
LATEST = json.loads((ROOT / "benchmarks" / "results" / "latest.json").read_text("utf-8"))
PAPER = {
    "memory.batch4.greedy8_over_end_to_end": "8 greedy modules allocates {:.2f} times",
    "memory.batch4.checkpoint_over_end_to_end": "checkpointing {:.2f} times. From",
    "memory.depth.batch4.greedy.32": "greedy step stays at {:.1f} MiB",
    "memory.depth.batch4.end_to_end.2": "end-to-end grows from {:.0f} to",
    "memory.depth.batch4.end_to_end.32": "to {:.0f} MiB",
    "time.batch4.greedy8_over_end_to_end": "That greedy step takes {:.2f} times",
    "time.batch4.checkpoint_over_end_to_end": "checkpointing {:.2f} times (",
    "adapters.fastmri_varnet.memory_over_end_to_end": "trains in {:.2f} times the memory",
    "adapters.fastmri_varnet.time_over_end_to_end": "and {:.2f} times the time (",
    "parallel.speedup_2_processes": "make {:.2f} times as many steps per second",
    "quality.greedy_minus_checkpoint_equal_memory_equal_time_db": "{:.1f} dB above checkpointing",
    "quality.greedy_minus_end_to_end_equal_memory_equal_time_2d_db": "but {:.2f} dB *below*",
    "quality.pgd_greedy8_minus_end_to_end_db": "Proximal gradient loses {:.2f} dB",
    "cs.default_minus_bart_db_mean": "+{:.1f} dB on average",
    "cs.default_minus_bart_db_worst": "and −{:.1f} dB at worst",
    "cs.default_time_over_bart": "in {:.2f} times the time (`benchmarks.compressed",
}
OTHERS = {
    "cs.default_minus_bart_db_mean": "+{:.1f} dB on average",
    "cs.default_minus_bart_db_worst": "(−{:.1f} at worst)",
    "cs.default_time_over_bart": "in {:.2f} × the time",
    "cs.temporal_tv_default_minus_bart_db_worst": "−{:.1f} dB at worst in",
    "cs.temporal_tv_default_time_over_bart": "at worst in {:.2f} × the time",
    "time.sigpy_espirit_over_ours": "| {:.1f} times as fast | `python -m benchmarks.espirit`",
    "time.sigpy_normal_over_ours": "| {:.1f} times as fast | `python -m benchmarks.sense`",
    "adapters.fastmri_varnet.memory_over_end_to_end": "{:.2f} × the memory (0.40 with",
    "adapters.fastmri_varnet.checkpoint_memory_over_end_to_end": "({:.2f} with checkpointing)",
    "adapters.fastmri_varnet.time_over_end_to_end": "{:.2f} × the time (1.15)",
    "adapters.fastmri_varnet.checkpoint_time_over_end_to_end": "× the time ({:.2f})",
    "adapters.monai_varnet_3d.memory_over_end_to_end": "{:.2f} × the memory (0.46)",
    "adapters.monai_varnet_3d.checkpoint_memory_over_end_to_end": "× the memory ({:.2f})",
    "adapters.monai_varnet_3d.time_over_end_to_end": "{:.2f} × the time (1.08)",
    "adapters.monai_varnet_3d.checkpoint_time_over_end_to_end": "× the time ({:.2f})",
}


@pytest.mark.parametrize(
    ("page", "figures"),
    [("paper/paper.md", PAPER), ("docs/others.md", OTHERS)],
    ids=["paper", "others"],
)
def test_prose_says_what_was_measured(page: str, figures: dict[str, str]) -> None:
    text = " ".join((ROOT / page).read_text("utf-8").split())
    for name, words in figures.items():
        assert words.format(abs(LATEST[name]["value"])) in text, name


def test_the_moving_figure_is_drawn_from_what_was_measured() -> None:
    """And agrees with the benchmark of depth, which looks at the same step another time."""
    results = json.loads(step_memory.RESULTS.read_text("utf-8"))
    assert step_memory.PICTURE.read_text("utf-8") == step_memory.drawn(results)
    for name, other in {"end_to_end": "end_to_end", "greedy8": "greedy"}.items():
        peak = LATEST[f"memory.depth.{other}.8"]["value"]
        assert max(results["curves"][name]) == pytest.approx(peak, rel=0.01)


def test_a_step_is_followed_allocation_by_allocation() -> None:
    import torch

    def step() -> None:
        first = torch.ones(2**20)  # 4 MiB
        second = torch.ones(2**19)
        del first, second

    curve = step_memory.held(step)
    assert len(curve) == step_memory.POINTS
    assert max(curve) == pytest.approx(6, abs=0.1)
    assert curve[0] == pytest.approx(4, abs=2.1)
