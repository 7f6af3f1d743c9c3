import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from tiny import (
    every_second_line,
    example_files,
    prepared,
    tiny_recipe,
    tiny_scan,
    trained_on,
    undersampled,
)

from gleam import recipe as recipes
from gleam.cli import main
from gleam.data.example import write
from gleam.errors import BadInput
from gleam.formats import check_spares, write_scan
from gleam.networks import build
from gleam.recipe import MaskRecipe
from gleam.runs import folder as run_folder

Refuse = Callable[..., str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans, examples, a recipe, an untrained run, and a file where a folder should be."""
    here = tmp_path_factory.mktemp("made")
    examples = example_files(here, scans=1)
    recipe = tiny_recipe(examples)
    recipes.save(recipe, here / "recipe.yaml")
    run_folder.begin(here / "run", recipe, "data", trained_on(recipe))
    run_folder.save_model(here / "run", build(recipe.network).state_dict())
    few = replace(undersampled(tiny_scan(), every_second_line()), name="few")
    write_scan(few, here / "few.h5")
    (here / "file").touch()
    return here


@pytest.fixture
def refuse(made: Path, capfd: pytest.CaptureFixture[str]) -> Refuse:
    """Run a command line that must be refused in one line; return what the line says."""

    def check(*arguments: object) -> str:
        before = tree(made)
        capfd.readouterr()
        assert main([str(argument) for argument in arguments]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        line, rest = err.split("\n", 1)
        assert rest == ""
        assert line.startswith("gleam: ")
        for noise in ("Traceback", "[type=", "Value error", "Error parsing", "pydantic", "│", "  "):
            assert noise not in line
        assert tree(made) == before
        return line.removeprefix("gleam: ")

    return check


def tree(folder: Path) -> dict[Path, bytes | None]:
    return {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.fixture
def scan(made: Path, tmp_path: Path) -> Path:
    """A copy of the scan, to be spoilt."""
    copy = tmp_path / "scan.h5"
    copy.write_bytes((made / "scans" / "scan-0.h5").read_bytes())
    return copy


def test_real_process_ends_the_same_way() -> None:
    command = [sys.executable, "-m", "gleam", "train", "--network.iterations", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    said = "network.iterations: Input should be greater than or equal to 1 (got 0)"
    assert done.stderr == f"gleam: train: {said}\n"


def spoil(scan: Path, how: str) -> None:
    if how == "cut off":
        scan.write_bytes(scan.read_bytes()[:2000])
        return
    with h5py.File(scan, "a") as file:
        if how == "wrong shape":
            kspace = file["kspace"][()]
            del file["kspace"]
            file["kspace"] = kspace[..., None]
        elif how == "other size":
            kspace = file["kspace"][:, :, :40]
            del file["kspace"]
            file["kspace"] = kspace
        elif how == "NaN":
            file["kspace"][1, 2, 3, 4] = np.nan
        elif how == "radial":
            header = file["ismrmrd_header"][()].decode().replace("cartesian", "radial")
            del file["ismrmrd_header"]
            file["ismrmrd_header"] = header


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("cut off", "cut off"),
        ("wrong shape", "shape"),
        ("other size", "contradicts itself"),
        ("NaN", "slice 1"),
        ("radial", "radial"),
    ],
)
def test_spoilt_scan(how: str, says: str, made: Path, scan: Path, refuse: Refuse) -> None:
    spoil(scan, how)
    out = scan.parent / "image.npy"
    message = refuse("reconstruct", made / "run", scan, "-o", out)
    assert says in message
    assert str(scan) in message
    assert [path.name for path in scan.parent.iterdir()] == ["scan.h5"]


@pytest.mark.parametrize("how", ["cut off", "wrong shape", "NaN", "radial"])
def test_nothing_but_spoilt_scans(how: str, scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`prepare` names each scan it skips on stdout; only when all are does it fail."""
    spoil(scan, how)
    out = scan.parent / "out"
    assert main(["prepare", str(scan), str(out)]) == 2
    said, err = capsys.readouterr()
    assert f"  skipped {scan.name}: " in said
    assert err.startswith("gleam: ")
    assert err.count("\n") == 1
    assert [path.name for path in out.iterdir()] == ["manifest.jsonl"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--grow", "2"], "--grow appends to a trained run; name it with --start"),
        (["--copy"], "--copy is of the iterations that --grow appends; say how many"),
        (["--start", "RUN"], "--start wants --grow or --polish"),
        (["--start", "RUN", "--grow", "0"], "--grow is 1 or more, not 0"),
        (["--start", "RUN", "--polish", "-1"], "--polish is 1 or more, not -1"),
        (["--start", "RUN", "--grow", "2", "recipe.yaml"], "cannot be read as a recipe"),
        (["--start", "nowhere", "--grow", "2"], "nowhere: does not exist"),
        (["--resume", "RUN", "--grow", "2"], "--resume goes on with the run's own recipe"),
    ],
)
def test_growing_and_polishing_say_what_they_need(
    options: list[str], says: str, made: Path, tmp_path: Path, refuse: Refuse
) -> None:
    given = [str(made / "run") if option == "RUN" else option for option in options]
    assert says in refuse("train", *given, "--out", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["RUN", "--iterations", "4"], "has 3 iterations, so --iterations is 1 to 3"),
        (["RUN", "--until", "soon"], "--until is like 'change<0.01', not 'soon'"),
        (["RUN", "--until", "change<0"], "not 'change<0'"),
        (["cg-sense", "--iterations", "2"], "cg-sense: has no iterations to stop after"),
    ],
)
def test_stopping_early_says_what_it_needs(
    options: list[str], says: str, made: Path, scan: Path, refuse: Refuse
) -> None:
    run, *rest = [str(made / "run") if option == "RUN" else option for option in options]
    assert says in refuse("reconstruct", run, scan, "-o", scan.parent / "image.npy", *rest)


def test_misspelt_field_in_yaml(tmp_path: Path, refuse: Refuse) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("network: {regulariser: {widht: 3}}")
    assert refuse("train", recipe, "--out", tmp_path / "run") == (
        f"{recipe}: network.regulariser.widht: no such field; did you mean width?"
    )
    assert not (tmp_path / "run").exists()


COMMAND_LINES = {
    "train --network.iteration 3": "--network.iteration: no such option; did you mean "
    "--network.iterations?",
    "train --training.learning_rat 3": "--training.learning-rat: no such option; did you mean "
    "--training.learning-rate?",
    "train --network.iterations 0": "network.iterations: Input should be greater than or equal "
    "to 1 (got 0)",
    "train --network.iterations x": "--network.iterations: invalid literal for int() with base "
    "10: 'x'",
    "train --network.iterations": "Missing value for argument '--network.iterations'. Expected 1 "
    "values.",
    "train --training.modules 0": "training.modules: Input should be greater than or equal to 1 "
    "(got 0)",
    "train --training.modules 2 0": "training.modules: Input should be greater than or equal to "
    "1 (got 0)",
    "train --training.modules 2 1": "training.modules [2, 1] add up to 3, but network.iterations "
    "is 16",
    "train --network.regulariser.kernel 4": "network.regulariser.kernel: must be odd, not 4",
    "train --mask.acceleration nan": "mask.acceleration: Input should be a finite number (got nan)",
    "train --mask.kind spiral": "invalid choice 'spiral' for argument '--mask.kind'. Expected one "
    "of ('equispaced', 'random', 'poisson', 'kt-random', 'kt-golden', 'kt-vista').",
    "train --mask.shutter": "mask: shutter cuts the corners of two axes, but kind equispaced "
    "undersamples one; leave it out or set kind: poisson",
    "train": "say which folder the run goes to, with --out FOLDER",
    "train --json 3": "3: is not a recipe, which is one .yaml file",
    "train --resume x --out y": "--resume goes on with the run's own recipe; give nothing else",
    "simulate": "missing: OUT",
    "simulate x --shape 3": "shape (3,) has 1 axes; give y x or z y x",
    "simulate x --shape 16 16 16 --slices 2": "2 slices of a 3D shape (16, 16, 16); use slices 1, "
    "or a shape y x",
    "simulate x --shape 16 16 16 --format h5": "fastMRI's layout holds static 2D scans; leave "
    "--format h5 out",
    "simulate x --shape 16 16 --frames 2": "2 frames of shape (16, 16); use 1, or 4 or more of a "
    "shape y x",
    "simulate x --shape 16 16 --frames 8 --format h5": "fastMRI's layout holds static 2D scans; "
    "leave --format h5 out",
    "simulate x --variable v": "--axes and --variable say what an image holds; name it by --from",
    "simulate x --from y.nii --frames 8": "the image says itself what --slices and --frames are, "
    "and its size; leave them and --oversized out",
    "reconstruct": "missing: RUN; SCAN; -o PATH, --out PATH",
    "reconstruct a b --ot c": "--ot: no such option; did you mean --out?",
    "reconstruct a b c -o d": "c: one value too many",
    "reconstruct a b -o d --acceleration 0.5": "--acceleration is 1 or more, not 0.5",
    "reconstruct a b -o d --acceleration nan": "--acceleration is 1 or more, not nan",
    "reconstruct a b -o d --acceleration 4 --shutter": "--shutter cuts corners of a poisson "
    "mask, not of equispaced",
    "prepare": "give scans (or a folder of them), then the folder to write to",
    "prepare a b --workers 0": "--workers and --coils are 1 or more, --sets is 1 or 2",
    "prepare a b --memory 4": "--memory is 512MiB or more, as 4GiB; not '4'",
    "prepare a b --memory 100MiB": "--memory is 512MiB or more, as 4GiB; not '100MiB'",
    "prepare a b --dask c --workers 2": "with --dask, the cluster says how many workers and what "
    "memory",
    "evaluate": "say what to test on, with --data FOLDER",
    "evaluate --out x y": "give the run folders first, before all options",
}  # fmt: skip


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_command_line(
    line: str, refuse: Refuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    verb, *_ = arguments = line.split()
    assert refuse(*arguments) == f"{verb}: {COMMAND_LINES[line]}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["trian", "Train", "--out", "x"])
def test_no_such_verb(verb: str, refuse: Refuse) -> None:
    assert refuse(verb).startswith(f"{verb}: no such verb; ")


def test_evaluate_without_data(made: Path, refuse: Refuse) -> None:
    assert refuse("evaluate", made / "run") == ("evaluate: say what to test on, with --data FOLDER")


@pytest.mark.parametrize("place", ["file", "file/deeper", "/dev/null/x", "/proc/x"])
@pytest.mark.parametrize("verb", ["simulate", "prepare", "train", "reconstruct", "evaluate"])
def test_unwritable_place(verb: str, place: str, made: Path, refuse: Refuse) -> None:
    goal = made / place  # an absolute place stays what it is
    source = made / "scans" / "scan-0.h5"
    commands: dict[str, list[object]] = {
        "simulate": [goal, "--scans", 1, "--slices", 1, "--shape", 16, 16],
        "prepare": [source, goal],
        "train": [made / "recipe.yaml", "--out", goal],
        "reconstruct": ["zero-filled", source, "-o", goal / "image.nii.gz"],
        "evaluate": [made / "run", "--data", made / "examples", "--out", goal],
    }
    message = refuse(verb, *commands[verb])
    assert message.startswith(str(goal))
    assert "cannot be written" in message


def test_missing_files(made: Path, refuse: Refuse) -> None:
    no = made / "no.h5"
    out = made / "image.png"
    assert refuse("reconstruct", made / "run", no, "-o", out) == f"{no}: no such file"
    assert refuse("prepare", no, made / "out").startswith(f"{no}: does not exist")
    assert "no.h5: does not exist" in refuse("reconstruct", no, no, "-o", out)
    assert "no.h5: does not exist" in refuse("train", "--resume", no)
    assert "is not a run" in refuse("train", "--resume", made / "scans")
    assert "give nothing else" in refuse("train", "--resume", made / "run", "--dry-run")
    dry = ("train", made / "recipe.yaml", "--dry-run")
    assert "too few for a pipeline of 3" in refuse(*dry, "--devices", 3)
    assert "in the shutter" in refuse(
        *dry, "--mask.kind", "poisson", "--mask.shutter", "--mask.acceleration", 1
    )
    assert "no.h5: does not exist" in refuse("evaluate", no, "--data", made / "examples")
    assert "cannot be read as a recipe" in refuse("train", made / "no.yaml", "--out", out)
    for verb in (["train", "--out", out, "--data.train"], ["evaluate", made / "run", "--data"]):
        assert refuse(*verb, no).startswith(f"{no}: does not exist; make example files")
        assert "holds no example files" in refuse(*verb, made / "run")


def test_what_cannot_be_reconstructed_leaves_no_folder(made: Path, refuse: Refuse) -> None:
    empty = made / "empty.h5"
    empty.mkdir()
    for scan in (empty, made / "no.h5"):
        refuse("reconstruct", "zero-filled", scan, "-o", made / "new" / "image.png")
        refuse("reconstruct", "zero-filled", scan, "-o", made / "new")
    assert not (made / "new").exists()


def test_images_that_cannot_be_simulated(tmp_path: Path, refuse: Refuse) -> None:
    image, out = tmp_path / "image.npy", tmp_path / "out"
    what = ["simulate", out, "--from"]
    assert refuse(*what, image) == f"{image}: no such file"
    assert "unknown suffix; known here are .nii, .nii.gz, .npy, .mat" in refuse(*what, "x.png")
    np.save(image, np.ones((16, 18, 20)))
    assert "does not say what the axes of its 16 × 18 × 20 numbers mean" in refuse(*what, image)
    named = [*what, image, "--axes", "z y x"]
    assert "whose size is (16, 18, 20)" in refuse(*named, "--shape", "16", "19", "20")
    assert "fastMRI's layout holds static 2D" in refuse(*named, "--format", "h5")
    spoilt = tmp_path / "image.nii"
    spoilt.write_bytes(b"no image")
    assert "not a NIfTI image" in refuse(*what, spoilt)
    assert "says itself what it holds" in refuse(*what, spoilt, "--axes", "y x")
    assert not out.exists()


def test_unknown_suffixes(made: Path, refuse: Refuse) -> None:
    source, out = made / "scans" / "scan-0.h5", made / "image.png"
    assert "unknown suffix" in refuse("reconstruct", made / "run", made / "file", "-o", out)
    message = refuse("reconstruct", made / "run", source, "-o", made / "image.jpg")
    assert message.startswith(f"{made / 'image.jpg'}: unknown suffix; known here are .nii, ")


def test_dicom_that_cannot_be_written_is_refused_before_the_work(
    made: Path, tmp_path: Path, refuse: Refuse
) -> None:
    what = ["reconstruct", made / "run", made / "scans" / "scan-0.h5", "-o"]
    assert "makes 2; give a folder" in refuse(*what, tmp_path / "image.dcm")
    assert "is there already" in refuse(*what, made / "scans")
    assert "--tag is for DICOM" in refuse(*what, made / "image.png", "--tag", "PatientID=17")
    said = refuse(*what, tmp_path / "series", "--tag", "PatientBirthDate=1.2.1970")
    assert "PatientBirthDate is a date" in said
    assert "1970" not in said
    assert not list(tmp_path.iterdir())


def test_scan_and_reference_that_do_not_fit(made: Path, tmp_path: Path, refuse: Refuse) -> None:
    lines = (np.arange(20) % 2 == 0)[None, None]
    write_scan(undersampled(tiny_scan(), lines), tmp_path / "sparse.h5")
    write_scan(tiny_scan(coils=4), tmp_path / "other.h5")
    what = ["reconstruct", "cg-sense", tmp_path / "sparse.h5", "-o", tmp_path / "image.npy"]
    assert "sparse: has no fully sampled centre" in refuse(*what)
    assert "no.h5: no such file" in refuse(*what, "--reference", tmp_path / "no.h5")
    said = refuse(*what, "--reference", tmp_path / "other.h5")
    assert said == "other: is no reference for sparse: it has 4 coils, the scan 3"
    what = ["prepare", made / "scans", tmp_path / "out", "--reference", tmp_path / "no.h5"]
    assert "no.h5: no such file" in refuse(*what)
    assert not (tmp_path / "out").exists()


def test_noise_that_does_not_fit(made: Path, tmp_path: Path, refuse: Refuse) -> None:
    scan, noise, out = made / "scans" / "scan-0.h5", tmp_path / "noise.npy", tmp_path / "out"
    np.save(noise, np.random.default_rng(0).normal(size=(4, 100)) + 0j)
    says = f"{noise}: is no noise for scan-0: it has 4 coils, the scan 3"
    assert says in refuse("reconstruct", "cg-sense", scan, "-o", out / "x.npy", "--noise", noise)
    for what in (
        ["prepare", made / "scans", out],
        ["reconstruct", "cg-sense", made / "scans", "-o", out],
        ["inspect", scan],
    ):
        assert "no.npy: no such file" in refuse(*what, "--noise", tmp_path / "no.npy")


def test_run_without_a_model(made: Path, tmp_path: Path, refuse: Refuse) -> None:
    recipe = tiny_recipe(made / "examples")
    run_folder.begin(tmp_path / "run", recipe, "data", trained_on(recipe))
    for arguments in (
        ["reconstruct", tmp_path / "run", made / "scans" / "scan-0.h5", "-o", made / "x.png"],
        ["evaluate", tmp_path / "run", "--data", made / "examples", "--out", made / "report"],
    ):
        assert "has the run got to its first checkpoint?" in refuse(*arguments)


def test_run_of_another_network(made: Path, tmp_path: Path, refuse: Refuse) -> None:
    recipe = tiny_recipe(made / "examples")
    run_folder.begin(tmp_path / "run", recipe, "data", trained_on(recipe))
    run_folder.save_model(
        tmp_path / "run", build(recipe.network.model_copy(update={"iterations": 1})).state_dict()
    )
    scan = made / "scans" / "scan-0.h5"
    message = refuse("reconstruct", tmp_path / "run", scan, "-o", made / "x.png")
    assert "of another network" in message


def test_run_that_is_called_as_a_baseline(made: Path, refuse: Refuse) -> None:
    shutil.copytree(made / "run", made / "CG-SENSE")
    what = ["evaluate", made / "CG-SENSE", "--data", made / "examples", "--out", made / "scores"]
    assert f"{made / 'CG-SENSE'}: is called as a baseline is, CG-SENSE" in refuse(*what)
    shutil.rmtree(made / "CG-SENSE")


def test_impossible_acceleration(made: Path, refuse: Refuse) -> None:
    what = ["train", made / "recipe.yaml", "--out", made / "new", "--mask.acceleration", 8]
    assert "acceleration 8 leaves 2 of 20 samples, fewer than the centre of 10" in refuse(*what)
    scan = made / "scans" / "scan-0.h5"
    what = ["reconstruct", made / "run", scan, "-o", made / "x.png", "--acceleration", 8]
    assert "acceleration 8 leaves 2 of 20 samples" in refuse(*what)
    what = ["evaluate", made / "run", "--data", made / "examples", "--out", made / "scores"]
    assert "acceleration 8 leaves 2 of 20 samples" in refuse(*what, "--mask.acceleration", 8)


def test_undersampled_scan_is_not_undersampled_again(made: Path, refuse: Refuse) -> None:
    what = ["reconstruct", made / "run", made / "few.h5", "-o", made / "x.png"]
    message = refuse(*what, "--acceleration", 2)
    assert message.startswith("few: was undersampled when it was scanned")


def test_undersampled_scan_does_not_train(made: Path, tmp_path: Path, refuse: Refuse) -> None:
    assert main(["prepare", str(made / "few.h5"), str(tmp_path)]) == 0
    message = refuse("train", "--out", made / "new", "--data.train", tmp_path)
    assert message.startswith("few: was undersampled when it was scanned, so there is no target")


def test_scans_in_place_of_examples(made: Path, refuse: Refuse) -> None:
    message = refuse("train", "--out", made / "new", "--data.train", made / "scans")
    assert "not an example file of `gleam prepare`" in message


def test_folder_that_holds_a_run(made: Path, refuse: Refuse) -> None:
    message = refuse("train", made / "recipe.yaml", "--out", made / "run")
    assert message.startswith(f"{made / 'run'}: holds a run already")


def test_restarts_of_torchrun_do_not_go_on_with_another_run(
    made: Path, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    message = refuse("train", made / "recipe.yaml", "--out", made / "run", "--seed", 7)
    assert message.startswith(f"{made / 'run'}: holds a run already")


def test_diverging_run_ends_in_one_line_and_exit_code_1(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    what = ["train", made / "recipe.yaml", "--out", tmp_path / "run", "--training.learning-rate"]
    assert (
        main([*map(str, what), "1e30", "--training.clip", "None", "--data.validation", "None"]) == 1
    )
    *_where, said = capfd.readouterr().err.splitlines()
    assert _where == ["training on the CPU, 1 thread"]
    assert said.startswith("gleam: module ")
    assert torch.is_grad_enabled()


def test_scans_are_never_overwritten_by_their_examples(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(made)
    assert main(["prepare", str(made / "scans"), str(made / "scans")]) == 2
    assert "is no example file; give another folder" in capsys.readouterr().err
    assert tree(made) == before


def test_scan_is_never_overwritten_by_its_image(made: Path, tmp_path: Path, refuse: Refuse) -> None:
    scan = tmp_path / "scan.npy"
    np.save(scan, np.ones((2, 16, 16), np.complex64))
    before = scan.read_bytes()
    said = refuse("reconstruct", "zero-filled", scan, "-o", scan)
    assert "is the scan itself" in said
    map_there = ("--map", scan, "--force", "-o", tmp_path / "check.json")
    assert "is the scan itself" in refuse("check", scan, "wavelet", "zero-filled", *map_there)
    assert scan.read_bytes() == before


def test_image_called_as_its_scan_is_replaced(made: Path, tmp_path: Path) -> None:
    scan, image = tmp_path / "scan.h5", tmp_path / "scan.png"
    scan.write_bytes((made / "scans" / "scan-0.h5").read_bytes())
    for _ in range(2):
        assert main(["reconstruct", "zero-filled", str(scan), "-o", str(image), "--force"]) == 0


def test_neither_half_of_a_scan_is_overwritten_by_its_image(tmp_path: Path) -> None:
    for name in ("brain.cfl", "brain.hdr", "brain.npy"):
        (tmp_path / name).write_bytes(b"")
    for scan in ("brain", "brain.cfl", "brain.hdr"):
        with pytest.raises(BadInput, match="is the scan itself"):
            check_spares(tmp_path / "brain.cfl", tmp_path / scan)
        check_spares(tmp_path / "brain.npy", tmp_path / scan)
        check_spares(tmp_path / "brain", tmp_path / scan)  # a folder for DICOM


def test_results_do_not_go_into_a_run(made: Path, refuse: Refuse) -> None:
    run_folder = made / "run"
    said = refuse("evaluate", run_folder, "--data", made / "examples", "--out", run_folder)
    assert "is a run" in said


def test_other_map_sets_than_the_runs(made: Path, tmp_path: Path, refuse: Refuse) -> None:
    write(prepared(tiny_scan(), sets=2), tmp_path / "two.h5")
    assert "has 2 map sets" in refuse("evaluate", made / "run", "--data", tmp_path)


def test_runs_with_different_masks_are_not_silently_tested_with_one(
    made: Path, tmp_path: Path, refuse: Refuse
) -> None:
    recipe = tiny_recipe(made / "examples")
    other = recipe.model_copy(update={"mask": MaskRecipe(kind="random", acceleration=2)})
    run_folder.begin(tmp_path / "other", other, "data", trained_on(other))
    run_folder.save_model(tmp_path / "other", build(other.network).state_dict())
    said = refuse("evaluate", made / "run", tmp_path / "other", "--data", made / "examples")
    assert "different masks" in said


def test_a_part_that_is_none(tmp_path: Path, refuse: Refuse) -> None:
    kspace = np.ones((2, 2, 16, 16), np.complex64)
    kspace[1, :, :, 3] = 0
    np.save(tmp_path / "scan.npy", kspace)
    command = ("reconstruct", "zero-filled", tmp_path / "scan.npy", "-o", tmp_path / "x.png")
    said = refuse(*command, "--part", "slice2")
    assert "no part 'slice2'; it holds slice0, slice1" in said
