import re
from pathlib import Path

import pytest
import torch
from torch import nn

ROOT = Path(__file__).parents[2]


def programs(page):
    """What a page shows in Python, one block after the other."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)


def readers_own():
    """What the pages leave to their reader: a network, its data and a loss."""
    net = nn.Module()
    net.cascades = nn.ModuleList(nn.Conv2d(2, 2, 3, padding=1) for _ in range(8))
    batch = torch.randn(1, 2, 8, 8), None, torch.randn(1, 2, 8, 8)
    return {"net": net, "loader": [batch], "loss": nn.functional.l1_loss}


@pytest.mark.filterwarnings("ignore")  # Lightning's own
@pytest.mark.parametrize("page", ["docs/python.md", "README.md"])
def test_what_a_page_shows_runs(page, workplace, tmp_path, monkeypatch):
    """From top to bottom, in one interpreter, beside a scan."""
    shown, known = programs(ROOT / page), readers_own()
    assert shown
    (tmp_path / "scan.h5").symlink_to(workplace / "scan.h5")
    monkeypatch.chdir(tmp_path)
    for number, program in enumerate(shown, 1):
        exec(compile(program, f"{page}, program {number}", "exec"), known)
