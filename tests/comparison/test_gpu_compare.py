"""A comparison on a device, from costs to scores, trained in processes that share it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gleam.comparison.compare import compare
from gleam.comparison.plan import Plan
from gleam.report.comparison_tables import summary

pytestmark = pytest.mark.cuda

SCHEMES = {
    "greedy": {},
    "checkpoint": {"training": {"modules": 1, "storage": "checkpoint"}, "budget": "time"},
    "narrow": {"training": {"modules": 1}, "fit": "width"},
}


@pytest.mark.parametrize("workers", [1, 2])
def test_end_to_end(
    workers: int, planned: Callable[..., Plan], tmp_path: Path, device: torch.device
) -> None:
    comparison = compare(planned(SCHEMES), tmp_path, workers, device=str(device))
    costs = json.loads((tmp_path / "costs.json").read_text())
    assert costs.keys() == SCHEMES.keys()
    for name, cost in costs.items():
        if cost["found"] is None:
            assert name == "narrow"  # where not even one feature fits
            continue
        assert sum(cost["found"]["cost"].values()) > 0
        assert cost["found"]["seconds"] > 0
    on_gpu = device.type == "cuda"
    environments = [*tmp_path.glob("runs/*/*/environment.json")]
    assert len(environments) >= 2
    for told in environments:
        where = json.loads(told.read_text())["device"]
        assert where == (torch.cuda.get_device_name(device) if on_gpu else "cpu")
    assert not [result.failed for result in comparison.results if result.failed]
    (scores,) = summary(comparison)["scores"].values()
    assert {"greedy", "checkpoint"} <= scores.keys()
    for score in scores.values():
        assert 0 < score["psnr_complex"]["mean"] < 100
