"""ONNX files, where onnxruntime is installed: the images of the network in real arithmetic."""

import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from toy_runs import toy_run
from toys import toy_measurement, toy_sense

from gleam.errors import BadInput
from gleam.exporting import export
from gleam.reconstruction.exported import Exported
from gleam.runs.run import Run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "first"),
    [("modl", "zero-filled"), ("reversible", "zero-filled"), ("pgd", "wavelet")],
)
def test_the_image_is_the_networks_at_any_size(tmp_path: Path, family: str, first: str) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="pip install -e '.[onnx]'")
    run = toy_run(tmp_path / "run", family, first_image=first)
    export(run, tmp_path / "net.onnx")
    network = Run(run).network
    exported = Exported.of(tmp_path / "net.onnx")
    for space, coils in (((20, 18), 5), ((13, 22), 1)):
        measurement, _ = toy_measurement(toy_sense(space=space, coils=coils))
        with torch.no_grad():
            expected = network(measurement)
        error = (exported(measurement) - expected).abs().max()
        assert error < 1e-5 * expected.abs().max()
    import onnx

    made = onnx.load(tmp_path / "net.onnx")
    kinds = {node.op_type for node in made.graph.node}
    assert "DFT" in kinds
    types = {value.type.tensor_type.elem_type for value in made.graph.value_info}
    assert not types & {onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128}


@pytest.mark.parametrize("library", ["onnxscript", "onnxruntime"])
def test_what_it_needs_is_said(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    (tmp_path / "there.onnx").write_bytes(b"not one")
    run = toy_run(tmp_path / "run", "pgd", 1)
    use = partial(Exported.of, tmp_path / "there.onnx")
    if library == "onnxscript":
        use = partial(export, run, tmp_path / "net.onnx")
    with pytest.raises(BadInput, match=r"needs onnx.* install -e '.\[onnx\]'"):
        use()
    assert not (tmp_path / "net.onnx").exists()


def test_a_broken_file_is_said_in_a_line(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="pip install -e '.[onnx]'")
    (tmp_path / "net.onnx").write_bytes(b"not one")
    with pytest.raises(BadInput, match=r"net.onnx: is broken, or no .onnx file"):
        Exported.of(tmp_path / "net.onnx")
