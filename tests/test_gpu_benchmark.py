"""The benchmark of a GPU runs to its end on a CPU, with tiny sizes: all but the device is tried."""

import json
import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from benchmarks import gpu
from benchmarks.gpu_cases import CASES, WIDTHS
from benchmarks.gpu_feeding import RandomExample
from gleam.data.example import ExampleFile, write


def figures(tmp_path, *arguments):
    out = tmp_path / "gpu.json"
    gpu.main(["--device", "cpu", "--small", "--out", str(out), *arguments])
    content = json.loads(out.read_text())
    assert content["device"].startswith("the CPU")
    assert content["torch"] == torch.__version__
    assert all(one["hardware"] == content["device"] for one in content["figures"].values())
    return {name: one["value"] for name, one in content["figures"].items()}


def test_time_memory_and_who_wins_where(tmp_path, capsys):
    found = figures(tmp_path, "--only", "pgd_paper", "width_2d_32", "median")
    for case in ("pgd_paper", "width_2d_32"):
        for scheme in ("end_to_end", "checkpoint", "greedy"):
            assert found[f"gpu.{case}.{scheme}.eager_ms"] > 0
            assert found[f"gpu.{case}.{scheme}.eager_mib"] > 0
        memory = [found[f"gpu.{case}.{s}.eager_mib"] for s in ("greedy", "end_to_end")]
        assert memory[0] < memory[1]
        assert found[f"gpu.{case}.checkpoint_over_greedy"] > 0
    assert found["gpu.width_2d_32.offload.eager_ms"] > 0
    assert found["gpu.median.checkpoint_over_greedy"] > 0
    assert "| pgd_paper |" in capsys.readouterr().out


def test_how_busy_loader_included(tmp_path):
    found = figures(tmp_path, "--only", "modl.busy")
    assert set(found) == {"gpu.modl.busy"}
    assert found["gpu.modl.busy"] > 0


@pytest.mark.slow  # it starts three interpreters
def test_start_up(tmp_path):
    assert figures(tmp_path, "--only", "start-up")["gpu.start_up_s"] > 0


def test_what_takes_too_long_is_left_out(tmp_path, capsys):
    assert not figures(tmp_path, "--only", "modl", "--minutes", "0")
    assert "modl: left out" in capsys.readouterr().out


@pytest.fixture
def deepinv(monkeypatch):
    """A stand-in with its names: any network of (y, physics) that has weights."""

    class Network(nn.Module):
        def __init__(self, prior, **_):
            super().__init__()
            self.blocks = nn.ModuleList(one.denoiser for one in prior)

        def forward(self, y, physics):
            image = physics.maps.conj() * torch.view_as_complex(y.movedim(1, -1).contiguous())
            x = torch.view_as_real(image.sum(1)).movedim(-1, 1)
            for block in self.blocks:
                x = block(x, 0.1)
            return x

    class Physics:
        def __init__(self, coil_maps, **_):
            self.maps = coil_maps

    class PnP:
        def __init__(self, denoiser):
            self.denoiser = denoiser

    module = ModuleType("deepinv")
    module.physics = ModuleType("physics")
    module.physics.MultiCoilMRI = Physics
    module.optim = ModuleType("optim")
    for name, value in {"HQS": Network, "PGD": Network, "L2": object, "PnP": PnP}.items():
        setattr(module.optim, name, value)
    monkeypatch.setitem(sys.modules, "deepinv", module)


@pytest.mark.usefixtures("deepinv")
def test_beside_peers(tmp_path, capsys):
    found = figures(tmp_path, "--only", "pgd_paper.peers", "--peers", str(tmp_path))
    assert set(found) == {
        "gpu.pgd_paper.deepinv.eager_ms",
        "gpu.pgd_paper.step_over_best_peer",
        "gpu.pgd_paper.step_over_best_peer_bf16",
    }
    assert "official: cannot be used (no ss_recon in" in capsys.readouterr().out


@pytest.mark.parametrize("case", [*CASES, *WIDTHS])
def test_the_cases_are_recipes_and_examples(case, tmp_path):
    case = (CASES | WIDTHS)[case]
    for scheme in gpu.SCHEMES:
        gpu.recipe_of(case, scheme, "auto")
    example = RandomExample(case.small())
    write(example, tmp_path / "one.h5")
    assert ExampleFile(tmp_path / "one.h5").shape == example.shape
