from typing import Any

import torch
from toys import EACH_SHAPE, cut, toy_image, toy_measurement, toy_sense

from gleam.arrays import Image
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.reconstruction.baselines import cg_sense, zero_filled


def solved(sense: Sense, adjoint: Image, weight: float) -> Image:
    """(AᴴA + weight) x = Aᴴy by a dense solve, A one column at a time, in double precision."""
    batch, *shape = adjoint.shape
    columns = torch.eye(adjoint[0].numel(), dtype=torch.complex64)
    images = []
    for one in range(batch):
        mask = sense.mask[one : one + 1] if len(sense.mask) > 1 else sense.mask
        alone = Sense(sense.maps[one : one + 1], mask, sense.axes)
        forward = torch.stack([alone.forward(c.reshape(1, *shape)).flatten() for c in columns], 1)
        forward = forward.to(torch.complex128)
        normal = forward.mH @ forward + weight * columns.to(torch.complex128)
        image = torch.linalg.solve(normal, adjoint[one].flatten().to(torch.complex128))
        images.append(image.reshape(shape).to(torch.complex64))
    return torch.stack(images)


@EACH_SHAPE
def test_cg_sense_is_the_dense_solution(shape: dict[str, Any]) -> None:
    measurement, _ = toy_measurement(toy_sense(**shape, coils=4), shape.get("frames", 1))
    expected = solved(measurement.sense, measurement.adjoint, 0.05)
    error = cg_sense(measurement, weight=0.05, steps=100) - expected
    assert error.norm() < 1e-3 * expected.norm()


def test_cg_sense_of_a_slab_is_cut_from_that_of_the_volume() -> None:
    for axes, axis in (((-2, -1), -3), ((-3, -2), -1)):
        measurement, _ = toy_measurement(toy_sense((14, 16, 18), axes, coils=4))
        volume = cg_sense(measurement)
        slab = cg_sense(cut(measurement, axis, 5, 4))
        assert (volume.narrow(axis, 5, 4) - slab).abs().max() < 1e-5 * volume.abs().max()


def test_cg_sense_unfolds_what_zero_filling_cannot() -> None:
    sense = toy_sense((12, 12), coils=6)
    image = toy_image(sense)
    measurement = Measurement.of(sense, sense.forward(image))
    assert (cg_sense(measurement) - image).norm() < 0.5 * (zero_filled(measurement) - image).norm()


def test_zero_filling_is_the_adjoint() -> None:
    measurement, _ = toy_measurement(toy_sense())
    assert zero_filled(measurement) is measurement.adjoint
