"""`Goal`: what modules learn to predict, and how an example is judged by it."""

from dataclasses import dataclass, field
from typing import Literal

from gleam.data.collate import Item
from gleam.data.example import Example
from gleam.data.holdout import Split
from gleam.data.masks import mask_seed
from gleam.recipe import HoldoutRecipe


@dataclass(frozen=True)
class Goal:
    """The target of learning: images, or held-out samples.

    Attributes:
        target: image, kspace or mixed; see `gleam.recipe.TrainingRecipe`.
        holdout: how samples are held out, where k-space is to be predicted.
    """

    target: Literal["image", "kspace", "mixed"] = "image"
    holdout: HoldoutRecipe = field(default_factory=HoldoutRecipe)

    def heldout(self, example: Example) -> HoldoutRecipe | None:
        """The recipe by which samples of an example are held out; None where its image is the
        target."""
        if self.target == "image" or (self.target == "mixed" and example.complete):
            return None
        return self.holdout

    def to_judge(self, example: Example, index: int) -> Item:
        """A slice with its scan's one mask, and samples held out that no step saw."""
        heldout = self.heldout(example)
        split = None if heldout is None else Split(heldout)
        return Item(example, index, mask_seed(example.header.name), split=split)


IMAGES = Goal()
