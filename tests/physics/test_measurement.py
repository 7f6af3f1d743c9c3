import torch
from toys import EACH_SHAPE, toy_kspace, toy_sense

from gleam.physics.measurement import Measurement


@EACH_SHAPE
def test_it_holds_the_zero_filled_image(shape):
    sense = toy_sense(**shape)
    kspace = toy_kspace(sense, shape.get("frames", 1))
    assert torch.equal(Measurement.of(sense, kspace).adjoint, sense.adjoint(kspace))


@EACH_SHAPE
def test_what_was_not_sampled_is_ignored(shape):
    sense = toy_sense(**shape)
    kspace = toy_kspace(sense, shape.get("frames", 1))
    assert not sense.mask.all()
    adjoint = Measurement.of(sense, kspace).adjoint
    assert torch.equal(Measurement.of(sense, kspace * sense.mask).adjoint, adjoint)


def test_it_moves_as_a_whole():
    sense = toy_sense(coils_at_once=2)
    moved = Measurement.of(sense, toy_kspace(sense)).to("meta")
    for tensor in (moved.adjoint, moved.sense.maps, moved.sense.mask):
        assert tensor.device.type == "meta"
    assert (moved.sense.axes, moved.sense.coils_at_once) == (sense.axes, 2)
