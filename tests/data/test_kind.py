import numpy as np
import pytest
from kinds import KINDS, SLICES, VOLUME, ellipse, lines, series
from tiny import every_second_line, prepared, undersampled

from gleam.data.kind import acceleration_of, check_kinds, kind_of, pattern_of, pattern_of_mask
from gleam.errors import BadInput
from gleam.formats import Scan
from gleam.preparation.prepare import Prepared
from gleam.recipe import Recipe


def recipe(dimensions: int, slab: int | None = None) -> Recipe:
    regulariser = {"dimensions": dimensions}
    return Recipe.model_validate({"data": {"slab": slab}, "network": {"regulariser": regulariser}})


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_of_the_kind_its_shape_says(kind: str) -> None:
    assert kind_of(KINDS[kind]) == kind


@pytest.mark.parametrize(
    ("dimensions", "slab", "fitting"),
    [
        (2, None, {"2D slices", "2D series"}),
        (2, 1, {"2D slices", "2D series", "volumes", "series of volumes"}),
        (3, None, {"2D series", "volumes", "series of volumes"}),
        (3, 8, {"2D series", "volumes", "series of volumes"}),
    ],
)
def test_convolutions_are_for_the_axes_there_are(
    dimensions: int, slab: int | None, fitting: set[str]
) -> None:
    for kind, example in KINDS.items():
        if kind in fitting:
            check_kinds([example], recipe(dimensions, slab))
        else:
            with pytest.raises(BadInput, match=f"tiny: holds {kind}.*network.regulariser.dim"):
                check_kinds([example], recipe(dimensions, slab))


def points() -> np.ndarray:
    """Every second point of two axes of a volume, and their centre."""
    y, x = np.ogrid[:16, :18]
    kept = (y + x) % 2 == 0
    kept[4:12, 5:13] = True
    return kept[None, None]


@pytest.mark.parametrize(
    ("scan", "keep", "mask"),
    [
        (SLICES, lines(), "equispaced"),
        (series(SLICES), lines(4), "kt-golden"),
        (VOLUME, points(), "poisson"),
    ],
    ids=["lines", "lines of frames", "points"],
)
def test_a_scan_was_sampled_in_the_pattern_of_such_masks(
    scan: Scan, keep: np.ndarray, mask: str
) -> None:
    example = prepared(undersampled(scan, keep))
    assert pattern_of(example) == pattern_of_mask(mask)
    others = {"equispaced", "kt-golden", "poisson"} - {mask}
    assert all(pattern_of(example) != pattern_of_mask(other) for other in others)
    edges = keep.any((0, 1)).nonzero()[-1]
    assert acceleration_of(example) == pytest.approx(
        keep[..., edges[0] : edges[-1] + 1].size / keep.sum()
    )


def test_what_was_sampled_in_full_has_no_pattern() -> None:
    assert all(pattern_of(example) is None for example in KINDS.values())
    assert all(acceleration_of(example) == 1 for example in KINDS.values())


def test_edges_that_were_never_acquired_are_no_pattern() -> None:
    kept = np.zeros((1, 1, 20), bool)
    kept[..., 5:] = True
    partial: Prepared = prepared(undersampled(SLICES, kept))
    assert pattern_of(partial) is None
    half = prepared(undersampled(SLICES, kept & every_second_line()))
    assert pattern_of(half) == pattern_of_mask("random")


def test_corners_that_were_never_acquired_are_no_pattern() -> None:
    for scan in (VOLUME, series(VOLUME)):
        example = prepared(undersampled(scan, ellipse(scan)))
        assert pattern_of(example) is None
        assert acceleration_of(example) == 1
