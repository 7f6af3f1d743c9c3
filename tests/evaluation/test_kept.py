"""Results that are there are not computed again, whatever else is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from tiny import CG_SENSE, prepared, tiny_scan

from gleam.data.loader import every_slice
from gleam.evaluation.evaluate import evaluate
from gleam.evaluation.kept import Kept, evaluate_kept
from gleam.evaluation.result import Evaluation
from gleam.physics.measurement import Measured
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstructor import Reconstructor

MASK = MaskRecipe(acceleration=1.6)


@dataclass(frozen=True)
class Counting(Reconstructor):
    """Scaled Aᴴy, twice; remembers how often it was asked."""

    scale: float = 1.0
    calls: list[int] = field(default_factory=list)

    def _images(self, measurement: Measured) -> Iterator[torch.Tensor]:
        self.calls.append(1)
        yield measurement.adjoint
        yield self.scale * measurement.adjoint

    def content(self) -> Iterator[bytes]:
        yield str(self.scale).encode()


EXAMPLES = [prepared(tiny_scan(seed=seed, name=f"scan-{seed}")) for seed in range(2)]


def same(one: Evaluation, other: Evaluation) -> None:
    assert one.methods == other.methods
    assert sorted(map(str, one.slices)) == sorted(map(str, other.slices))
    assert sorted(map(str, one.scans)) == sorted(map(str, other.scans))
    assert one.iterations == {m: pytest.approx(i) for m, i in other.iterations.items()}
    assert [p.scan for p in one.pictures] == [p.scan for p in other.pictures]
    for mine, its in zip(one.pictures, other.pictures, strict=True):
        assert mine.images == its.images
        assert mine.reference == its.reference
        assert (mine.planes, mine.voxel, mine.numbers) == (its.planes, its.voxel, its.numbers)
        assert mine.sampling is not None
        assert mine.sampling.equal(its.sampling)


def test_results_are_those_of_an_evaluation_and_come_back_from_the_folder(tmp_path: Path) -> None:
    methods = {"counting": Counting("counting", 0.9), "CG-SENSE": CG_SENSE}
    whole = evaluate(methods, every_slice(EXAMPLES, MASK))
    first = evaluate_kept(methods, EXAMPLES, MASK, Kept(tmp_path / "results"))
    same(first, whole)
    count = len(methods["counting"].calls)
    again = evaluate_kept(methods, EXAMPLES, MASK, Kept(tmp_path / "results"))
    same(again, first)
    assert again.seconds == first.seconds
    assert len(methods["counting"].calls) == count
    assert len([*(tmp_path / "results").iterdir()]) == 2 * 2


def test_only_what_is_missing_is_computed(tmp_path: Path) -> None:
    kept, one, other = Kept(tmp_path), Counting("one"), Counting("other", 0.5)
    evaluate_kept({"one": one}, EXAMPLES[:1], MASK, kept)
    assert len(one.calls) == 2  # slices
    found = evaluate_kept({"new name": one, "other": other}, EXAMPLES, MASK, kept)
    assert (len(one.calls), len(other.calls)) == (4, 4)
    assert found.methods == ["new name", "other"]
    assert {score.method for score in found.slices} == {"new name", "other"}
    assert [[*picture.images] for picture in found.pictures] == [["new name", "other"]] * 2
    evaluate_kept({"other": other}, EXAMPLES[1:], MASK, kept)
    assert len(other.calls) == 4


def test_other_weights_masks_marks_and_damage_are_computed_anew(tmp_path: Path) -> None:
    kept, one = Kept(tmp_path), Counting("one")
    evaluate_kept({"one": one}, EXAMPLES[:1], MASK, kept)
    again = Counting("one", 0.7)
    evaluate_kept({"one": again}, EXAMPLES[:1], MASK, kept)
    assert len(again.calls) == 2
    evaluate_kept({"one": one}, EXAMPLES[:1], MaskRecipe(acceleration=1.5), kept)
    assert len(one.calls) == 4
    evaluate_kept({"one": one}, EXAMPLES[:1], MASK, kept, {"one": "another recipe"})
    assert len(one.calls) == 6
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-40])
    evaluate_kept({"one": one}, EXAMPLES[:1], MASK, kept)
    assert len(one.calls) == 8
    evaluate_kept({"one": one}, EXAMPLES[:1], MASK, Kept(tmp_path, fresh=True))
    assert len(one.calls) == 10


def test_a_result_without_pictures_is_made_again_where_there_is_room(tmp_path: Path) -> None:
    kept, one = Kept(tmp_path), Counting("one")
    found = evaluate_kept({"one": one}, EXAMPLES, MASK, kept, room=1)
    assert [picture.scan for picture in found.pictures] == ["scan-0"]
    found = evaluate_kept({"one": one}, EXAMPLES[1:], MASK, kept)
    assert [picture.scan for picture in found.pictures] == ["scan-1"]
    assert len(one.calls) == 6
