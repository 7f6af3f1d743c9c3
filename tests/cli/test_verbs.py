import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import yaml
from PIL import Image
from pydantic import BaseModel
from tiny import coil_images, largest_error, prepared, tiny_recipe, undersampled

import gleam
from gleam import recipe as recipes
from gleam.cli import VERBS, main, train
from gleam.cli.arguments import parse
from gleam.formats import cfl, read_scan, write_scan
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder
from gleam.runs.learner import Learner
from gleam.runs.run import Run
from gleam.simulation import simulate_scan


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans, examples and a run, each made by its verb."""
    here = tmp_path_factory.mktemp("made")
    size = ["--scans", "2", "--slices", "2", "--shape", "24", "20", "--coils", "3", "3"]
    assert main(["simulate", str(here / "scans"), *size]) == 0
    assert main(["prepare", str(here / "scans"), str(here / "examples")]) == 0
    recipes.save(tiny_recipe(here / "examples", steps=2), here / "recipe.yaml")
    assert main(["train", str(here / "recipe.yaml"), "--out", str(here / "run")]) == 0
    return here


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """What a verb prints with --json; nothing else is on stdout."""
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("verb", VERBS)
def test_help_explains_the_verb_with_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert not ended.value.code
    out, err = capsys.readouterr()
    assert f"Example: gleam {verb}" in out
    assert err == ""


def test_usage_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        assert main(arguments) == 0
        out = capsys.readouterr().out
        assert all(f"  {verb} " in out for verb in VERBS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{gleam.__version__}\n"


def test_python_m_gleam_is_gleam() -> None:
    for arguments, code in ((["--version"], 0), (["no-verb"], 2)):
        done = subprocess.run(
            [sys.executable, "-m", "gleam", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == code
        assert (done.stdout == f"{gleam.__version__}\n") == (code == 0)
        assert done.stderr.startswith("gleam: no-verb: no such verb") == (code == 2)


@pytest.mark.parametrize(
    ("size", "shape", "mask"),
    [
        (
            ["--shape", "16", "20", "18"],
            (1, 3, 1, 16, 20, 18),
            ["poisson", "--mask.shutter", "--network.regulariser.dimensions", "3"],
        ),
        (["--shape", "20", "18", "--frames", "6"], (1, 3, 6, 20, 18), ["kt-vista"]),
        (
            ["--from", "volume.npy", "--axes", "z y x"],
            (1, 3, 1, 16, 20, 18),
            ["poisson", "--data.slab", "8"],
        ),
        (["--from", "volume.npy", "--axes", "frame y x"], (1, 3, 16, 20, 18), ["kt-random"]),
        (["--from", "volume.npy", "--axes", "slice y x"], (16, 3, 1, 40, 18), ["random"]),
    ],
    ids=["volume", "series", "of a volume", "of a series", "of slices"],
)
def test_volumes_and_series_go_all_the_way(
    size: list[str],
    shape: tuple[int, ...],
    mask: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    y, x = np.ogrid[:20, :18]
    disc = np.hypot(y - 9, x - 8) < 7
    np.save("volume.npy", np.stack([disc * (1 + x % (3 + i)) for i in range(16)]))
    files = said(capsys, "simulate", "scans", "--scans", 1, "--coils", 3, 3, *size)
    assert read_scan(Path(files[0])).kspace.shape == shape
    prepared = said(capsys, "prepare", "scans", "examples", "--calibration", 4)
    assert [outcome["status"] for outcome in prepared] == ["prepared"]
    recipes.save(tiny_recipe(tmp_path / "examples", steps=1), tmp_path / "recipe.yaml")
    options = ["--mask.acceleration", 2, "--mask.kind", *mask]
    said(capsys, "train", "recipe.yaml", "--out", "run", *options)
    found = said(capsys, "evaluate", "run", "--data", "examples", "--out", "report", "--force")
    assert found


def test_simulate_says_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--scans", 2, "--slices", 1, "--shape", 16, 16, "--coils", 2, 2]
    files = said(capsys, "simulate", tmp_path, *size, "--format", "cfl")
    assert [Path(file).name for file in files] == ["scan-0000.cfl", "scan-0001.cfl"]
    assert all(read_scan(Path(file)).space == (16, 16) for file in files)


def test_prepare_says_what_became_of_each_scan(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.h5").touch()
    outcomes = said(capsys, "prepare", made / "scans", tmp_path / "broken.h5", tmp_path / "out")
    assert [outcome["status"] for outcome in outcomes] == ["prepared", "prepared", "skipped"]
    assert outcomes[2]["source"] == str(tmp_path / "broken.h5")
    assert outcomes[2]["reason"].startswith("not readable as HDF5")
    assert main(["prepare", str(made / "scans"), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"0 prepared, 2 kept, 0 skipped in {tmp_path / 'out'}\n"


def test_a_dry_run_says_what_the_recipe_is_and_what_is_not_there(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", made / "recipe.yaml", "--data.validation", "no/examples", "--dry-run"]
    assert main([*map(str, command)]) == 0
    fits, missing = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"fits, tried on tiny 2D slices: modl, 3 iterations in modules of 2, 1, \d+ parameters",
        fits,
    )
    assert missing == "not there yet: data.validation (no/examples)"
    assert said(capsys, *command)["missing"] == {"data.validation": "no/examples"}


def test_train_says_its_summary_and_resumes(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    summary = said(capsys, "train", made / "recipe.yaml", "--out", out, "--training.steps", 3)
    assert (summary["steps"], summary["modules"]) == (3, [2, 1])
    assert yaml.safe_load((out / "recipe.yaml").read_text())["training"]["steps"] == 3
    assert said(capsys, "train", "--resume", out) == summary
    assert main(["train", "--resume", str(out)]) == 0
    assert re.fullmatch(
        r".*run: 3 steps, validation PSNR [\d.]+ dB\n"
        r"on the CPU, 1 thread, in fp32: [\d.]+ ms per step, [\d.]+ slices per second, "
        r"\d+ % of the time waiting for data, \d+ MiB at most\n",
        capsys.readouterr().out,
    )


def test_evaluate_says_its_summary(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["evaluate", made / "run", "--data", made / "examples", "--out", tmp_path / "report"]
    what.append("--force")  # the run was trained on these
    summary = said(capsys, *what)
    assert summary == json.loads((tmp_path / "report" / "summary.json").read_text())
    for method in ("zero-filled", "CG-SENSE", "run"):
        assert method in json.dumps(summary)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    for of_this_machine in (made, tmp_path, Path(gleam.__file__).parent):
        assert str(of_this_machine) not in re.sub("base64,[^\"')]*", "", page)
    assert main([*map(str, what), "--force"]) == 0
    assert "CG-SENSE" in capsys.readouterr().out


def test_evaluate_without_a_run_scores_the_baselines(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["evaluate", "--data", made / "examples", "--out", tmp_path / "report"]
    summary = said(capsys, *what, "--mask.acceleration", 2)
    assert list(summary["per_scan"]["means"]) == ["zero-filled", "CG-SENSE", "wavelets"]
    assert "equispaced mask, 2×" in (tmp_path / "report" / "report.html").read_text()


def test_help_of_evaluate_states_the_mask_that_it_uses(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for runs, acceleration in (([], 4.0), ([str(made / "run")], 1.6)):
        with pytest.raises(SystemExit):
            main(["evaluate", *runs, "--help"])
        said = " ".join(capsys.readouterr().out.split())
        assert f"(default: {acceleration})" in said.partition("--mask.acceleration")[2][:300]
        assert "the one that the runs learnt with" in said


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".npy", ".png", ".cfl"])
def test_reconstruct_writes_the_image_where_and_as_bright_as_it_was(
    suffix: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = made / "scans" / "scan-0001.h5", tmp_path / f"image{suffix}"
    what = said(capsys, "reconstruct", made / "run", source, "-o", out)
    scan = read_scan(source)
    assert what == {"out": str(out), "shape": [2, 1, 24, 20], "voxel_mm": list(scan.voxel)}
    example = prepared(scan)
    combined = np.stack(
        [
            np.einsum("sc...,c...->s...", example[i].maps.numpy().conj(), coil_images(scan, i))[0]
            for i in range(2)
        ]
    )
    if suffix == ".png":
        with Image.open(out) as picture:
            assert picture.size == (40, 24)
    elif suffix in (".npy", ".cfl"):
        if suffix == ".npy":
            image = np.load(out)
        else:
            assert out.with_suffix(".hdr").is_file()
            image = np.stack([read_scan(out).kspace[i][0] for i in range(2)])
        assert largest_error(image, combined) < 0.05
    else:
        image = nibabel.load(out)
        assert largest_error(image.get_fdata(), np.abs(combined)[:, 0].T) < 0.05
        assert image.affine == pytest.approx(np.diag([-1, -1, 1, 1]) @ scan.affine, abs=1e-3)
        assert image.header.get_zooms() == pytest.approx(scan.voxel[1::-1] + scan.voxel[2:])


def test_reconstruct_writes_a_dicom_series(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = made / "scans" / "scan-0001.h5", tmp_path / "series"
    tags = ["--tag", "PatientID=17", "--tag", "PatientName=Roe^Rosa"]
    said(capsys, "reconstruct", made / "run", source, "-o", out, *tags)
    images = [pydicom.dcmread(path) for path in sorted(out.iterdir())]
    assert [image.InstanceNumber for image in images] == [1, 2]
    origin, step = (read_scan(source).affine[:3, column] for column in (3, 2))
    for z, image in enumerate(images):
        assert (image.PatientID, image.PatientName) == ("17", "Roe^Rosa")
        assert image.DerivationDescription.endswith("neural network, modl of 3 iterations")
        assert image.ImagePositionPatient == pytest.approx(origin + z * step)


def test_reconstruct_calibrates_from_a_reference(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = made / "scans" / "scan-0000.h5"
    scan = undersampled(read_scan(reference), (np.arange(20) % 2 == 0)[None, None])
    write_scan(scan, tmp_path / "scan.h5")
    for number, method in enumerate((made / "run", "cg-sense")):
        out = tmp_path / f"{number}.npy"
        what = ["reconstruct", method, tmp_path / "scan.h5", "-o", out, "--reference", reference]
        assert said(capsys, *what)["shape"] == [2, 1, 24, 20]
    what = ["prepare", tmp_path / "scan.h5", tmp_path / "examples", "--reference", reference]
    assert [outcome["status"] for outcome in said(capsys, *what)] == ["prepared"]


def test_reconstruct_undersamples_first_when_asked(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = made / "scans" / "scan-0000.h5"
    images = []
    for name, more in (("full", []), ("less", ["--acceleration", 1.6, "--mask", "random"])):
        out = tmp_path / f"{name}.npy"
        said(capsys, "reconstruct", "zero-filled", source, "-o", out, *more)
        images.append(np.load(out))
    assert largest_error(images[1], images[0]) > 0.05


def test_a_shutter_leaves_the_corners_of_a_mask_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scan(simulate_scan((20, 32, 32), 3, 1, 100.0, 0, 1), tmp_path / "volume.cfl")
    images = []
    for name, more in (("whole", []), ("cut", ["--shutter"])):
        out = tmp_path / f"{name}.npy"
        mask = ["--acceleration", 3, "--mask", "poisson", *more]
        said(capsys, "reconstruct", "zero-filled", tmp_path / "volume.cfl", "-o", out, *mask)
        images.append(np.load(out)[0, 0])
    spectra = [abs(np.fft.fftshift(np.fft.fft2(image))).sum(0) for image in images]
    whole, cut = (spectrum[:3, :3].sum() / spectrum.sum() for spectrum in spectra)
    assert cut < 0.7 * whole


def test_baselines_need_no_run(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for method in ("zero-filled", "cg-sense"):
        out = tmp_path / f"{method}.png"
        said(capsys, "reconstruct", method, made / "scans" / "scan-0000.h5", "--out", out)
        assert out.is_file()


def test_series_from_scan_to_report(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = read_scan(made / "scans" / "scan-0000.h5")
    beat = (1 + 0.5 * np.sin(np.arange(6)))[:, None, None]
    kspace = np.stack([still.kspace[i] for i in range(2)]) * beat
    series = replace(still, kspace=kspace.astype(np.complex64), matrix=still.space)
    cfl.write_kspace(series, tmp_path / "beating.cfl")
    examples, out = tmp_path / "examples", tmp_path / "evaluation"
    done = said(capsys, "prepare", tmp_path / "beating.cfl", examples, "--calibration", 0)
    assert [outcome["shape"] for outcome in done] == [[2, 3, 6, 48, 20]]
    mask = ["--mask.kind", "equispaced", "--mask.acceleration", 10, "--force"]
    summary = said(capsys, "evaluate", made / "run", "--data", examples, "--out", out, *mask)
    methods = ["zero-filled", "CG-SENSE", "sliding window", "temporal TV", "run"]
    assert list(summary["per_scan"]["means"]) == methods
    rows = (out / "frames.csv").read_text().splitlines()
    assert len(rows) == 1 + len(methods) * 2 * 6
    assert "Frame by frame" in (out / "report.html").read_text()

    for name in ("beating.nii.gz", "beating.webp"):
        what = ["sliding-window", tmp_path / "beating.cfl", "-o", tmp_path / name]
        assert said(capsys, "reconstruct", *what)["shape"] == [2, 6, 48, 20]
    assert nibabel.load(tmp_path / "beating.nii.gz").shape == (20, 48, 2, 6)
    with Image.open(tmp_path / "beating.webp") as movie:
        assert movie.n_frames == 6


def test_volume_from_scan_to_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trained on slabs, reconstructed slab by slab, and in its place in every format."""
    scans, examples, run = (tmp_path / name for name in ("scans", "examples", "run"))
    size = ["--scans", 1, "--coils", 4, 4, "--shape", 26, 20, 18]
    (source,) = said(capsys, "simulate", scans, *size)
    (outcome,) = said(capsys, "prepare", scans, examples, "--calibration", 6)
    assert outcome["shape"] == [1, 4, 1, 26, 20, 18]
    facts = said(capsys, "inspect", source)
    assert facts["example"]["fourier_axes"] == ["y", "x"]
    recipes.save(tiny_recipe(examples, steps=2), tmp_path / "recipe.yaml")
    options = ["--mask.kind", "poisson", "--network.regulariser.dimensions", 3]
    said(capsys, "train", tmp_path / "recipe.yaml", "--out", run, "--data.slab", 8, *options)
    summary = said(
        capsys, "evaluate", run, "--data", examples, "--out", tmp_path / "report", "--force"
    )
    assert list(summary["per_scan"]["means"]) == ["zero-filled", "CG-SENSE", "wavelets", "run"]

    scan = read_scan(Path(source))
    images = {}
    for name in ("image.nii.gz", "image.cfl", "image.npy", "series"):
        what = said(capsys, "reconstruct", run, source, "-o", tmp_path / name)
        assert what["shape"] == [1, 1, 26, 20, 18]
        assert what["voxel_mm"] == list(scan.voxel)
    images["npy"] = np.load(tmp_path / "image.npy")[0, 0]
    images["cfl"] = read_scan(tmp_path / "image.cfl").kspace[0][0, 0]
    nifti = nibabel.load(tmp_path / "image.nii.gz")
    assert nifti.affine == pytest.approx(np.diag([-1, -1, 1, 1]) @ scan.affine, abs=1e-3)
    assert nifti.header.get_zooms() == pytest.approx(scan.voxel[::-1])
    images["nifti"] = nifti.get_fdata().T
    planes = [pydicom.dcmread(path) for path in sorted((tmp_path / "series").iterdir())]
    assert len(planes) == 26
    for z, plane in enumerate(planes):
        place = scan.affine[:3, 3] + z * scan.affine[:3, 2]
        assert plane.ImagePositionPatient == pytest.approx(place, abs=1e-3)
        assert plane.PixelSpacing == pytest.approx(scan.voxel[1:])
    images["dicom"] = np.stack([plane.pixel_array for plane in planes]).astype(float)
    images["dicom"] *= np.abs(images["npy"]).max() / images["dicom"].max()
    expected = np.abs(prepared(scan)[0].target.numpy())[0, 0] * prepared(scan).header.scale
    for image in images.values():
        assert largest_error(np.abs(image), expected) < 0.05


OVERRIDES: dict[str, object] = {
    "seed": 3,
    "data.train": "a",
    "data.validation": "b",
    "data.batch": 2,
    "data.slab": 8,
    "data.volumes": "slices",
    "data.margin": 3,
    "mask.kind": "poisson",
    "mask.acceleration": 6.5,
    "mask.shutter": True,
    "network.family": "pgd",
    "network.iterations": 5,
    "network.first_image": "cg-sense",
    "network.sets": 2,
    "network.weight": 0.1,
    "network.cg_steps": 7,
    "network.cg_tolerance": 1e-3,
    "network.step": 0.5,
    "network.regulariser.blocks": 1,
    "network.regulariser.kernel": 5,
    "network.regulariser.width": 8,
    "network.regulariser.kind": "unet",
    "network.regulariser.levels": 2,
    "network.regulariser.dimensions": 3,
    "network.regulariser.circular": True,
    "network.regulariser.bf16": True,
    "network.regulariser.coupling": True,
    "network.patch": [16, 16, 16],
    "training.start": "begun",
    "training.copies": True,
    "training.interpolation": 0.5,
    "training.consistency_rate": 30.0,
    "training.idle": "host",
    "training.maps": "host",
    "training.frozen": 1,
    "training.modules": [2, 2],
    "training.overlap": 1,
    "training.least_fall": 0.02,
    "training.target": "mixed",
    "training.holdout.pattern": "samples",
    "training.holdout.share": 0.2,
    "training.holdout.splits": 2,
    "training.holdout.guard": 0.05,
    "training.storage": "offload",
    "training.offload_to": "scratch",
    "training.deterministic": True,
    "training.graph": "never",
    "training.loggers": ["wandb"],
    "training.loss_weights": "ramped",
    "training.loss": "l2",
    "training.steps": 10,
    "training.learning_rate": 1e-4,
    "training.warmup": 0,
    "training.clip": None,
    "training.validate_every": 5,
    "training.checkpoint_every": 6,
    "training.polish": 3,
    "training.keep": 1,
}


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in values.items():
        inner = isinstance(value, dict)
        found |= flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return found


OF_HOUSE = ("first_image", "weight", "cg_", "step", "regulariser.")  # of its own families only
FOREIGN = {
    name: value
    for name, value in flat(Recipe().model_dump(mode="json")).items()
    if name.startswith(tuple(f"network.{part}" for part in OF_HOUSE))
} | {
    "network.family": "python",
    "network.patch": None,
    "network.build": "mine.network:build",
    "network.dimensions": 3,
    "training.storage": "offload",
    "training.maps": "device",
}

# What a field that cannot be changed together with some of those above is changed to.
INSTEAD: dict[str, dict[str, object]] = {
    "network.regulariser.inputs": {
        "network.regulariser.inputs": ["gradient", "change"],
        "network.regulariser.coupling": False,
    },
    "data.masks": {
        "data.masks": [{"kind": "random", "acceleration": 6.0, "shutter": False}],
        "training.target": "mixed",
    },
    "training.patience": {
        "training.patience": 400,
        "training.overlap": 0,
    },
    "training.stages": {
        "training.stages": [
            {"iterations": 8, "modules": None, "steps": None, "minutes": 2.5, "learning_rate": None}
        ]
    },
    "training.minutes": {"training.minutes": 5.0, "training.steps": Recipe().training.steps},
    "network.build": FOREIGN,
    "network.dimensions": FOREIGN,
}


@pytest.mark.parametrize("instead", [{}, *INSTEAD.values()], ids=["", *INSTEAD])
def test_options_reach_every_field_of_the_recipe(instead: dict[str, object]) -> None:
    default = flat(Recipe().model_dump(mode="json"))
    assert OVERRIDES.keys() | INSTEAD.keys() == default.keys()
    assert all(OVERRIDES[name] != default[name] for name in OVERRIDES)
    changed = default | OVERRIDES | instead
    options = []
    for name, value in changed.items():
        if value == default[name]:
            continue
        flag = f"--{name}".replace("_", "-")
        if name in ("training.stages", "data.masks"):  # mappings, as in a recipe's file
            value = list(map(json.dumps, value))
        several = value if isinstance(value, list) else [] if value is True else [value]
        options += [flag, *map(str, several)]
    a = parse(train.Arguments, "train", options, train.Arguments(recipe=Recipe()))
    assert flat(a.recipe.model_dump(mode="json")) == changed


def test_growth_that_makes_worse_keeps_the_network(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    psnr = Learner.validate

    def spoilt(*arguments: Any) -> list[float]:
        """The iterations that were added make it worse."""
        return [value - 9 * (k >= 3) for k, value in enumerate(psnr(*arguments))]

    monkeypatch.setattr(Learner, "validate", spoilt)
    grown = tmp_path / "grown"
    command = ["train", "--start", str(made / "run"), "--grow", "2", "--out", str(grown)]
    assert main(command) == 0
    assert "dB, so that one is kept" in capsys.readouterr().out
    summary = run_folder.read_summary(grown)
    assert summary["best_validation_psnr_db"] < summary["validation_before_db"]
    before, after = (Run(folder) for folder in (made / "run", grown))
    assert after.recipe.network == before.recipe.network
    weights = before.network.state_dict()
    assert all(weights[name].equal(kept) for name, kept in after.network.state_dict().items())

    monkeypatch.setattr(Learner, "validate", psnr)
    again = ["train", "--start", str(grown), "--grow", "1", "--out", str(tmp_path / "again")]
    assert main(again) == 0  # from what was kept
    assert run_folder.load_recipe(tmp_path / "again").network.iterations == 4


def test_train_grows_and_polishes_a_run(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["train", "--start", str(made / "run")]
    fields = ["--training.learning-rate", "1e-4"]
    deeper = said(capsys, *start, "--grow", 2, "--out", tmp_path / "deeper", *fields)
    assert (deeper["modules"], deeper["steps"]) == ([2], 2)
    recipe = recipes.load(tmp_path / "deeper" / "recipe.yaml")
    assert (recipe.network.iterations, recipe.training.frozen) == (5, 3)
    assert recipe.training.learning_rate == 1e-4
    polished = said(capsys, *start, "--polish=3", "--out", tmp_path / "polished")
    assert (polished["modules"], polished["steps"]) == ([3], 3)
    both = ["train", str(made / "recipe.yaml"), "--polish", "1", "--out", str(tmp_path / "both")]
    assert main(both) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'both' / 'polished'}: 1 steps")
    assert main(["train", "--resume", str(tmp_path / "both")]) == 0


def test_reconstruct_stops_early(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan, out = made / "scans" / "scan-0000.h5", made / "early.npy"
    common = ["reconstruct", made / "run", scan, "-o", out, "--acceleration", 1.6, "--force"]
    assert said(capsys, *common, "--iterations", 2)["iterations"] == [2, 2]
    early = np.load(out)
    assert said(capsys, *common, "--until", "change<9")["iterations"] == [2, 2]
    assert np.array_equal(np.load(out), early)  # its first module has two iterations
    assert said(capsys, *common, "--until", "1e-9")["iterations"] == [3, 3]
    assert "iterations" not in said(capsys, *common)
    assert main([*map(str, common), "--iterations", "2"]) == 0
    assert capsys.readouterr().out.endswith("of 3 iterations, stopped after 2\n")


def test_options_change_only_what_they_name() -> None:
    fields = {"seed": 9, "network": {"iterations": 4}, "training": {"modules": 1}}
    recipe = Recipe.model_validate(fields)
    default = train.Arguments(recipe=recipe)
    for option in ("--network.cg-steps", "--network.cg_steps"):
        a = parse(train.Arguments, "train", [option, "3"], default)
        changed = recipe.network.model_copy(update={"cg_steps": 3})
        assert a.recipe == recipe.model_copy(update={"network": changed})


def test_every_field_of_the_recipe_is_explained_or_says_it_by_name() -> None:
    def parts(part: type[BaseModel]) -> list[type[BaseModel]]:
        inner = [f.annotation for f in part.model_fields.values()]
        below = [p for p in inner if isinstance(p, type) and issubclass(p, BaseModel)]
        return [part, *(deeper for one in below for deeper in parts(one))]

    bare = {"seed", "data", "mask", "network", "training", "regulariser", "iterations", "steps"}
    bare |= {"validate_every", "checkpoint_every"}
    for part in parts(Recipe):
        assert part.__doc__
        for name, field in part.model_fields.items():
            assert field.description or name in bare, f"{part.__name__}.{name}"


def test_restart_of_torchrun_goes_on_with_its_own_run(
    made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    checkpoints = sorted((made / "run" / "checkpoints").iterdir())
    found = said(capsys, "train", made / "recipe.yaml", "--out", made / "run")
    assert found["steps"] == 2
    assert sorted((made / "run" / "checkpoints").iterdir()) == checkpoints
