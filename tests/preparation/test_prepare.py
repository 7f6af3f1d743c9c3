from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from kinds import VOLUME, ellipse
from tiny import coil_images, every_second_line, largest_error, prepared, tiny_scan, undersampled

from gleam.arrays import narrow, slabs
from gleam.data.collate import Item, collate
from gleam.data.example import ExampleFile, Slice, write
from gleam.data.loader import check, every_slice
from gleam.errors import BadInput, Unwritable
from gleam.formats import Scan, cfl, fastmri, lazy, read_scan
from gleam.physics.fourier import ifft
from gleam.preparation.prepare import Prepared
from gleam.recipe import MaskRecipe
from gleam.simulation import simulate_scan


def images(example: Prepared, one: Slice) -> np.ndarray:
    """The coil images in the scan's own intensities."""
    return ifft(one.kspace, example.header.axes).numpy() * example.header.scale


def changed(scan: Scan, change: Callable[[np.ndarray], object]) -> Scan:
    kspace = np.array(scan.kspace)
    change(kspace)
    return replace(scan, kspace=kspace)


@pytest.mark.parametrize(
    ("shape", "oversampling"),
    [((24, 20), 2), ((25, 21), 2), ((25, 21), 3), ((24, 21), 1), ((16, 18, 17), 2)],
)
def test_data_reproduce_the_scan(shape: tuple[int, ...], oversampling: int) -> None:
    slices = 2 if len(shape) == 2 else 1
    scan = tiny_scan(shape, slices, oversampling=oversampling)
    example = prepared(scan)
    assert example.shape == (slices, 3, 1, *shape)
    assert example.header.axes == ((-1,) if len(shape) == 2 else (-2, -1))
    assert example.header.matrix == shape
    for index in range(slices):
        one = example[index]
        expected = coil_images(scan, index)
        assert largest_error(images(example, one), expected) < 2e-6
        maps = one.maps.numpy()
        target = np.einsum("sc...,c...->s...", maps.conj(), expected) / example.header.scale
        assert one.target is not None
        assert largest_error(one.target.numpy(), target) < 1e-5


def test_target_is_about_one_and_explains_the_coil_images() -> None:
    example = prepared(tiny_scan((48, 40), slices=1, coils=6))
    one = example[0]
    assert one.target is not None
    assert 0.5 < np.quantile(one.target.abs().numpy(), 0.98) < 2
    coils = ifft(one.kspace, example.header.axes)
    error = coils - (one.maps * one.target[:, None]).sum(0)
    assert error.norm() < 0.2 * coils.norm()


@pytest.mark.parametrize("factor", [7, 1e-12, 1e12])
def test_scale_follows_the_intensities_and_leaves_the_rest_alone(factor: float) -> None:
    scan = tiny_scan()
    louder = prepared(changed(scan, lambda k: np.multiply(k, factor, out=k)))
    example = prepared(scan)
    assert louder.header.scale == pytest.approx(factor * example.header.scale)
    torch.testing.assert_close(louder[0].kspace, example[0].kspace)


def test_maps_and_scale_come_from_the_calibration_lines_alone() -> None:
    scan = tiny_scan()
    kept = 10

    def disturb(kspace: np.ndarray) -> None:
        noise = np.random.default_rng(0).normal(size=kspace.shape) * np.abs(kspace).max()
        outside = np.ones(20, bool)
        outside[10 - kept // 2 :][:kept] = False
        kspace[..., outside] += noise[..., outside]

    before, after = prepared(scan), prepared(changed(scan, disturb))
    assert before.header.calibration == (24, kept)
    level = {"noise": None}  # is read off what lies outside
    assert after.header.model_copy(update=level) == before.header.model_copy(update=level)
    for index in range(2):
        assert torch.equal(after[index].maps, before[index].maps)
        assert not torch.equal(after[index].kspace, before[index].kspace)


@pytest.mark.parametrize("asked", [4, 9, 20])
def test_calibration_size_is_honoured(asked: int) -> None:
    assert prepared(tiny_scan(), calibration=asked).header.calibration == (24, asked)


@pytest.mark.parametrize("asked", [-1, 21])
def test_calibration_size_that_is_not_there_is_refused(asked: int) -> None:
    with pytest.raises(BadInput, match=f"{asked} calibration lines asked for, but 20 of 20"):
        prepared(tiny_scan(), calibration=asked)


def test_calibration_of_an_undersampled_scan_is_what_it_has() -> None:
    scan = undersampled(tiny_scan(), every_second_line(centre=7))
    available = prepared(scan).header.calibration[1]
    assert available >= 7
    with pytest.raises(BadInput, match=f"but {available} of 20 are sampled"):
        prepared(scan, calibration=available + 1)


def test_scan_without_calibration_lines_or_signal_is_refused() -> None:
    scan = tiny_scan()
    with pytest.raises(BadInput, match="tiny: has no fully sampled centre"):
        prepared(replace(scan, calibration=None))
    with pytest.raises(BadInput, match=r"tiny: .*no signal"):
        prepared(changed(scan, lambda k: k.fill(0)))


def test_value_that_is_not_finite_is_refused_by_slice() -> None:
    def poison(kspace: np.ndarray) -> None:
        kspace[1, 0, 0, 3, 3] = np.nan

    with pytest.raises(BadInput, match=r"tiny: slice 1 .*NaN"):
        prepared(changed(tiny_scan(), poison))


def test_lines_that_a_vendor_filled_with_zeros_stay_unsampled(tmp_path: Path) -> None:
    lines = (np.arange(20) >= 3) & (np.arange(20) < 18)
    fastmri.write(undersampled(tiny_scan(), lines[None, None]), tmp_path / "scan.h5")
    scan = fastmri.read(tmp_path / "scan.h5")
    assert scan.complete
    example = prepared(scan)
    assert example.complete
    assert np.array_equal(np.fft.fftshift(example.sampled.numpy()), lines[None, None])
    batch = collate([Item(example, 0, 0)], MaskRecipe(acceleration=1))
    assert np.array_equal(np.fft.fftshift(batch.measurement.sense.mask[0, 0]), lines[None, None])


def test_noise_scan_whitens() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    white = rng.normal(size=(3, 5000)) + 1j * rng.normal(size=(3, 5000))
    noise = (mixing @ white).astype(np.complex64)
    scan = tiny_scan()
    example = prepared(replace(scan, noise=noise))
    whitening = np.linalg.inv(np.linalg.cholesky(noise @ noise.conj().T / noise.shape[1]))
    expected = np.einsum("mc,c...->m...", whitening, coil_images(scan, 0))
    assert largest_error(images(example, example[0]), expected) < 1e-4


def test_noise_scan_without_noise_is_refused() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(3, 5000)) + 1j * rng.normal(size=(3, 5000))
    with pytest.raises(BadInput, match="next to no noise"):
        prepared(replace(tiny_scan(), noise=(1e-18 * noise).astype(np.complex64)))


def test_coils_are_compressed_to_the_strongest_of_the_calibration_region() -> None:
    scan = tiny_scan(coils=5)
    example = prepared(scan, coils=3)
    assert example.shape[1] == 3
    calibration = np.concatenate(
        [coil_images(scan, i).transpose(0, 1, 3, 2).reshape(5, -1) for i in range(2)], 1
    )
    kept = np.sum(np.abs(images(example, example[0])) ** 2)
    assert kept > 0.9 * np.sum(np.abs(coil_images(scan, 0)) ** 2)
    strongest = np.linalg.svd(calibration, compute_uv=False)[:3]
    both = sum(np.sum(np.abs(images(example, example[i])) ** 2) for i in range(2))
    assert both == pytest.approx(np.sum(strongest**2), rel=0.02)
    with pytest.raises(BadInput, match="5 coils cannot become 6"):
        prepared(scan, coils=6)


def test_two_map_sets() -> None:
    one = prepared(tiny_scan(slices=1), sets=2)[0]
    assert one.maps.shape == (2, 3, 1, 24, 20)
    assert one.target is not None
    assert one.target.shape == (2, 1, 24, 20)


def test_scan_that_does_not_say_its_readout_keeps_both_axes_in_f(tmp_path: Path) -> None:
    scan = tiny_scan(oversampling=1)
    cfl.write_kspace(replace(scan, readout=None), tmp_path / "scan.cfl")
    read = read_scan(tmp_path / "scan.cfl")
    assert read.readout is None
    example = prepared(read)
    assert example.header.axes == (-2, -1)
    assert largest_error(images(example, example[1]), coil_images(scan, 1)) < 2e-6


def test_asymmetric_echo_leaves_the_readout_in_f() -> None:
    scan = tiny_scan(oversampling=1)
    echo = (np.arange(24) >= 5)[None, :, None]
    example = prepared(undersampled(scan, echo))
    assert example.header.axes == (-2, -1)
    assert example.sampled.shape == (1, 24, 1)


def test_undersampled_scan_has_no_target_and_reconstructs_but_does_not_train() -> None:
    lines = every_second_line()
    example = prepared(undersampled(tiny_scan(), lines))
    assert not example.complete
    assert example[0].target is None
    (first, _) = every_slice([example], None)
    assert first.target is None
    assert np.array_equal(np.fft.fftshift(first.measurement.sense.mask[0, 0]), lines)
    for refused in (
        lambda: check([example], MaskRecipe()),
        lambda: next(every_slice([example], MaskRecipe())),
    ):
        with pytest.raises(BadInput, match=r"^tiny: was undersampled when it was scanned.*$"):
            refused()


@pytest.mark.parametrize("first", [0, 4], ids=["whole", "partial Fourier"])
def test_volume_inside_an_ellipse_has_a_target_and_trains(first: int, tmp_path: Path) -> None:
    """Corners that were never acquired are zeros of the target's k-space."""
    acquired = ellipse(VOLUME)
    acquired[..., :first, :] = False
    scan = undersampled(VOLUME, acquired)
    write(prepared(scan), tmp_path / "scan.h5")
    example = ExampleFile(tmp_path / "scan.h5")
    assert example.complete
    masked = MaskRecipe(kind="poisson", acceleration=2)
    check([example], masked)
    (batch,) = every_slice([example], None)
    assert batch.target is not None
    assert largest_error(batch.measurement.adjoint.numpy(), batch.target.numpy()) < 1e-5
    (batch,) = every_slice([example], masked)
    assert batch.target is not None
    assert largest_error(batch.measurement.adjoint.numpy(), batch.target.numpy()) > 0.01


def test_frames_are_kept_and_share_their_maps() -> None:
    scan = tiny_scan(slices=1)
    cine = replace(scan, kspace=np.repeat(np.array(scan.kspace), 3, axis=2))
    example, static = prepared(cine), prepared(scan)
    assert example.shape == (1, 3, 3, 24, 20)
    torch.testing.assert_close(example[0].maps, static[0].maps, rtol=0, atol=1e-3)
    assert example[0].target is not None
    assert example[0].target.shape == (1, 3, 24, 20)


@pytest.mark.parametrize("snr", [10.0, 80.0])
def test_noise_level_is_that_of_the_scaled_data(snr: float) -> None:
    noisy, clean = (simulate_scan((48, 44), 8, 2, ratio, 5) for ratio in (snr, 1e7))
    example = prepared(noisy)
    added = np.stack([noisy.kspace[i] - clean.kspace[i] for i in range(2)])
    truth = np.sqrt(np.mean(np.abs(added) ** 2)) / example.header.scale
    assert example.header.noise == pytest.approx(truth, rel=0.1)
    batch = collate([Item(example, 1, 0)], MaskRecipe(acceleration=2))
    assert batch.measurement.noise is not None
    assert batch.measurement.noise.tolist() == pytest.approx([example.header.noise])


def turned(scan: Scan, readout: int) -> Scan:
    """The same volume with its readout along another axis."""
    order = [*range(3)]
    order.insert(readout, order.pop(0))
    kspace = np.transpose(scan.kspace, (0, 1, 2, *(3 + axis for axis in order)))
    matrix = tuple(scan.matrix[axis] for axis in order)
    space = kspace.shape[3:]
    return replace(
        scan,
        kspace=np.ascontiguousarray(kspace),
        readout=readout,
        matrix=matrix,
        calibration=tuple((0, n) for n in space),
    )


@pytest.mark.parametrize("readout", range(3))
def test_volume_is_the_same_slab_by_slab_and_in_its_file(readout: int, tmp_path: Path) -> None:
    scan = turned(tiny_scan((16, 18, 17), 1, coils=4), readout)
    example = prepared(scan, coils=3, sets=2)
    axis = readout - 3
    assert example.header.slab_axis == axis
    whole = example[0]
    write(example, tmp_path / "scan.h5")
    read = ExampleFile(tmp_path / "scan.h5")
    for name, array in vars(whole).items():
        assert torch.equal(vars(read[0])[name], array)
    for positions in slabs(16, 5):
        for slab in (example.slab(positions), read.slab(positions)):
            for name, array in vars(slab).items():
                expected = narrow(vars(whole)[name], axis, positions)
                assert array.shape == expected.shape
                assert largest_error(array.numpy(), expected.numpy()) < 1e-5
        assert torch.equal(read.maps(positions), narrow(read[0].maps, axis, positions))
    with h5py.File(tmp_path / "scan.h5") as file:
        for name in ("kspace", "maps", "target"):
            assert file[name].chunks[axis] == 1
            assert file[name].chunks[3:axis] == file[name].shape[3:axis]


def test_volume_is_read_a_coil_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfl.write_kspace(tiny_scan((16, 18, 17), 1, oversampling=1), tmp_path / "scan.cfl")
    load, coils = cfl._load, []

    def counted(path: Path, index: int, some: slice, **layout: object) -> np.ndarray:
        coils.append(some)
        return load(path, index, some, **layout)

    monkeypatch.setattr(cfl, "_load", counted)
    monkeypatch.setattr(lazy, "AT_ONCE", 1)
    write(prepared(read_scan(tmp_path / "scan.cfl")), tmp_path / "scan.h5")
    each = [slice(0, 1), slice(1, 2), slice(2, 3)]
    assert coils == 5 * each  # zeros, likeness to k-space, calibration, noise, decoding


def test_volume_with_an_asymmetric_echo_is_whole() -> None:
    echo = (np.arange(16) >= 4)[None, :, None, None]
    example = prepared(undersampled(tiny_scan((16, 18, 17), 1, oversampling=1), echo))
    assert example.header.axes == (-3, -2, -1)
    assert example.header.slab_axis is None
    assert example[0].maps.shape == (1, 3, 1, 16, 18, 17)


def test_temporary_folder_without_room_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", partial(open, "/dev/full", "wb"))
    with pytest.raises(Unwritable, match=r"^tiny: its k-space: cannot be .* with TMPDIR, then"):
        prepared(tiny_scan((16, 18, 17), 1))[0]


def test_a_scan_that_is_next_to_all_noise_says_so() -> None:
    def warnings(snr: float) -> list[str]:
        scan = simulate_scan((32, 40), 4, 1, snr, 0)
        example = prepared(undersampled(scan, every_second_line(40)), calibration=8)
        return [one for one in example.header.warnings if "next to nothing but noise" in one]

    assert len(warnings(0.7)) == 1
    assert not warnings(5.0)
