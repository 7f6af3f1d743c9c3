"""`Reconstructor`: a method, where it works, and what it wants of a scan."""

from dataclasses import dataclass

from gleam.reconstruction.reconstruct import Method


@dataclass(frozen=True)
class Reconstructor:
    """A method that is ready to be used.

    Attributes:
        method: from a measurement to an image.
        device: where it lives.
        sets: map sets that scans are to be prepared with.
        words: what it is, for those who see its images.
    """

    method: Method
    device: str
    sets: int
    words: str
