import json
from dataclasses import replace
from pathlib import Path

import pytest
from kinds import KINDS, SLICES, lines, series
from tiny import prepared, undersampled

from gleam.data.header import VERSION as PREPARATION
from gleam.data.trained_on import VERSION, TrainedOn
from gleam.errors import BadInput
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe

MASK = MaskRecipe(acceleration=4)


def known(name: str) -> Prepared:
    """A scan of a file of its own."""
    example = Prepared(SLICES, Settings(), sha256=f"sha of {name}")
    example.header = example.header.model_copy(update={"name": name})
    return example


A, B, C = map(known, "abc")
OWN = TrainedOn.of([MASK], [A], [A, B])


def test_it_says_what_the_examples_are() -> None:
    expected = TrainedOn(
        version=VERSION,
        preparations=(PREPARATION,),
        kinds=("2D slices",),
        masks=("equispaced",),
        accelerations=(4, 4),
        training={"sha of a": "a"},
        validation={"sha of a": "a", "sha of b": "b"},
    )
    assert expected == OWN
    both = TrainedOn.of([MASK], [*KINDS.values()])
    assert both.kinds == ("2D slices", "2D series", "volumes", "series of volumes")
    assert both.training == {}  # what is in no file has no sha256


def test_it_reads_as_it_was_written(tmp_path: Path) -> None:
    assert TrainedOn.parse(OWN.model_dump_json(), tmp_path) == OWN


def test_a_run_knows_what_the_runs_before_it_saw() -> None:
    golden = MaskRecipe(kind="kt-golden", acceleration=8)
    later = TrainedOn.of([golden], [KINDS["2D series"], C]).after(OWN)
    assert later.kinds == ("2D slices", "2D series")
    assert later.masks == ("equispaced", "kt-golden")
    assert later.accelerations == (4, 8)
    assert set(later.training.values()) == {"a", "c"}
    assert set(later.validation.values()) == {"a", "b"}
    assert later.version == VERSION
    assert OWN.after(TrainedOn.unrecorded(golden)).version == 1


STACKS = [("2D slices", "volumes"), ("2D series", "series of volumes")]  # and what they are of


def test_volumes_are_stacks_to_networks_of_slices_alone() -> None:
    for trained, kind in STACKS:
        own = TrainedOn.of([MASK], [KINDS[trained]])
        assert own.takes_slices_of(kind)
        assert not own.takes_slices_of(trained)
        assert not own.after(TrainedOn.of([MASK], [KINDS[kind]])).takes_slices_of(kind)
        encoded = prepared(replace(KINDS[kind].scan, readout=None))
        with pytest.raises(BadInput, match=f"tiny holds {kind} whose readout .* or say --force"):
            own.check_kind("run", encoded)
        (said,) = own.check_kind("run", encoded, force=True)
        assert "no stacks of slices" in said


@pytest.mark.parametrize("trained", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_another_kind_is_refused_and_both_are_named(trained: str, kind: str) -> None:
    own = TrainedOn.of([MASK], [KINDS[trained]])
    if kind == trained:
        assert own.check_kind("run", KINDS[kind]) == []
        return
    if (trained, kind) in STACKS:
        assert own.check_kind("run", KINDS[kind]) == []
        return
    said = f"was trained on {trained}, but tiny holds {kind}"
    with pytest.raises(BadInput, match=f"^run: {said}; .*--force$"):
        own.check_kind("run", KINDS[kind])
    assert own.check_kind("run", KINDS[kind], force=True) == [said]


def test_scans_that_it_saw_are_no_test() -> None:
    assert OWN.check_unseen("run", [C]) == []
    with pytest.raises(BadInput, match=r"^run: was trained on a; .* --force$"):
        OWN.check_unseen("run", [A, C])
    with pytest.raises(BadInput, match="chose its best checkpoint by b"):
        OWN.check_unseen("run", [B])
    forced = OWN.check_unseen("run", [A, B, C], force=True)
    assert forced == ["was trained on a", "chose its best checkpoint by b"]
    many = [known(f"{i}") for i in range(5)]
    with pytest.raises(BadInput, match="was trained on 0, 1, 2 and 2 more;"):
        TrainedOn.of([MASK], many).check_unseen("run", many)


def test_scans_without_a_file_are_not_taken_for_each_other() -> None:
    nameless = prepared(SLICES)
    assert TrainedOn.of([MASK], [nameless]).check_unseen("run", [nameless]) == []


@pytest.mark.parametrize(
    ("mask", "doubts"),
    [
        (MASK, []),
        (MaskRecipe(acceleration=4.5), []),
        (MaskRecipe(acceleration=8), ["was trained at 4×, and the mask is 8× accelerated"]),
        (
            MaskRecipe(kind="random", acceleration=2),
            [
                "was trained at 4×, and the mask is 2× accelerated",
                "was trained with equispaced masks, and these are random",
            ],
        ),
    ],
    ids=["the same", "nearly", "faster", "another"],
)
def test_other_masks_are_doubted(mask: MaskRecipe, doubts: list[str]) -> None:
    assert OWN.doubts(C, mask) == doubts
    assert OWN.check_test("run", [C, C], mask) == doubts  # once for all scans


def test_a_scan_that_was_sampled_otherwise_is_doubted() -> None:
    own = TrainedOn.of([MaskRecipe(acceleration=1.5)], [A])
    assert own.doubts(prepared(undersampled(SLICES, lines()))) == []
    moving = prepared(undersampled(series(SLICES), lines(4)))
    said = "was trained with equispaced masks, and tiny sampled other lines of one axis in every"
    assert own.doubts(moving) == [f"{said} frame"]
    assert OWN.doubts(prepared(SLICES)) == ["was trained at 4×, and tiny is 1× accelerated"]


def test_another_version_of_preparation_is_doubted() -> None:
    old = TrainedOn(**OWN.model_dump() | {"preparations": (PREPARATION - 1,)})
    (said,) = old.doubts(C, MASK)
    assert f"by version {PREPARATION - 1}, and this is version {PREPARATION}" in said


def test_what_was_not_recorded_is_said() -> None:
    old = TrainedOn.unrecorded(MASK)
    assert "did not record which kind" in old.check_kind("run", A)[0]
    assert "did not record all scans" in old.check_unseen("run", [A])[0]
    grown = OWN.after(old)
    assert "did not record all scans" in grown.check_unseen("run", [C])[0]
    with pytest.raises(BadInput, match="was trained on 2D slices, but tiny holds 2D series"):
        grown.check_kind("run", KINDS["2D series"])
    with pytest.raises(BadInput, match="was trained on a"):
        grown.check_unseen("run", [A])


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"version": "x"}', "[" * 100_000])
def test_a_broken_record_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"trained_on\.json: is broken"):
        TrainedOn.parse(text, tmp_path / "trained_on.json")


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    later = json.dumps({**OWN.model_dump(), "version": VERSION + 1, "weather": "fine"})
    with pytest.raises(BadInput, match=f"version {VERSION + 1}, this program knows {VERSION}"):
        TrainedOn.parse(later, tmp_path / "trained_on.json")
