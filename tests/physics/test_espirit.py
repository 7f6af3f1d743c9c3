import inspect
import math
import shutil
import subprocess

import numpy as np
import pytest
import torch
from scipy.io import loadmat

from gleam.arrays import narrow, slabs
from gleam.errors import BadInput
from gleam.physics import espirit as module
from gleam.physics.espirit import Sensitivities, espirit
from gleam.simulation import simulate_scan

needs_bart = pytest.mark.skipif(shutil.which("bart") is None, reason="bart is not installed")


def centre(kspace, box):
    """The calibration region (slice, coil, frame, *box) of centred k-space (coil, *space)."""
    cut = [
        slice(n // 2 - c // 2, n // 2 - c // 2 + c)
        for n, c in zip(kspace.shape[1:], box, strict=True)
    ]
    return kspace[(slice(None), *cut)][None, :, None]


def transform(function, data):
    axes = tuple(range(1, data.ndim))
    shifted = torch.fft.ifftshift(data, dim=axes)
    return torch.fft.fftshift(function(shifted, dim=axes, norm="ortho"), dim=axes)


def ellipse(space, radius=0.8):
    grids = torch.meshgrid(*[2 * (torch.arange(n) - n // 2) / n for n in space], indexing="ij")
    return grids, sum(g**2 for g in grids) < radius**2


def simulated(space, coils, seed=0):
    """An ellipse with texture and phase, smooth maps of unit length, and the coils' k-space."""
    generator = torch.Generator().manual_seed(seed)
    grids, inside = ellipse(space)
    maps = []
    for coil in range(coils):
        turn = 2 * math.pi * coil / coils
        place = [1.3 * math.cos(turn), 1.3 * math.sin(turn), 0.9 * (-1) ** coil][: len(space)]
        distance = sum((g - p) ** 2 for g, p in zip(grids, place, strict=True))
        maps.append(torch.polar(1 / (0.4 + distance), 0.8 * grids[coil % 2] + turn))
    maps = torch.stack(maps)
    maps /= maps.norm(dim=0)
    texture = 1 + 0.3 * torch.rand(space, generator=generator)
    image = torch.polar(texture * inside, 0.5 * grids[0])
    return maps, inside, transform(torch.fft.fftn, maps * image)


def residual(maps, kspace):
    """Share of the fully sampled coil images, inside the head, that the maps cannot express."""
    images = transform(torch.fft.ifftn, kspace)
    strength = images.norm(dim=0)
    head = strength > 0.1 * strength.max()
    combined = torch.einsum("scyx,cyx->syx", maps.conj(), images)
    missing = images - torch.einsum("scyx,syx->cyx", maps, combined)
    return (missing[:, head].norm() / images[:, head].norm()).item()


@pytest.fixture(scope="module")
def brain(shared_data):
    values = np.fromfile(shared_data / "brain8ch_espirit_full.cfl", "<c8")
    return torch.from_numpy(values.reshape(8, 180, 230).transpose(0, 2, 1).copy())


@pytest.fixture(scope="module")
def wrapped(shared_data):
    values = loadmat(shared_data / "brain8ch_smallfov_full.mat")["DATA"][:, 44:212]
    return torch.from_numpy(values.transpose(2, 0, 1).astype(np.complex64))


def bart_maps(kspace, box, folder):
    """Maps (set, coil, *space) of `bart ecalib -m 1` on k-space (coil, *space)."""
    coils, *space = kspace.shape
    shape = (*[1] * (3 - len(space)), *space, coils)
    (folder / "kspace.hdr").write_text("# Dimensions\n" + " ".join(map(str, shape)) + "\n")
    kspace.movedim(0, -1).numpy().ravel("F").tofile(folder / "kspace.cfl")
    region = ":".join(map(str, (*[1] * (3 - len(space)), *box)))
    command = ["bart", "ecalib", "-m", "1", "-r", region, "kspace", "maps"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    maps = np.fromfile(folder / "maps.cfl", "<c8").reshape(shape, order="F")
    return torch.from_numpy(maps.reshape(*space, coils).copy()).movedim(-1, 0)[None]


@needs_bart
def test_maps_are_those_of_bart(brain, tmp_path):
    box = (24, 24)
    theirs = bart_maps(brain, box, tmp_path)[0]
    strength = transform(torch.fft.ifftn, brain).norm(dim=0)
    support = theirs.norm(dim=0) > 0
    head = support & (strength > 0.1 * strength.max())
    # BART's default: squared singular values below a thousandth of the largest are noise.
    same = espirit(centre(brain, box), brain.shape[1:], threshold=0.001**0.5)[0, 0, :, 0]
    agreement = (theirs.conj() * same).sum(0).abs()[head]
    assert agreement.min() > 0.999
    assert ((same.norm(dim=0) > 0) != support).float().mean() < 0.002
    ours = espirit(centre(brain, box), brain.shape[1:])[0, 0, :, 0]
    assert (theirs.conj() * ours).sum(0).abs()[head].mean() > 0.99


@needs_bart
@pytest.mark.parametrize("box", [(10, 24), (24, 10), (24, 14)])
def test_narrow_boxes_leave_less_than_bart(brain, tmp_path, box):
    ours = residual(espirit(centre(brain, box), brain.shape[1:])[0, :, :, 0], brain)
    theirs = residual(bart_maps(brain, box, tmp_path), brain)
    assert ours < 0.09  # 0.078 is left by a box of 24 × 24
    assert ours < 1.02 * theirs


@pytest.mark.parametrize("box", [(24, 24), (24, 10)])
def test_two_sets_hold_what_wraps_over_the_edge(wrapped, box):
    one, two = (
        residual(espirit(centre(wrapped, box), wrapped.shape[1:], sets)[0, :, :, 0], wrapped)
        for sets in (1, 2)
    )
    assert two < 0.65 * one


@pytest.mark.parametrize("sets", [1, 2])
def test_maps_are_orthonormal_or_zero(wrapped, sets):
    maps = espirit(centre(wrapped, (24, 24)), wrapped.shape[1:], sets)[0, :, :, 0]
    gram = torch.einsum("scyx,tcyx->yxst", maps.conj(), maps)
    own = gram.diagonal(dim1=2, dim2=3).real
    assert ((own - own.round()).abs() < 1e-5).all()
    assert set(own.round().unique().tolist()) <= {0.0, 1.0}
    assert (gram - torch.diag_embed(own)).abs().max() < 1e-5
    if sets == 2:  # the first set is the one with the larger eigenvalue
        assert (own[..., 0] >= own[..., 1] - 1e-5).all()
        assert 0.02 < own[..., 1].mean() < own[..., 0].mean()


@pytest.mark.parametrize(
    ("space", "box"), [((64, 48), (24, 24)), ((63, 49), (23, 12)), ((28, 24, 21), (12, 13, 12))]
)
def test_known_maps_come_back(space, box):
    truth, inside, kspace = simulated(space, 5)
    maps = espirit(centre(kspace, box), space)
    assert maps.shape == (1, 1, 5, 1, *space)
    assert maps.dtype == torch.complex64
    agreement = (maps[0, 0, :, 0].conj() * truth).sum(0)[inside].abs()
    assert agreement.min() > 0.98
    assert agreement.mean() > 0.999


def test_phase_is_smooth_even_where_the_first_coil_sees_nothing():
    space = (64, 48)
    _, inside, kspace = simulated(space, 5)
    images = transform(torch.fft.ifftn, kspace)
    images[0, :, :24] = 0
    maps = espirit(centre(transform(torch.fft.fftn, images), (24, 24)), space)[0, 0, :, 0]
    for axis in (1, 2):
        step = (maps.conj() * maps.roll(1, axis)).sum(0)[inside & inside.roll(1, axis - 1)]
        assert step.angle().abs().max() < 0.2


def test_slices_do_not_depend_on_each_other_or_on_chunks(monkeypatch):
    space = (33, 40)
    slices = torch.cat([centre(simulated(space, 4, seed)[2], (16, 12)) for seed in range(3)])
    slices[1] = 0
    together = espirit(slices, space, 2)
    assert not together[1].any()
    assert together[0].any()
    monkeypatch.setattr(module, "CHUNK", 4 * 4 * 40 * 7)
    alone = torch.cat([espirit(one[None], space, 2) for one in slices])
    assert (together - alone).abs().max() < 1e-5


def by_definition(region, space, width, threshold, crop):
    """Maps (coil, *space) of one set: patch by patch and pixel by pixel, in double precision."""
    region = region.to(torch.complex128)
    coils, frames, *box = region.shape
    places = [(y, x) for y in range(box[0] - width + 1) for x in range(box[1] - width + 1)]
    patches = [region[:, f, y : y + width, x : x + width] for f in range(frames) for y, x in places]
    _, values, rows = torch.linalg.svd(torch.stack(patches).flatten(1), full_matrices=False)
    rows = rows[values > threshold * values[0]].reshape(-1, coils, width, width)
    waves = [
        torch.exp(2j * math.pi / n * torch.outer(torch.arange(n) - n // 2, torch.arange(width)))
        for n in space
    ]
    seen = torch.einsum("rcab,ya,xb->yxcr", rows, *[w.to(torch.complex128) for w in waves]) / width
    values, vectors = torch.linalg.eigh(seen @ seen.mH)
    return (vectors[..., -1] * (values[..., -1:] > crop)).permute(2, 0, 1)


@pytest.mark.parametrize(
    ("coils", "frames"),
    [
        pytest.param(3, 1, id="more patches than samples in each"),
        pytest.param(26, 1, id="fewer patches"),
        pytest.param(26, 2, id="fewer in two frames"),
    ],
)
def test_maps_are_those_of_the_definition(coils, frames):
    space = (20, 24)
    kspace = simulated(space, coils)[2]
    region = centre(kspace, (10, 10))[0].expand(-1, frames, -1, -1).clone()
    noise = torch.randn(
        region.shape, dtype=region.dtype, generator=torch.Generator().manual_seed(0)
    )
    region += 1e-3 * region.abs().max() * noise
    expected = by_definition(region, space, 4, 0.02, 0.8)
    maps = espirit(region[None], space)[0, 0, :, 0]
    both = (maps.norm(dim=0) > 0) & (expected.norm(dim=0) > 0)
    assert ((maps.norm(dim=0) > 0) == (expected.norm(dim=0) > 0)).float().mean() > 0.99
    assert both.float().mean() > 0.3
    product = (maps.conj() * expected).sum(0)
    turned = expected * (product.conj() / product.abs())
    assert (maps - turned)[:, both].abs().max() < 0.01


@pytest.mark.parametrize("unit", [1e-22, 1e-9, 1e15])
def test_units_do_not_matter(unit):
    space = (32, 32)
    box = centre(simulated(space, 4)[2], (16, 16))
    assert (espirit(box * unit, space) - espirit(box, space)).abs().max() < 1e-3


def test_frames_of_opposite_sign_count_together():
    """Their mean is next to nothing."""
    space = (32, 32)
    box = centre(simulated(space, 4)[2], (16, 16))
    maps = espirit(torch.cat([box, -0.99 * box], 2), space)
    assert (maps - espirit(box, space)).abs().max() < 1e-3


def test_a_coil_of_noise_gets_a_map_near_zero():
    space = (48, 48)
    truth, inside, kspace = simulated(space, 4)
    noise = torch.randn(1, *space, dtype=kspace.dtype, generator=torch.Generator().manual_seed(0))
    kspace = torch.cat([kspace, 1e-3 * kspace.abs().max() * noise])
    maps = espirit(centre(kspace, (24, 24)), space)[0, 0, :, 0]
    assert maps[4, inside].abs().mean() < 0.05
    assert (maps[:4].conj() * truth).sum(0)[inside].abs().mean() > 0.99


def test_nothing_but_noise_gives_finite_maps():
    noise = torch.randn(1, 4, 1, 16, 16, dtype=torch.complex64)
    maps = espirit(noise, (32, 32), 2)
    assert maps.isfinite().all()


@pytest.mark.parametrize("seed", range(5))
def test_a_point_without_noise(seed):
    """All patches are the same: a matrix of rank one, which single precision may not decompose."""
    generator = torch.Generator().manual_seed(seed)
    coils = torch.randn(2, dtype=torch.complex64, generator=generator)
    maps = espirit(coils[None, :, None, None, None].expand(1, 2, 1, 5, 6), (8, 6))[0, 0, :, 0]
    found = (maps.conj() * (coils / coils.norm())[:, None, None]).sum(0).abs()
    assert found[4, 3] == pytest.approx(1, abs=1e-5)


def test_one_coil_has_the_map_one_inside_the_object():
    space = (48, 40)
    _, inside, kspace = simulated(space, 1)
    maps = espirit(centre(kspace, (24, 24)), space)[0, 0, 0, 0]
    assert (maps[inside] - 1).abs().max() < 1e-5
    assert (maps == 0).any()


def test_the_narrowest_boxes_still_give_maps():
    space = (32, 24)
    truth, inside, kspace = simulated(space, 4)
    for box in ((24, 1), (1, 24), (3, 16)):
        maps = espirit(centre(kspace, box), space)[0, 0, :, 0]
        assert maps.isfinite().all()
        assert (maps.conj() * truth).sum(0)[inside].abs().mean() > 0.7


def test_misfits_are_refused():
    box = torch.zeros(1, 2, 1, 8, 8, dtype=torch.complex64)
    with pytest.raises(BadInput, match="other axes"):
        espirit(box, (16, 16, 16))
    for sets in (0, 3):
        with pytest.raises(BadInput, match="ask for 1 to 2"):
            espirit(box, (16, 16), sets)


@pytest.mark.parametrize(
    "given",
    [
        np.zeros((1, 2, 1, 8, 8), np.complex64),
        torch.zeros(1, 2, 1, 8, 8),
        torch.zeros(2, 8, 8) + 0j,
    ],
    ids=["NumPy", "real", "axes missing"],
)
def test_calibration_that_is_none_is_refused(given):
    with pytest.raises(BadInput, match=r"calibration is .*; give a complex tensor \(slice, coil"):
        inspect.unwrap(espirit)(given, (16, 16))


def test_a_slice_by_itself_is_estimated_as_among_others():
    """With the same kernel, threshold and crop, although they are said twice."""
    space, coils = (32, 32), 4
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(coils, *space, dtype=torch.complex64, generator=generator)
    kspace = simulated(space, coils)[2]
    box = centre(kspace + 1e-3 * kspace.abs().max() * noise, (20, 20))
    maps = Sensitivities(box[0], space).maps()
    assert torch.equal(maps, espirit(box, space)[0])
    for other in ({"kernel": 5}, {"threshold": 0.05}, {"crop": 0.5}):
        assert not torch.equal(maps, espirit(box, space, **other)[0]), other


def test_kernels_are_at_most_two_fifths_of_a_narrow_box():
    """A few lines hold too few of the larger patches; see the comparison with BART."""
    space = (24, 20)
    box = centre(simulated(space, 3)[2], (10, 10))
    maps = espirit(box, space)
    assert torch.equal(maps, espirit(box, space, kernel=4))
    assert not torch.equal(maps, espirit(box, space, kernel=3))


def test_a_background_without_signal_has_no_maps():
    """Its eigenvalues stay below the crop; there are some between 0.5 and 0.8."""
    space = (48, 48)
    _, inside, kspace = simulated(space, 5)
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(5, *space, dtype=torch.complex64, generator=generator)
    box = centre(kspace + 1e-3 * kspace.abs().max() * noise, (24, 24))
    maps = espirit(box, space)[0, 0, :, 0]
    _, near = ellipse(space, 1.0)
    assert (maps[:, inside].norm(dim=0) > 0).all()
    assert (maps[:, ~near].norm(dim=0) > 0).float().mean() < 0.25


@pytest.mark.parametrize("axis", [-3, -2, -1])
def test_maps_of_a_slab_are_those_of_the_volume(axis):
    space = (28, 24, 21)
    maps = Sensitivities(centre(simulated(space, 5)[2], (12, 13, 12))[0], space, 2)
    whole = maps.maps()
    for positions in slabs(space[axis], 5):
        slab, expected = maps.maps(positions, axis), narrow(whole, axis, positions)
        same = (slab - expected).abs().flatten(0, 2).amax(0) < 1e-4
        assert same.float().mean() > 0.999  # an eigenvalue may lie on the edge


def head_of(kspace):
    strength = transform(torch.fft.ifftn, kspace).norm(dim=0)
    return strength > 0.1 * strength.max()


def volume_kspace(seed, snr=40.0):
    return torch.from_numpy(simulate_scan((40, 36, 32), 6, 1, snr, seed, 1).kspace[0][:, 0])


@pytest.mark.parametrize("seed", range(2))
def test_phase_of_a_volume_is_as_smooth_along_the_readout_as_in_plane(seed):
    """Although every readout position is estimated for itself."""
    kspace = volume_kspace(seed)
    space = tuple(kspace.shape[1:])
    maps = Sensitivities(centre(kspace, (24, 10, 10))[0], space)
    slices = torch.cat([maps.maps(part, -3) for part in slabs(space[0], 1)], -3)[0, :, 0]
    head = head_of(kspace)
    steps = []
    for axis in (-3, -2, -1):
        step = (slices.conj() * slices.roll(1, axis)).sum(0)[head & head.roll(1, axis)]
        steps.append(step[step != 0].angle().abs())
    along, *in_plane = (step.mean() for step in steps)
    assert along < 1.5 * max(in_plane)
    assert steps[0].max() < 1


@needs_bart
def test_maps_of_a_volume_are_those_of_bart(tmp_path):
    kspace = volume_kspace(0)
    space = tuple(kspace.shape[1:])
    box = (24, 12, 12)
    theirs = bart_maps(kspace, box, tmp_path)[0]
    ours = espirit(centre(kspace, box), space)[0, 0, :, 0]
    head = head_of(kspace) & (theirs.norm(dim=0) > 0)
    agreement = (theirs.conj() * ours).sum(0).abs()[head]
    assert agreement.mean() > 0.999
    assert head.sum() > 0.95 * head_of(kspace).sum()


@pytest.mark.parametrize("lines", [10, 16])
def test_a_volume_leaves_less_than_a_2d_estimate_of_each_position(lines):
    kspace = volume_kspace(1)
    space = tuple(kspace.shape[1:])
    (box,) = centre(kspace, (24, lines, lines))
    # The calibration region at each position along the readout, at the readout's full length.
    before = space[0] // 2 - 12
    longer = torch.nn.functional.pad(box, (0, 0, 0, 0, before, space[0] - 24 - before))
    positions = torch.fft.fftshift(torch.fft.ifft(torch.fft.ifftshift(longer, dim=2), dim=2), dim=2)
    apart = espirit(positions.movedim(2, 0), space[1:])[:, 0, :, 0].movedim(0, 1)
    together = espirit(box[None], space)[0, 0, :, 0]
    images = transform(torch.fft.ifftn, volume_kspace(1, snr=1e6))[:, head_of(kspace)]
    left = []
    for maps in (together, apart):
        inside = maps[:, head_of(kspace)]
        left.append((images - inside * (inside.conj() * images).sum(0)).norm() / images.norm())
    assert left[0] < left[1]
    agreement = (together.conj() * apart).sum(0).abs()[head_of(kspace)]
    assert agreement.mean() > 0.999
