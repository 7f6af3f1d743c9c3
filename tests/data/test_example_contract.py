"""Every example keeps the contract of `Example`, on disk or being prepared."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import every_second_line, largest_error, prepared, tiny_scan, undersampled
from torch import Tensor

from gleam.arrays import narrow
from gleam.data.example import Example, ExampleFile, Slice, write
from gleam.data.header import Header
from gleam.physics.fourier import ifft
from gleam.preparation.prepare import Prepared


def check_example(example: Example) -> None:
    """Whether its parts fit each other, and its slabs the whole."""
    header, (slices, coils, frames, *space) = example.header, example.shape
    assert example.path is None or example.path.is_file(), "a file that is none"
    assert header.fits(space), "a header of other axes"
    assert example.sampled.dtype == torch.bool, "a pattern of another type"
    whole = example.sampled.expand(frames, *space)
    for index in range(slices):
        one = example[index]
        assert one.kspace.shape == (coils, frames, *space), "k-space of another shape"
        assert one.maps.shape == (example.sets, coils, 1, *space), "maps of another shape"
        assert (one.target is not None) == example.complete, "a target, or none, is wrong"
        kinds = {part.dtype for part in vars(one).values() if part is not None}
        assert kinds == {torch.complex64}, "numbers of another type"
        assert not (one.kspace * ~whole).any(), "data where nothing was sampled"
        assert one.maps.abs().square().sum(1).max() < 1 + 1e-4, "maps of more than unit power"
        if one.target is not None:
            images = ifft(one.kspace, header.axes)
            expected = torch.einsum("sc...,c...->s...", one.maps.conj(), images)
            error = largest_error(one.target.numpy(), expected.numpy())
            assert error < 1e-4, "another target than its coil images make"
        _check_same(one, example[index], "another time it is other")
    axis = header.slab_axis
    if axis is not None:
        one, length = example[0], space[axis]
        for positions in (range(3), range(2, 7), range(length - 1, length)):
            part = partial(narrow, axis=axis, positions=positions)
            target = None if one.target is None else part(one.target)
            expected = Slice(part(one.kspace), part(one.maps), target)
            _check_same(example.slab(positions), expected, "a slab is no part of the whole")
            _check_alike(example.maps(positions), expected.maps, "a slab's maps are other")


def _check_same(one: Slice, other: Slice, what: str) -> None:
    assert (one.target is None) == (other.target is None), what
    for name, part in vars(one).items():
        if part is not None:
            _check_alike(part, getattr(other, name), what)


def _check_alike(one: Tensor, other: Tensor, what: str) -> None:
    assert one.shape == other.shape, what
    assert largest_error(one.numpy(), other.numpy()) < 1e-5, what


def series() -> Prepared:
    scan = tiny_scan(slices=1)
    return prepared(replace(scan, kspace=np.repeat(np.array(scan.kspace), 3, axis=2)))


KINDS: dict[str, Callable[[], Prepared]] = {
    "slices": lambda: prepared(tiny_scan()),
    "undersampled slices": lambda: prepared(undersampled(tiny_scan(), every_second_line())),
    "slices of two map sets": lambda: prepared(tiny_scan(slices=1), sets=2),
    "slices of fewer coils": lambda: prepared(tiny_scan(slices=1), coils=2),
    "series": series,
    "a volume": lambda: prepared(tiny_scan((16, 18, 17), slices=1)),
    "a volume whose readout stays in k-space": lambda: prepared(
        replace(tiny_scan((16, 18, 17), slices=1, oversampling=1), readout=None)
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_contract(kind: str, tmp_path: Path) -> None:
    example = KINDS[kind]()
    check_example(example)
    write(example, tmp_path / "example.h5")
    check_example(ExampleFile(tmp_path / "example.h5"))


class Broken:
    """A volume that breaks one rule."""

    def __init__(self, rule: str, example: Example) -> None:
        self.rule, self.example, self.read = rule, example, 0
        self.header: Header = example.header
        self.shape, self.sets, self.complete = example.shape, example.sets, example.complete
        self.sampled, self.path = example.sampled, example.path
        if rule == "a file that is none":
            self.path = Path("nowhere.h5")
        if rule == "a header of other axes":
            self.header = self.header.model_copy(update={"calibration": (2, 2)})
        if rule == "a pattern of another type":
            self.sampled = self.sampled.float()
        if rule == "a target, or none":
            self.complete = False
        if rule == "data where nothing":
            self.sampled = torch.zeros_like(self.sampled)

    def __getitem__(self, index: int, /) -> Slice:
        one = self.example[index]
        self.read += 1
        assert one.target is not None
        if self.rule == "k-space of another shape":
            return Slice(one.kspace[..., 1:], one.maps[..., 1:], one.target[..., 1:])
        if self.rule == "maps of another shape":
            twice = torch.cat([one.maps, one.maps]), torch.cat([one.target, one.target])
            return Slice(one.kspace, *twice)
        if self.rule == "numbers of another type":
            return replace(one, kspace=one.kspace.to(torch.complex128))
        if self.rule == "unit power":
            return replace(one, maps=2 * one.maps)
        if self.rule == "another target":
            return replace(one, target=2 * one.target)
        if self.rule == "another time":
            return replace(one, maps=one.maps * (1 + 1e-3 * (self.read > 1)))
        return one

    def slab(self, positions: range, /) -> Slice:
        one = self.example.slab(positions)
        return replace(one, kspace=2 * one.kspace) if self.rule == "a slab is no part" else one

    def maps(self, positions: range, /) -> Tensor:
        maps = self.example.maps(positions)
        return 2 * maps if self.rule == "a slab's maps" else maps


RULES = [
    "a file that is none",
    "a header of other axes",
    "a pattern of another type",
    "k-space of another shape",
    "maps of another shape",
    "a target, or none",
    "numbers of another type",
    "data where nothing",
    "unit power",
    "another target",
    "another time",
    "a slab is no part",
    "a slab's maps",
]


@pytest.fixture(scope="module")
def volume() -> Prepared:
    return KINDS["a volume"]()


@pytest.mark.parametrize("rule", ["", *RULES])
def test_contract_that_is_broken_is_noticed(rule: str, volume: Prepared) -> None:
    broken = Broken(rule, volume)
    if not rule:
        check_example(broken)
        return
    with pytest.raises(AssertionError, match=rule):
        check_example(broken)
