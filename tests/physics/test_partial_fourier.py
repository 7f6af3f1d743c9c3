"""One side of k-space not acquired: what the phase constraint wins, and that it does no harm."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import centred_fft, centred_ifft, undersampled
from toys import toy_measurement, toy_sense

from gleam.arrays import Image, narrow
from gleam.data.collate import Item, collate
from gleam.physics import baselines, compressed_sensing
from gleam.physics.baselines import cg_sense
from gleam.physics.compressed_sensing import wavelet
from gleam.physics.measurement import Measurement
from gleam.physics.partial_fourier import constraint, short_sides
from gleam.physics.slabs import Slabbed
from gleam.physics.slices import AsSlices
from gleam.preparation.description import example_facts
from gleam.preparation.prepare import Prepared, Settings
from gleam.simulation import simulate_scan

LINES = np.arange(64)


def case(rough: bool, keep: np.ndarray) -> tuple[Measurement, Image]:
    """What was measured, and the image of the whole."""
    scan = simulate_scan((48, 64), coils=4, slices=1, snr=30.0, seed=1, oversampling=1)
    kspace = np.array(scan.kspace)
    if rough:
        phase = np.exp(2j * np.random.default_rng(0).normal(size=(48, 64)))
        kspace = centred_fft(centred_ifft(kspace, (-2, -1)) * phase, (-2, -1))
    scan = replace(scan, kspace=kspace.astype(np.complex64))
    full = Prepared(scan, Settings(calibration=16))
    part = Prepared(undersampled(scan, keep[None, None]), Settings(calibration=16))
    target = full[0].target
    assert target is not None
    batch = collate([Item(part, 0, 0)], None)
    return batch.measurement.whole(), target[None] * (full.header.scale / part.header.scale)


@pytest.mark.parametrize("method", [cg_sense, wavelet])
@pytest.mark.parametrize(("rough", "least"), [(False, 1.0), (True, -0.1)])
def test_what_a_phase_constraint_wins(method, rough, least, monkeypatch):
    measurement, target = case(rough, LINES >= 24)
    held = method(measurement)
    for module in (baselines, compressed_sensing):
        monkeypatch.setattr(module, "constraint", lambda *_: None)
    plain, held = (float((x - target).norm()) for x in (method(measurement), held))
    assert 20 * np.log10(plain / held) > least


@pytest.mark.parametrize(
    ("lines", "short"),
    [
        (LINES >= 24, 8),
        (LINES < 48, 15),
        ((LINES >= 16) & ((LINES % 2 == 0) | (abs(LINES - 32) < 8)), 16),
        (LINES % 4 == 0, None),
        (LINES >= 2, None),
        (LINES >= 0, None),
    ],
)
def test_is_told_from_the_sampling(lines, short):
    mask = torch.fft.ifftshift(torch.from_numpy(lines))[None, None, None, None]
    found = short_sides(mask, (-1,))
    assert (found == {}) if short is None else (found[-1].tolist() == [short])


def test_an_example_does_not_depend_on_its_neighbour():
    measurement, _ = toy_measurement(toy_sense((16, 64)))
    one_sided, whole = (torch.fft.ifftshift(torch.from_numpy(k)) for k in (LINES > 24, LINES >= 0))
    mask = torch.stack([one_sided, whole])[:, None, None, None]
    sense = replace(measurement.sense, mask=mask, axes=(-1,))
    both = Measurement.of(sense, sense.forward(measurement.adjoint))
    image = cg_sense(both)
    for k in range(2):
        alone = Measurement(
            replace(sense, maps=sense.maps[k : k + 1], mask=mask[k : k + 1]),
            both.adjoint[k : k + 1],
        )
        assert (cg_sense(alone) - image[k : k + 1]).norm() < 1e-4 * image.norm()
    found = constraint(image, mask, (-1,))
    assert found is not None
    assert not found.strength[1].any()


@pytest.mark.parametrize("method", [cg_sense, wavelet])
def test_volume_slab_by_slab_is_the_whole(method):
    sense = toy_sense((11, 9, 32), (-2, -1), batch=1)
    mask = torch.fft.ifftshift(torch.arange(32) > 10)
    sense = replace(sense, mask=mask.expand(1, 1, 1, 1, 9, 32))
    image = torch.ones(1, 1, 1, 11, 9, 32) * torch.linspace(1, 2, 32)  # its phase is smooth
    whole = Measurement.of(sense, sense.forward(image.to(torch.complex64)))
    parts = Slabbed(
        lambda at: narrow(sense.maps, -3, at), whole.mask, whole.axes, -3, 4, whole.adjoint
    )
    expected = method(whole)
    assert (method(parts) - expected).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize("method", [cg_sense, wavelet])
def test_slices_of_a_volume_have_one_mask_and_a_phase_each(method):
    """Those of a slab are reconstructed together, and are each what they would be alone."""
    sense = toy_sense((5, 8, 32), (-1,), batch=1)
    mask = torch.fft.ifftshift(torch.arange(32) > 10)
    sense = replace(sense, mask=mask.expand(1, 1, 1, 1, 1, 32))
    ramp = torch.linspace(1, 2, 32) * torch.exp(1j * torch.arange(5.0))[:, None, None]
    volume = Measurement.of(sense, sense.forward(ramp.expand(1, 1, 1, 5, 8, 32).contiguous()))
    parts = Slabbed(
        lambda at: narrow(sense.maps, -3, at), volume.mask, volume.axes, -3, 2, volume.adjoint
    )
    slices = method(AsSlices.of(parts))
    for number in range(5):
        alone = method(AsSlices.of(parts).part(range(number, number + 1)))
        assert (slices[number] - alone[0]).norm() < 1e-3 * alone.norm()


def test_is_said_of_an_example():
    scan = simulate_scan((48, 64), coils=4, slices=1, snr=30.0, seed=1)
    said = [
        example_facts(Prepared(one, Settings(calibration=16)))["partial_fourier"]
        for one in (scan, undersampled(scan, (LINES >= 24)[None, None]))
    ]
    assert said == [[], ["x"]]
