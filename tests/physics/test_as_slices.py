"""A volume as a batch of slices across its readout, and back."""

import pytest
import torch
from toys import toy_kspace, toy_measurement, toy_sense

from gleam.arrays import narrow
from gleam.errors import BadInput
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.physics.slices import AsSlices


@pytest.mark.parametrize("axis", [-3, -2, -1])
@pytest.mark.parametrize("held_out", [False, True], ids=["one mask", "a mask along the readout"])
@pytest.mark.parametrize("batch", [1, 2])
def test_slices_are_those_of_the_volume(axis: int, held_out: bool, batch: int) -> None:
    """Of every volume of a batch, with its k-space and its noise; together they are it again."""
    space, axes = [5, 6], tuple(a for a in (-3, -2, -1) if a != axis)
    space.insert(axis + 3, 4)
    whole = toy_sense(tuple(space), axes, batch, sets=2, frames=3)
    if held_out:
        sizes = [*whole.mask.shape]
        sizes[axis] = 4
        whole = Sense(whole.maps, whole.mask & (torch.rand(sizes) > 0.3), axes)
    y = whole.forward(toy_measurement(whole, 3)[1]) + toy_kspace(whole, 3) * whole.mask
    volume = Measurement(whole, whole.adjoint(y), torch.arange(1.0, batch + 1), lambda: y)
    slices = AsSlices.of(volume)
    assert slices.axes == (-2, -1)
    assert slices.adjoint.shape == (4 * batch, 2, 3, 5, 6)
    assert torch.equal(slices.together(slices.adjoint), volume.adjoint)
    for position in range(4):
        part = slices.part(range(position, position + 1))
        kspace = narrow(y, axis, range(position, position + 1)).squeeze(axis)
        assert torch.equal(part.kspace(), kspace)
        assert torch.allclose(part.sense.adjoint(kspace), part.adjoint, atol=1e-6)
        assert part.noise.tolist() == [*range(1, batch + 1)]
    at_once = slices.whole()
    assert torch.allclose(at_once.sense.adjoint(at_once.kspace()), slices.adjoint, atol=1e-6)


def test_a_volume_with_samples_along_all_axes_is_no_stack() -> None:
    with pytest.raises(BadInput, match="no stack of slices"):
        AsSlices.of(toy_measurement(toy_sense((4, 5, 6), (-3, -2, -1)))[0])
