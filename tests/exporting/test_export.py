import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import prepared, tiny_scan
from toy_runs import SCANS, toy_run
from toys import toy_measurement, toy_sense

from gleam.cli import main
from gleam.errors import BadInput
from gleam.exporting import export
from gleam.formats import write_scan
from gleam.reconstruction.exported import Exported, _padded
from gleam.runs.folder import read_trained_on
from gleam.runs.run import Run
from gleam.trust import trusting


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, what it was exported to, and a scan."""
    folder = tmp_path_factory.mktemp("exported")
    toy_run(folder / "run", cg_steps=1)  # few operations are traced sooner
    export(folder / "run", folder / "net")
    export(folder / "run", folder / "net.pt2")
    write_scan(tiny_scan(slices=1, name="scan"), folder / "scan.h5")
    return folder


@pytest.fixture(scope="module")
def exported(place: Path) -> Exported:
    with trusting([str(place / "net.pt2")]):
        return Exported.of(place / "net.pt2")


def reconstructed(place: Path, network: str, *more: str) -> np.ndarray:
    out = place / f"{network}.npy"
    words = [str(place / network), str(place / "scan.h5"), "-o", str(out), "--force"]
    assert main(["reconstruct", *words, "--acceleration", "1.6", *more]) == 0
    image: np.ndarray = np.load(out)
    return image


def test_a_folder_is_a_run_without_names_and_paths(place: Path) -> None:
    recipe, network = Run(place / "net").recipe, Run(place / "net").network
    before = Run(place / "run").network
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, before.state_dict()[name])
    assert {path.name for path in (place / "net").iterdir()} == {
        "recipe.yaml", "model.safetensors", "trained_on.json", "README.md",
    }  # fmt: skip
    text = "".join(p.read_text() for p in (place / "net").iterdir() if p.suffix != ".safetensors")
    for secret in [*SCANS.values(), str(place), "secret"]:
        assert secret not in text
    assert read_trained_on(place / "net").training.keys() == SCANS.keys()
    assert recipe.module_sizes() == [1, 1]
    assert load_file(place / "net" / "model.safetensors").keys() == before.state_dict().keys()


def test_its_card_says_what_it_is_for(place: Path) -> None:
    card = (place / "net" / "README.md").read_text()
    for said in (
        "Not for diagnosis", "MoDL, greedy, 2 modules", "2 scans: 2D slices", "equispaced",
        "1.6×", "solve against the measured data", "Limits", "not measured",
    ):  # fmt: skip
        assert said in card


def test_all_make_the_same_image(place: Path) -> None:
    expected = reconstructed(place, "run")
    assert np.array_equal(reconstructed(place, "net"), expected)
    found = reconstructed(place, "net.pt2", "--trust", str(place / "net.pt2"))
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_its_first_image_is_made_before_the_program(place: Path) -> None:
    run = toy_run(place / "wavelets first", "pgd", 1, first_image="wavelet")
    export(run, place / "first.pt2")
    with trusting([str(place / "first.pt2")]):
        exported = Exported.of(place / "first.pt2")
    assert exported.facts.first_image == "wavelet"
    network = Run(run).network
    for coils, batch in ((1, 1), (4, 3)):
        measurement, _ = toy_measurement(toy_sense(batch=batch, coils=coils))
        with torch.no_grad():
            expected = network(measurement)
        error = (exported(measurement) - expected).abs().max()
        assert error < 1e-5 * expected.abs().max()


def test_a_pt2_file_is_not_loaded_without_trust(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(torch.export, "load", never)
    file = str(place / "net.pt2")
    for trust in ([], ["--trust", "mynet"], ["--trust", str(place / "other.pt2")]):
        scan = [str(place / "scan.h5"), "-o", str(place / "no.npy")]
        assert main(["reconstruct", file, *scan, *trust]) == 2
        assert f"say --trust {file}" in capsys.readouterr().err
        assert main(["serve", file, "--port", "0", *trust]) == 2
        assert f"say --trust {file}" in capsys.readouterr().err
    assert not (place / "no.npy").exists()


def test_a_pt2_file_takes_one_coil_and_several_slices(place: Path, exported: Exported) -> None:
    network = Run(place / "run").network
    for coils, batch in ((1, 2), (4, 3)):
        measurement, _ = toy_measurement(toy_sense(batch=batch, coils=coils))
        if coils > 1:
            measurement = replace(measurement, noise=None)
        with torch.no_grad():
            expected = network(measurement)
        error = (exported(measurement) - expected).abs().max()
        assert error < 1e-5 * expected.abs().max()


def test_one_coil_gets_a_second_that_sees_nothing() -> None:
    """Programs may take a size of 1 for one that never changes."""
    measurement, _ = toy_measurement(toy_sense(coils=1))
    given = {"maps": measurement.sense.maps, "mask": measurement.mask, "kspace": torch.ones(2, 1)}
    padded = _padded(given)
    assert padded["maps"].shape[2] == 2
    assert torch.equal(padded["maps"][:, :, :1], given["maps"])
    assert not padded["maps"][:, :, 1].any()
    assert torch.equal(padded["kspace"], torch.tensor([[1.0, 0.0]] * 2))
    assert padded["mask"] is given["mask"]
    assert _padded(padded) is padded


def test_other_axes_are_refused_by_name(exported: Exported) -> None:
    measurement, _ = toy_measurement(toy_sense(axes=(-2,)))
    with pytest.raises(BadInput, match=r"along x, this scan needs y; .* --axes 'y'"):
        exported(measurement)


@pytest.mark.parametrize(
    ("fields", "to", "more", "said"),
    [
        ({"cg_tolerance": 1e-3}, "n.pt2", {}, "network.cg_tolerance"),
        ({"cg_tolerance": 1e-3}, "n.onnx", {}, "network.cg_tolerance"),
        ({}, "n.pth", {}, "no folder, and no .pt2 or .onnx file"),
        ({}, "n", {"axes": "x"}, "--axes is for .pt2 and .onnx files"),
        ({}, "n.pt2", {"axes": "z"}, "--axes is some of y, x"),
        ({}, "n.pt2", {"axes": "x x"}, "--axes is some of y, x"),
        ({}, "n.pt2", {"axes": ""}, "--axes is some of y, x"),
        ({}, "run", {}, "is there already"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_line(
    tmp_path: Path, fields: dict, to: str, more: dict, said: str
) -> None:
    toy_run(tmp_path / "run", **fields)
    with pytest.raises(BadInput, match=said) as caught:
        export(tmp_path / "run", tmp_path / to, **more)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 broken"])
def test_broken_files_are_said_in_a_line(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "net.pt2"
    broken.write_bytes(content)
    with trusting([str(broken)]), pytest.raises(BadInput, match=r"net.pt2: (is broken|cannot be)"):
        Exported.of(broken)
    with pytest.raises(BadInput, match="does not exist; make one with `gleam export`"):
        Exported.of(tmp_path / "none.pt2")


def test_other_map_sets_are_refused_as_by_the_run(exported: Exported) -> None:
    assert exported.check(prepared(tiny_scan())) is not None
    with pytest.raises(BadInput, match=r"takes 1 map set, but .* was prepared with 2; prepare"):
        exported.check(prepared(tiny_scan(), sets=2))


def test_other_kinds_of_scans_are_refused_as_by_the_run(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scan(tiny_scan((16, 18, 17), 1, name="volume"), place / "volume.cfl")
    words = [str(place / "net"), str(place / "volume.cfl"), "-o", str(place / "volume.npy")]
    assert main(["reconstruct", *words, "--axes", "coil z y x"]) == 2
    assert "was trained on 2D slices, but" in capsys.readouterr().err


def test_the_verb_says_whether_data_consistency_is_in_it(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(place / "run"), "--to", str(tmp_path / "net")]) == 0
    assert "final data consistency is in it" in capsys.readouterr().out
    run = toy_run(tmp_path / "pgd", "pgd")
    assert main(["export", str(run), "--to", str(tmp_path / "other"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["consistent"] is False
    assert "its regulariser" in (tmp_path / "other" / "README.md").read_text()


def test_a_program_cannot_stop_early(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(place / "net.pt2"), str(place / "scan.h5"), "-o", str(place / "x.npy")]
    assert main(["reconstruct", *words, "--iterations", "1"]) == 2
    assert "is one program, which does not stop early" in capsys.readouterr().err
