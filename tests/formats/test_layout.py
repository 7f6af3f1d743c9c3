from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from gleam.errors import BadInput
from gleam.formats.layout import Layout

FILE = Path("scan.npy")
SIZES = {"slice": 2, "coil": 3, "frame": 4, "y": 5, "x": 6}


@pytest.mark.parametrize("said", ["coil y x", " coil, y,x ", "coil  y x,"])
def test_words_are_parted_by_spaces_or_commas(said):
    assert Layout.parse(said).axes == ("coil", "y", "x")


def test_the_readout_is_marked():
    layout = Layout.parse("x:readout y coil")
    assert (layout.axes, layout.readout) == (("x", "y", "coil"), "x")
    assert layout.arrange(FILE, (6, 5, 3)).readout == 1
    assert Layout.parse("x y z:readout").arrange(FILE, (4, 5, 6)).readout == 0
    assert Layout.parse("coil y x").arrange(FILE, (3, 5, 6)).readout is None
    assert Layout.parse("x y z:readout").arrange(FILE, (6, 5)).readout is None  # z has length 1


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("coyl y x", "did you mean coil?"),
        ("w y x", "known are slice, coil, frame, z, y, x"),
        ("coil y:redout x", "'y:redout' is no axis; ':readout' marks"),
        ("coil y y x", "'y' is there twice"),
        ("coil y", "lacks y or x"),
        ("", "'' is no axis"),
        ("coil:readout y x", "marks one of z, y and x"),
        ("coil y:readout x:readout", "'x:readout' is no axis"),
    ],
)
def test_words_that_are_no_layout(said, says):
    with pytest.raises(BadInput, match="--axes: ") as caught:
        Layout.parse(said)
    assert says in str(caught.value)


def test_the_oversampled_axis_is_the_readout():
    layout = Layout.parse("coil y x", oversampled="y")
    arrangement = layout.arrange(FILE, (3, 8, 6))
    assert (arrangement.readout, arrangement.matrix) == (0, (4, 6))
    arrangement = Layout.parse("coil y x:readout", oversampled="x:1.5").arrange(FILE, (3, 8, 6))
    assert (arrangement.readout, arrangement.matrix) == (1, (8, 4))
    usual = Layout.parse(None, oversampled="x").or_else(Layout(("y", "x"), "y"))
    assert usual.arrange(FILE, (8, 6)).matrix == (8, 3)


@pytest.mark.parametrize(
    ("axes", "said", "says"),
    [
        ("coil y x", "coil", "'coil' is no oversampled axis"),
        ("coil y x", "y:0.5", "'y:0.5' is no"),
        ("coil y x", "y:two", "'y:two' is no"),
        ("coil y x:readout", "y", "y is not the readout; --axes says that x is"),
    ],
)
def test_oversampling_that_is_none(axes, said, says):
    with pytest.raises(BadInput, match="--oversampled: ") as caught:
        Layout.parse(axes, oversampled=said)
    assert says in str(caught.value)


@pytest.mark.parametrize("order", list(permutations(SIZES))[::7])
def test_axes_in_any_order(order):
    rng = np.random.default_rng(0)
    kspace = rng.normal(size=tuple(SIZES.values()))
    stored = kspace.transpose([list(SIZES).index(word) for word in order])
    arrangement = Layout(order).arrange(FILE, stored.shape)
    assert arrangement.shape == kspace.shape
    np.testing.assert_array_equal(arrangement.pick(stored, 1), kspace[1])
    np.testing.assert_array_equal(arrangement.reversed.pick(stored.T, 1), kspace[1])


@pytest.mark.parametrize(
    ("said", "stored", "shape"),
    [
        ("y x", (5, 6), (1, 1, 1, 5, 6)),
        ("x y z frame", (6, 5, 4, 3), (1, 1, 3, 4, 5, 6)),
        ("x y coil", (6, 5, 1, 3), (1, 3, 1, 5, 6)),  # without a word for the axis of length 1
        ("coil y x", (1, 3, 1, 5, 6, 1), (1, 3, 1, 5, 6)),
        ("y x coil", (5, 6, 3, 1, 1), (1, 3, 1, 5, 6)),
        ("x y slice coil", (6, 5, 1, 3), (1, 3, 1, 5, 6)),
        ("y x coil frame", (5, 6, 3), (1, 3, 1, 5, 6)),  # MATLAB drops those at the end
        ("coil y x", (1, 5, 6), (1, 1, 1, 5, 6)),
    ],
)
def test_axes_of_length_1(said, stored, shape):
    array = np.arange(np.prod(stored)).reshape(stored)
    arrangement = Layout.parse(said).arrange(FILE, stored)
    assert arrangement.shape == shape
    assert arrangement.pick(array, 0).shape == shape[1:]


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ("coil y x", (2, 3, 5, 6)),
        ("slice coil frame y x", (3, 5, 6)),
        ("y x coil", (1, 5, 6, 1)),  # y of length 1: which axis is meant is not clear
    ],
)
def test_words_that_do_not_fit_the_array(said, stored):
    with pytest.raises(BadInput, match=r"scan\.npy: the array is \d") as caught:
        Layout.parse(said).arrange(FILE, stored)
    assert "word" in str(caught.value)
