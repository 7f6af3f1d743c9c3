"""`Reconstructor`: a method, where it works, and what it wants of a scan."""

from dataclasses import dataclass

import torch

from gleam.data.example import Example
from gleam.data.trained_on import TrainedOn
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstruct import Method


@dataclass(frozen=True)
class Reconstructor:
    """A method that is ready to be used.

    Attributes:
        method: from a measurement to an image.
        device: where it lives.
        sets: map sets that scans are to be prepared with.
        words: what it is, for those who see its images.
        trained_on: of a network; None of what was not trained.
        name: the run's, of a network.
        force: use it on other kinds of scans too.
    """

    method: Method
    device: torch.device
    sets: int
    words: str
    trained_on: TrainedOn | None = None
    name: str = ""
    force: bool = False

    def check(self, example: Example, mask: MaskRecipe | None = None) -> list[str]:
        """Make sure that the method is for a scan.

        Args:
            example: to be reconstructed.
            mask: retrospective undersampling; None takes the scan as it was acquired.

        Returns:
            What may make its images worse, sentences that go on from "`name`: ".

        Raises:
            BadInput: a network was trained on another kind of scans, and `force` is not set.
        """
        if self.trained_on is None:
            return []
        wrong = self.trained_on.check_kind(self.name, example, self.force)
        return wrong + self.trained_on.doubts(example, mask)
