"""The wheel that users install works in an environment of its own, and has types."""

import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """import gleam
import torch

scan = gleam.simulate((32, 32), coils=4)
image: gleam.Image = gleam.reconstruct(gleam.prepare(scan), "cg-sense")
print(image)
"""


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_runs_the_demo_in_an_empty_environment(tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    shelf = ROOT / "src" / "gleam" / "shipped"
    shipped = {str(path.relative_to(ROOT / "src")) for path in shelf.glob("*/*")}
    assert shipped <= {*ZipFile(wheel).namelist()}
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "-c", constraints, f"{wheel}[report]", cwd=tmp_path)
    assert "report" in run(tmp_path / "empty" / "bin" / "gleam", "demo", cwd=tmp_path)
    assert list(tmp_path.glob("demo/**/report.html"))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    assert run(python, program, cwd=tmp_path)
    checked = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, program]
    run(*checked, cwd=tmp_path)
