import torch
from toys import toy_kspace, toy_sense

from gleam.physics.measurement import Measurement


def test_it_holds_the_zero_filled_image():
    sense, kspace = toy_sense(), toy_kspace(toy_sense())
    assert torch.equal(Measurement.of(sense, kspace).adjoint, sense.adjoint(kspace))


def test_what_was_not_sampled_is_ignored():
    sense, kspace = toy_sense(), toy_kspace(toy_sense())
    assert not sense.mask.all()
    adjoint = Measurement.of(sense, kspace).adjoint
    assert torch.equal(Measurement.of(sense, kspace * sense.mask).adjoint, adjoint)


def test_it_moves_as_a_whole():
    sense = toy_sense(coils_at_once=2)
    moved = Measurement.of(sense, toy_kspace(sense)).to("meta")
    for tensor in (moved.adjoint, moved.sense.maps, moved.sense.mask):
        assert tensor.device.type == "meta"
    assert (moved.sense.axes, moved.sense.coils_at_once) == (sense.axes, 2)
