"""Record of a network's training data, and what it says about using the network on other scans.

Three things follow. A scan of another kind is refused: the network makes an image of it that
nothing vouches for. A scan it has learnt from is refused as a test. What may only make images worse
(another mask, another acceleration, another version of preparation) is a doubt, said in one line.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ConfigDict, field_validator

from gleam.amounts import rounded
from gleam.data.example import Example
from gleam.data.kind import (
    AS_SLICES,
    ScanKind,
    acceleration_of,
    kind_of,
    pattern_of,
    pattern_of_mask,
)
from gleam.errors import BadInput
from gleam.physics.classical import compressed_sensing_of
from gleam.physics.sampling import Kind
from gleam.recipe import MaskRecipe

VERSION = 2  # of runs and checkpoints, see docs/versions.md; version 1 did not record all this
NEAR = 1.25  # times another acceleration than was learnt goes without a word


class TrainedOn(BaseModel):
    """The data that a network was trained on: in its own run, and in those that its weights came
    from.

    Attributes:
        version: of the oldest run among these.
        preparations: versions of the examples.
        kinds: of the examples.
        masks: kinds of masks.
        accelerations: the lowest and the highest.
        training: name of each scan learnt from, by the sha256 of its file.
        validation: the same of scans that chose the best checkpoint.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERSION
    preparations: tuple[int, ...]
    kinds: tuple[ScanKind, ...]
    masks: tuple[Kind, ...]
    accelerations: tuple[float, float]
    training: dict[str, str]
    validation: dict[str, str]

    @field_validator("kinds")
    @classmethod
    def _in_order(cls, kinds: tuple[ScanKind, ...]) -> tuple[ScanKind, ...]:
        return tuple(kind for kind in get_args(ScanKind) if kind in kinds)

    @classmethod
    def parse(cls, text: str, path: Path) -> "TrainedOn":
        """Read the record of a run from its file `path`.

        Raises:
            BadInput: it is broken, or of a later version.
        """
        try:
            version = dict(json.loads(text))["version"]
            if version > VERSION:
                raise BadInput(
                    f"{path}: is of a run of version {version}, this program knows {VERSION}; "
                    "update it"
                )
            return cls.model_validate_json(text)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadInput(
                f"{path}: is broken; take it from a copy of the run, or remove it"
            ) from error

    @classmethod
    def of(
        cls,
        masks: Sequence[MaskRecipe],
        training: Sequence[Example],
        validation: Sequence[Example] = (),
    ) -> "TrainedOn":
        """The record of a run whose weights are drawn."""
        accelerations = [mask.acceleration for mask in masks]
        return cls(
            preparations=tuple(sorted({one.header.version for one in training})),
            kinds=tuple({kind_of(one) for one in training}),
            masks=tuple(sorted({mask.kind for mask in masks})),
            accelerations=(min(accelerations), max(accelerations)),
            training=_scans(training),
            validation=_scans(validation),
        )

    @classmethod
    def unrecorded(cls, mask: MaskRecipe) -> "TrainedOn":
        """The record of a run of version 1, which has a recipe and no record."""
        return cls(
            version=1,
            preparations=(1,),
            kinds=(),
            masks=(mask.kind,),
            accelerations=(mask.acceleration, mask.acceleration),
            training={},
            validation={},
        )

    def after(self, earlier: "TrainedOn") -> "TrainedOn":
        """The same of a run whose weights come from an earlier one."""
        return TrainedOn(
            version=min(self.version, earlier.version),
            preparations=tuple(sorted({*self.preparations, *earlier.preparations})),
            kinds=self.kinds + earlier.kinds,
            masks=tuple(sorted({*self.masks, *earlier.masks})),
            accelerations=(
                min(self.accelerations[0], earlier.accelerations[0]),
                max(self.accelerations[1], earlier.accelerations[1]),
            ),
            training=earlier.training | self.training,
            validation=earlier.validation | self.validation,
        )

    def takes_slices_of(self, kind: ScanKind) -> bool:
        """Whether scans of a kind, volumes, are stacks of slices to the network."""
        return kind not in self.kinds and AS_SLICES.get(kind) in self.kinds

    def check_kind(self, run: str, example: Example, force: bool = False) -> list[str]:
        """Make sure that a scan is of a kind that the network was trained on, or a stack of such.

        Args:
            run: name of the network's run.
            example: to be reconstructed.
            force: only say what is wrong.

        Returns:
            Sentences that go on from "RUN: ".

        Raises:
            BadInput: it is of another kind; or it is a volume, the network is for slices, and the
                readout was not sampled in full.
        """
        kind, name = kind_of(example), example.header.name
        stack = self.takes_slices_of(kind)
        if kind in self.kinds or (stack and example.header.slab_axis is not None):
            return []
        if not self.kinds:
            return ["did not record which kind of scans it was trained on (docs/versions.md)"]
        wrong = f"was trained on {' and '.join(self.kinds)}, but {name} holds {kind}"
        if stack:
            wrong += " whose readout was not sampled in full, or is not known: no stacks of slices"
        instead = compressed_sensing_of(example.shape[2])
        advice = f"use a run that was trained on such scans, or {instead}, which needs no training"
        return _heeded(run, [wrong], advice, force)

    def seen(self, examples: Iterable[Example]) -> list[str]:
        """Sentences on the scans that the network was made with, to go on from "RUN: "."""
        known = [e.header for e in examples if e.header.sha256]
        learnt = [h.name for h in known if h.sha256 in self.training]
        chose = [h.name for h in known if h.sha256 in self.validation.keys() - self.training]
        sentences = [f"was trained on {listed(learnt)}"] if learnt else []
        return sentences + ([f"chose its best checkpoint by {listed(chose)}"] if chose else [])

    def check_unseen(self, run: str, examples: Iterable[Example], force: bool = False) -> list[str]:
        """Make sure that scans are a test: that the network was not made with them.

        Args:
            run: name of the network's run.
            examples: to be scored.
            force: only say what is wrong.

        Returns:
            Sentences that go on from "RUN: ".

        Raises:
            BadInput: it has learnt from some, or its best checkpoint was chosen by them.
        """
        seen = self.seen(examples)
        unsure = self.version == 1
        sentences = (
            ["did not record all scans it was trained on (docs/versions.md)"] if unsure else []
        )
        return sentences + _heeded(run, seen, "score it on scans that it never saw", force)

    def check_test(
        self, run: str, examples: Sequence[Example], mask: MaskRecipe, force: bool = False
    ) -> list[str]:
        """Make sure that the network can be scored on examples; see `check_unseen`, `check_kind`.

        Returns:
            Sentences that go on from "RUN: ", each once.
        """
        sentences = self.check_unseen(run, examples, force)
        for example in examples:
            sentences += self.check_kind(run, example, force) + self.doubts(example, mask)
        return list(dict.fromkeys(sentences))

    def doubts(self, example: Example, mask: MaskRecipe | None = None) -> list[str]:
        """Reasons why images may be worse than the network's scores say.

        Args:
            example: to be reconstructed.
            mask: retrospective undersampling; None takes the scan as it was acquired.

        Returns:
            Sentences that go on from "RUN: ".
        """
        (lowest, highest), masks = self.accelerations, f"{' and '.join(self.masks)} masks"
        version = example.header.version
        if mask is None:
            this, times, pattern = (
                example.header.name,
                acceleration_of(example),
                pattern_of(example),
            )
            other = pattern is not None and pattern not in map(pattern_of_mask, self.masks)
            sampled = f"{this} sampled {pattern}"
        else:
            this, times = "the mask", mask.acceleration
            other, sampled = mask.kind not in self.masks, f"these are {mask.kind}"
        sentences = []
        if not lowest / NEAR <= times <= highest * NEAR:
            learnt = f"{lowest:g}×" if lowest == highest else f"{lowest:g} to {highest:g}×"
            sentences.append(
                f"was trained at {learnt}, and {this} is {rounded(times, 3)}× accelerated"
            )
        if other:
            sentences.append(f"was trained with {masks}, and {sampled}")
        if version not in self.preparations:
            versions = " and ".join(map(str, self.preparations))
            sentences.append(
                f"was trained on scans prepared by version {versions}, and this is version "
                f"{version}, whose numbers differ (docs/versions.md)"
            )
        return sentences


def listed(names: Sequence[str]) -> str:
    """Some of the names, and how many there are beside them."""
    some = ", ".join(names[:3])
    return some if len(names) <= 3 else f"{some} and {len(names) - 3} more"


def _heeded(run: str, wrong: list[str], advice: str, force: bool) -> list[str]:
    if wrong and not force:
        raise BadInput(f"{run}: {' and '.join(wrong)}; {advice}, or say --force")
    return wrong


def _scans(examples: Sequence[Example]) -> dict[str, str]:
    return {e.header.sha256: e.header.name for e in examples if e.header.sha256}
