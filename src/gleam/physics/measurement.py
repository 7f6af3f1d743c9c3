"""`Measurement`: what a network reconstructs a batch from."""

from dataclasses import dataclass

import torch

from gleam.arrays import Image, KSpace
from gleam.physics.sense import Sense


@dataclass(frozen=True)
class Measurement:
    """The operator A and Aᴴy; every data consistency of the house needs y only through Aᴴy.

    Attributes:
        sense: A (maps, mask, axes).
        adjoint: Aᴴy, (batch, set, frame, *space) complex64: the zero-filled image, from which
            every network starts.
    """

    sense: Sense
    adjoint: Image

    @classmethod
    def of(cls, sense: Sense, kspace: KSpace) -> "Measurement":
        """From shift-free k-space; what the mask leaves out of it is ignored."""
        return cls(sense, sense.adjoint(kspace))

    def to(self, device: torch.device | str) -> "Measurement":
        """The same measurement on another device."""
        return Measurement(self.sense.to(device), self.adjoint.to(device, non_blocking=True))
