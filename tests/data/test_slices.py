"""A volume as an example of slices across its readout."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_example_contract import check_example
from tiny import largest_error, prepared, tiny_scan

from gleam.data.example import ExampleFile, write
from gleam.data.masks import mask_seed, sampling
from gleam.data.slices import SlicesOf, taken
from gleam.errors import BadInput
from gleam.preparation.prepare import Prepared
from gleam.recipe import MaskRecipe

SPACE = (16, 18, 20)


def volume(readout: int = 0) -> Prepared:
    """Its axes turned, so that the readout is another one."""
    scan = tiny_scan(SPACE, slices=1, oversampling=1)
    kspace = np.moveaxis(np.array(scan.kspace), -3, readout - 3)
    space = kspace.shape[-3:]
    sampled = np.ones((1, *space), bool)
    voxel = (1.0, 2.0, 3.0)
    turned = replace(
        scan,
        kspace=kspace,
        sampled=sampled,
        readout=readout,
        matrix=space,
        voxel=voxel,
        calibration=tuple((0, n) for n in space),
        affine=np.array([[3.0, 0, 0, 5], [0, 2, 0, 7], [0, 0, 1, 9], [0, 0, 0, 1]]),
    )
    return prepared(turned, calibration=6)


@pytest.mark.parametrize("readout", [0, 1, 2])
def test_contract(readout: int, tmp_path: Path) -> None:
    check_example(SlicesOf(volume(readout)))
    write(volume(readout), tmp_path / "example.h5")
    check_example(SlicesOf(ExampleFile(tmp_path / "example.h5")))


@pytest.mark.parametrize("readout", [0, 1, 2])
def test_slices_lie_where_the_volume_has_them(readout: int) -> None:
    whole, axis = volume(readout), readout - 3
    slices = SlicesOf(whole)
    assert slices.shape == (16, 3, 1, 18, 20)
    for index in (0, 11):
        assert torch.equal(slices[index].kspace, whole[0].kspace.select(axis, index))
        expected = whole[0].maps.select(axis, index)
        assert largest_error(slices[index].maps.numpy(), expected.numpy()) < 1e-4
    place = [3, 4]  # of a row and a column
    place.insert(readout, 11)
    z, y, x = place
    of_volume = np.array(whole.header.affine) @ [x, y, z, 1]
    np.testing.assert_array_equal(np.array(slices.header.affine) @ [4, 3, 11, 1], of_volume)
    left = [a for a in range(3) if a != readout]
    assert slices.header.voxel == tuple(whole.header.voxel[a] for a in (*left, readout))


@pytest.mark.parametrize("kind", ["equispaced", "poisson"])
@pytest.mark.parametrize("readout", [0, 1, 2])
def test_their_mask_is_the_volumes(readout: int, kind: str) -> None:
    whole, seed = volume(readout), mask_seed("tiny")
    mask = MaskRecipe.model_validate({"kind": kind, "acceleration": 2})
    expected = sampling(whole, seed, mask)
    assert not expected.all()
    assert torch.equal(sampling(SlicesOf(whole), seed, mask), expected.squeeze(readout - 3))


def test_a_readout_that_stays_in_k_space_leaves_no_slices() -> None:
    scan = replace(tiny_scan(SPACE, slices=1, oversampling=1), readout=None)
    with pytest.raises(BadInput, match="tiny: is a volume whose readout was not sampled in full"):
        taken([prepared(scan)], "slices")


def test_only_volumes_are_taken_apart_and_only_on_request() -> None:
    examples = [prepared(tiny_scan()), volume()]
    assert taken(examples, "whole") == examples
    flat, apart = taken(examples, "slices")
    assert flat is examples[0]
    assert isinstance(apart, SlicesOf)
