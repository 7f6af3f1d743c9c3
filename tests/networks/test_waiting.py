"""Nothing in a training step waits for a number of the GPU's, but where it is said.

The device `meta` has no numbers: whoever asks for one, to branch on it or to loop so often, fails.
"""

import pytest
import torch
from toys import SHAPES, toy_image, toy_measurement, toy_network, toy_sense

from gleam.training.loss import LOSSES

NETWORKS = {
    "modl": {},
    "modl with the gradient": {"inputs": ["gradient"]},
    "modl with the change": {"inputs": ["change"]},
    "pgd": {"family": "pgd"},
    "pgd coupled": {"family": "pgd", "coupling": True},
    "reversible": {"family": "reversible"},
    "U-Net": {"kind": "unet"},
}
DIMENSIONS = {"2D": 2, "2D+t": 3, "3D": 3}


def on_meta(shape):
    sense = toy_sense(**SHAPES[shape])
    measurement, _ = toy_measurement(sense, SHAPES[shape].get("frames", 1))
    return measurement.to("meta")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_never_asks_for_a_number(name, shape):
    measurement = on_meta(shape)
    fields = {"dimensions": DIMENSIONS[shape], "circular": shape == "2D+t"} | NETWORKS[name]
    network = toy_network(**fields, sets=measurement.adjoint.shape[1], width=4).to("meta")
    image = network(measurement)
    LOSSES["l1"](image, torch.empty_like(image)).mean().backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    assert all(p.grad.shape == p.shape for p in network.parameters())


def test_a_solve_to_a_tolerance_does():
    measurement = on_meta("2D")
    network = toy_network(cg_tolerance=1e-3).to("meta")
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        network(measurement)


def test_the_device_meta_does_notice():
    image = toy_image(toy_sense()).to("meta")
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        float(image.abs().max())
