"""What people give in place of an argument is refused in one line that names it."""

import numpy as np
import pytest
import torch

import gleam

ARRAY = np.ones((3, 8, 9), np.complex64)
HOWEVER = "gleam.from_array makes a scan of an array"


@pytest.fixture(scope="module")
def data():
    return gleam.prepare(gleam.simulate((24, 20), coils=3, slices=2))


@pytest.mark.parametrize("verb", ["load", "prepare", "open"])
def test_arrays_are_no_files(verb, as_users_call_it):
    with pytest.raises(gleam.BadInput, match=f"path,? is expected, not a ndarray .{HOWEVER}"):
        as_users_call_it(getattr(gleam, verb))(ARRAY)
    with pytest.raises(gleam.BadInput, match=r"path,? is expected, not a NoneType$"):
        as_users_call_it(getattr(gleam, verb))(None)


@pytest.mark.parametrize("verb", ["reconstruct", "check"])
def test_arrays_are_no_data(verb, as_users_call_it):
    with pytest.raises(gleam.BadInput, match=f"the path of either is expected, .*{HOWEVER}"):
        as_users_call_it(getattr(gleam, verb))(ARRAY, "cg-sense")


@pytest.mark.parametrize("mask", ["equispaced", 4, np.ones(20), torch.ones(20)], ids=str)
def test_masks_are_what_mask_makes(mask, data, as_users_call_it):
    name = type(mask).__name__
    for verb in (gleam.reconstruct, gleam.check):
        with pytest.raises(gleam.BadInput, match=f"mask is a {name}; give what gleam.mask makes"):
            as_users_call_it(verb)(data, "cg-sense", mask)
    with pytest.raises(gleam.BadInput, match=f"mask is a {name}"):
        as_users_call_it(gleam.Example.measure)(data, mask)


@pytest.mark.parametrize("method", [None, ["wavelet"], 3], ids=str)
def test_methods_are_named(method, data, as_users_call_it):
    with pytest.raises(gleam.BadInput, match="a method's name, a run or a function is expected"):
        as_users_call_it(gleam.reconstruct)(data, method)


@pytest.mark.parametrize(
    ("method", "given"),
    [
        (lambda A: A.adjoint.numpy(), "ndarray"),
        (lambda A: A.adjoint[0], r"\(1, 1, 24, 20\)"),
        (lambda A: None, "NoneType"),
    ],
    ids=["NumPy", "another shape", "nothing"],
)
def test_functions_give_images(method, given, data):
    with pytest.raises(gleam.BadInput, match=rf"gives {given}; .* of shape \(1, 1, 1, 24, 20\)"):
        gleam.reconstruct(data, method)


def test_a_real_image_is_one(data):
    image = gleam.reconstruct(data, lambda A: A.adjoint.abs())
    assert image.image.dtype == np.complex64


def test_slices_and_seeds_are_whole_numbers(data, as_users_call_it):
    measure = as_users_call_it(gleam.Example.measure)
    one, _ = measure(data, slices=np.int64(1))
    assert torch.equal(one.adjoint, data.measure(slices=1)[0].adjoint)
    assert len(measure(data, slices=np.arange(2))[0].adjoint) == 2
    for wrong in ("all", 1.5, slice(2)):
        with pytest.raises(gleam.BadInput, match=r"slices is .*; give a whole number, or several"):
            measure(data, slices=wrong)
    for wrong in ("a", -1, [1, 2]):
        with pytest.raises(gleam.BadInput, match=r"seed is .*; give a whole number"):
            measure(data, gleam.mask(), seed=wrong)


def test_simulated_sizes_and_seeds_are_whole_numbers(as_users_call_it):
    simulate = as_users_call_it(gleam.simulate)
    assert simulate(np.array([24, 20]), slices=1).matrix == (24, 20)
    with pytest.raises(gleam.BadInput, match=r"shape \(24,\) has 1 axes; give y x or z y x"):
        simulate(24)
    with pytest.raises(gleam.BadInput, match=r"shape is \(24.5, 20\); give a whole number"):
        simulate((24.5, 20))
    with pytest.raises(gleam.BadInput, match="seed is -1; use a whole number, 0 or more"):
        simulate((24, 20), seed=-1)


def test_preparation_takes_paths_of_what_lies_beside(data, as_users_call_it):
    prepare, scan = as_users_call_it(gleam.prepare), data.source.scan
    with pytest.raises(
        gleam.BadInput, match=f"noise: a file is expected, not a ndarray .{HOWEVER}"
    ):
        prepare(scan, noise=ARRAY[0])
    with pytest.raises(gleam.BadInput, match="reference: a scan file is expected, not a Scan"):
        prepare(scan, reference=scan)
    with pytest.raises(gleam.BadInput, match="sets is 1 or 2, coils 1 or more; not '1' and None"):
        prepare(scan, sets="1")


def test_runs_and_recipes_are_paths_or_fields(data, as_users_call_it):
    with pytest.raises(gleam.BadInput, match="a recipe, its file or its fields, is expected"):
        as_users_call_it(gleam.train)(None, "run")
    with pytest.raises(gleam.BadInput, match="a file of a scan or an example, or a folder, is exp"):
        as_users_call_it(gleam.adapt)("gleam-2d", [data], "run")
    with pytest.raises(gleam.BadInput, match="a file of a scan or an example, or a folder, is exp"):
        as_users_call_it(gleam.adapt)("gleam-2d", data, "run")
    with pytest.raises(gleam.BadInput, match="a folder of example files is expected, not a Exam"):
        as_users_call_it(gleam.evaluate)((), data)


def test_settings_of_a_footprint_are_known(as_users_call_it):
    blocks, x = [torch.nn.Linear(2, 2)], torch.ones(1, 2)
    with pytest.raises(gleam.BadInput, match=r"has no optimiser; did you mean optimizer\?"):
        gleam.footprint(blocks, x, device="cpu", optimiser=torch.optim.Adam)
    with pytest.raises(gleam.BadInput, match="shape: 64 has 1 axes; give y x, or z y x"):
        as_users_call_it(gleam.footprint)({}, shape=64, coils=4, device="cpu")


def test_messages_name_the_arguments_that_there_are(tmp_path):
    from scanner import Scanner

    scanner = Scanner()
    scanner.points = [(scanner.voxel(3, -5), 4 + 1j)]
    for line in range(24):
        scanner.acquire(line)
    scan = scanner.write(tmp_path / "scan.h5")
    with pytest.raises(gleam.BadInput, match=r"'other'; measurement=… is one of dataset$"):
        gleam.load(scan, measurement="other")
    np.save(tmp_path / "scan.npy", np.ones((3, 8, 8), np.complex64))
    said = "measurement=… chooses a measurement of ISMRMRD or twix"
    with pytest.raises(gleam.BadInput, match=said):
        gleam.load(tmp_path / "scan.npy", axes="coil y x", measurement="other")


def test_a_command_in_a_message_stays_as_it_is_typed(tmp_path):
    (tmp_path / "image.nii").touch()
    with pytest.raises(gleam.BadInput, match="`gleam simulate --from` makes raw data of them"):
        gleam.load(tmp_path / "image.nii")


def test_adapting_takes_what_the_verb_takes(tmp_path, monkeypatch):
    class Given(Exception):
        pass

    def adapt(run, scans, folder, how, settings, **rest):
        raise Given(settings, how)

    monkeypatch.setattr("gleam.runs.adaptation.adapt", adapt)
    with pytest.raises(Given) as given:
        gleam.adapt(
            "gleam-2d",
            "scan.npy",
            tmp_path / "run",
            calibration=12,
            coils=4,
            reference="reference.npy",
            noise="noise.npy",
            axes="coil y x",
            measurement="2",
            interpolation=0.5,
        )
    settings, how = given.value.args
    assert how.interpolation == 0.5
    assert (settings.calibration, settings.coils, settings.measurement) == (12, 4, "2")
    assert [path.name for path in settings.beside] == ["reference.npy", "noise.npy"]
    assert settings.layout == gleam.formats.Layout.parse("coil y x", None, None)


def test_tags_are_for_dicom(tmp_path, data):
    image = gleam.reconstruct(data, "zero-filled")
    with pytest.raises(gleam.BadInput, match=r"tag=… is for DICOM; write to a folder or a \.dcm"):
        image.save(tmp_path / "image.npy", tag={"PatientID": "17"})
    with pytest.raises(gleam.BadInput, match=r"tag=….*'Patient' cannot be said"):
        image.save(tmp_path / "image", tag={"Patient": "17"})
    image.save(tmp_path / "image", tag={"PatientID": "17"})
    import pydicom

    assert pydicom.dcmread(tmp_path / "image" / "0001.dcm").PatientID == "17"


@pytest.mark.parametrize("name", ["zero_filled", "cg_sense", "wavelet"])
def test_methods_take_measurements(name, data, as_users_call_it):
    A, _ = data.measure(slices=0)
    for wrong in (A.adjoint, A.sense, ARRAY):
        with pytest.raises(
            gleam.BadInput, match=f"{name}: takes a Measurement, of Example.measure"
        ):
            as_users_call_it(getattr(gleam, name))(wrong)
