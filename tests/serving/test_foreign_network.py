"""Somebody else's network: compared under four schemes, served, exported, reloaded."""

import json
import socket
import threading
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import yaml
from client import answer_on, small_stream
from tiny import example_files

from gleam.cli import main
from gleam.reconstruction.named import reconstructor
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.serving.session import answer
from gleam.serving.wire import Limits
from gleam.trust import trusting

SCHEMES = {
    "greedy": {},
    "end-to-end": {"training": {"modules": 1}},
    "checkpoint": {"training": {"modules": 1, "storage": "checkpoint"}},
    "windows": {"training": {"modules": 3, "overlap": 1}},
}


def served(method: Reconstructor) -> np.ndarray:
    """What a scanner's client gets: its images, one after the other."""
    ours, theirs = socket.socketpair()
    limits = Limits(10**7, 60.0, 120.0)
    server = threading.Thread(target=lambda: answer(ours, lambda: method, limits))
    server.start()
    with theirs:
        theirs.sendall(small_stream())
        messages = answer_on(theirs)
    server.join()
    return np.stack([message.data for message in messages if hasattr(message, "data")])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_that_is_made_of_it_makes_the_same_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="pip install -e '.[onnx]'")
    data = str(example_files(tmp_path, 2))
    recipe = {
        "data": {"train": data, "validation": data},
        "mask": {"acceleration": 1.6},
        "network": {
            "family": "python",
            "build": "mynet:build",
            "iterations": 3,
            "arguments": {"width": 4},
        },
        "training": {"modules": 3, "steps": 4, "warmup": 1, "validate_every": 2},
        "compare": {"schemes": SCHEMES, "test": {"seen": data}},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    out, trust = tmp_path / "comparison", ["--trust", "mynet"]
    words = [str(tmp_path / "recipe.yaml"), "--out", str(out), "--force", "--json", *trust]
    assert main(["compare", *words]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {*SCHEMES} <= {*found["schemes"]}
    run = out / "runs" / "greedy" / "seed-0"

    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # sizes are symbols
    files = [tmp_path / "net", tmp_path / "net.pt2", tmp_path / "net.onnx"]
    for file in files:
        assert main(["export", str(run), "--to", str(file), *trust]) == 0
    scan, images, streams = tmp_path / "scans" / "scan-0.h5", [], []
    trusted = ["mynet", str(files[1])]
    options = [word for one in trusted for word in ("--trust", one)]
    for method in (run, *files):
        image = tmp_path / "image.npy"
        words = [str(method), str(scan), "-o", str(image), "--force", "--acceleration", "1.6"]
        assert main(["reconstruct", *words, *options]) == 0
        images.append(np.load(image))
        with trusting(trusted):
            streams.append(served(reconstructor(str(method))))
    for expected, *others in (images, streams):
        largest = np.abs(expected).max()
        errors = [float(np.abs(other - expected).max() / largest) for other in others]
        print("folder, .pt2, .onnx:", errors)
        assert max(errors) < 1e-5
