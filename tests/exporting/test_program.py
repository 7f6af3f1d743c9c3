import pytest
import torch
from toys import toy_image, toy_measurement, toy_network, toy_sense

from gleam.errors import BadInput
from gleam.exporting.program import AllCoils, Program, check, traced
from gleam.exporting.real import Real
from gleam.physics.compressed_sensing import wavelet
from gleam.recipe import NetworkRecipe

# Family, its fields, (space, axes, series), and the arguments of a measurement of another size.
KINDS = {
    "modl": ("modl", {}, (2, (-1,), False), {"space": (20, 18), "coils": 5}),
    "pgd, shown all": (
        "pgd",
        {"inputs": ("gradient", "change")},
        (2, (-2, -1), False),
        {"space": (17, 22), "axes": (-2, -1), "coils": 2},
    ),
    "reversible, two sets": (
        "reversible",
        {"sets": 2},
        (2, (-2,), False),
        {"space": (9, 22), "axes": (-2,), "sets": 2, "coils": 4},
    ),
    "modl, cine": (
        "modl",
        {"dimensions": 3},
        (2, (-1,), True),
        {"space": (10, 14), "frames": 3, "coils": 4},
    ),
    "pgd, volumes": (
        "pgd",
        {"dimensions": 3, "patch": (3, 4, 8)},
        (3, (-2, -1), False),
        {"space": (5, 9, 8), "axes": (-2, -1), "coils": 4},
    ),
}


QUICK = {"pgd, shown all", "pgd, volumes"}
EACH = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=name, marks=[] if name in QUICK else pytest.mark.slow)
        for name, kind in KINDS.items()
    ],
)


@EACH
def test_a_program_is_the_network_to_the_bit_at_any_size(kind) -> None:
    family, fields, how, other = kind
    network = toy_network(family, 2, **fields).eval().requires_grad_(False)
    space, axes, series = how
    made, inputs = traced(network, space, axes, fields.get("sets", 1), series)
    program = made.module()
    assert inputs == ("maps", "mask", "adjoint", "noise")
    measurement, _ = toy_measurement(toy_sense(batch=1, **other), other.get("frames", 1))
    sense = measurement.sense
    given = sense.maps, sense.mask, measurement.adjoint, measurement.noise
    with torch.no_grad():
        image = program(*given)
        assert torch.equal(image, Program(network, axes)(*given))
        expected = network(measurement)
    assert (image - expected).abs().max() < 1e-5 * expected.abs().max()
    assert (measurement.adjoint - expected).abs().max() > 1e-3 * expected.abs().max()


@EACH
def test_the_twin_in_real_arithmetic_is_the_program(kind) -> None:
    family, fields, (space, axes, series), _ = kind
    network = toy_network(family, 1, **fields).eval().requires_grad_(False)
    program, _ = traced(network, space, axes, fields.get("sets", 1), series)
    given, _ = program.example_inputs
    parts = [torch.view_as_real(x) if x.is_complex() else x for x in given]
    with torch.no_grad():
        expected = torch.view_as_real(program.module()(*given))
        found = Real(program)(*parts)
    assert not found.is_complex()
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_all_coils_at_once_are_the_operator() -> None:
    sense = toy_sense(sets=2, frames=3)
    image = toy_image(sense, 3)
    at_once = AllCoils(sense.maps, sense.mask, sense.axes)
    torch.testing.assert_close(at_once.normal(image), sense.normal(image))
    kspace = sense.forward(image)
    torch.testing.assert_close(at_once.forward(image), kspace)
    torch.testing.assert_close(at_once.adjoint(kspace), sense.adjoint(kspace))


def test_a_first_image_that_is_reconstructed_is_one_more_input() -> None:
    network = toy_network("pgd", 1, first_image="wavelet", inputs=("change",)).eval()
    program, inputs = traced(network.requires_grad_(False), 2, (-1,), 1, False)
    assert inputs == ("maps", "mask", "adjoint", "noise", "first")
    measurement, _ = toy_measurement(toy_sense(batch=1, space=(20, 18), coils=5))
    sense, first = measurement.sense, wavelet(measurement)
    given = sense.maps, sense.mask, measurement.adjoint, measurement.noise
    with torch.no_grad():
        expected = network(measurement)
        image = program.module()(*given, first)
        other = program.module()(*given, measurement.adjoint)
    assert (image - expected).abs().max() < 1e-5 * expected.abs().max()
    assert (other - expected).abs().max() > 1e-3 * expected.abs().max()


def test_what_finds_out_its_steps_as_it_goes_is_no_program() -> None:
    with pytest.raises(BadInput, match=r"network.cg_tolerance: .*network.cg_steps instead"):
        check(NetworkRecipe(cg_tolerance=1e-4))
