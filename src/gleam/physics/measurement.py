"""`Measured`: what an image is reconstructed from; `Measurement`: all of it in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.arrays import Image, KSpace, Mask, described
from gleam.errors import BadInput
from gleam.physics.fourier import Axes
from gleam.physics.sense import Sense

S = TypeVar("S")  # a state: a tensor, or tuples, lists and dicts of tensors, space axes last
AlongAxis = Callable[[int], int]  # a space axis (x = −1, y = −2, z = −3) → a number of positions


@dataclass(frozen=True, repr=False)
class Measurement:
    """The operator A and Aᴴy; every data consistency of the house needs y only through Aᴴy.

    >>> maps = torch.ones(1, 1, 2, 1, 8, 8, dtype=torch.complex64) / 2**0.5
    >>> sense = gleam.Sense(maps, torch.rand(1, 1, 1, 1, 8) > 0.5, axes=(-1,))
    >>> kspace = torch.randn(1, 2, 1, 8, 8, dtype=torch.complex64)  # (batch, coil, frame, *space)
    >>> gleam.Measurement.of(sense, kspace)
    <Measurement: image (1, 1, 1, 8, 8), <Sense: maps (1, 1, 2, 1, 8, 8), F along x, ...>>

    Attributes:
        sense: A (maps, mask, axes).
        adjoint: Aᴴy, (batch, set, frame, *space) complex64: the zero-filled image.
        noise: standard deviation of the complex noise in a k-space sample of each example; NaN, or
            None for all, where unknown.
        read: reads y itself, on any device, for networks that want it (see `kspace`).
    """

    sense: Sense
    adjoint: Image
    noise: Float[Tensor, "batch"] | None = None
    read: Callable[[], KSpace] | None = None

    def __repr__(self) -> str:
        return f"<Measurement: image {tuple(self.adjoint.shape)}, {self.sense!r}>"

    @classmethod
    def of(
        cls, sense: Sense, kspace: KSpace, noise: Float[Tensor, "batch"] | None = None
    ) -> "Measurement":
        """Make a measurement of shift-free k-space; what the mask leaves out of it is ignored."""
        return cls(sense, sense.adjoint(kspace), noise)

    @property
    def mask(self) -> Mask:
        """M."""
        return self.sense.mask

    @property
    def axes(self) -> Axes:
        """The axes that F runs along."""
        return self.sense.axes

    def kspace(self) -> KSpace:
        """y itself, shift-free and zero where not sampled; read whenever it is asked for.

        Raises:
            BadInput: it is not known any more.
        """
        if self.read is None:
            raise BadInput("the network wants k-space itself, of which only Aᴴy is there")
        return self.read().to(self.adjoint.device)

    def whole(self) -> "Measurement":
        """All of it in memory, as it is."""
        return self

    def advance(
        self,
        step: "Callable[[S, Measurement], S]",
        state: S,
        reach: AlongAxis = lambda axis: 0,
        alignment: AlongAxis = lambda axis: 1,
    ) -> S:
        """`step` of the whole; see `Measured`."""
        return step(state, self)

    def to(self, device: torch.device | str) -> "Measurement":
        """The same measurement on another device."""
        noise = None if self.noise is None else self.noise.to(device, non_blocking=True)
        adjoint = self.adjoint.to(device, non_blocking=True)
        return Measurement(self.sense.to(device), adjoint, noise, self.read)

    def copy_(self, other: "Measurement") -> None:
        """Take over another measurement's values, in the same memory: see `Sense.copy_`."""
        self.sense.copy_(other.sense)
        self.adjoint.copy_(other.adjoint, non_blocking=True)
        if self.noise is not None and other.noise is not None:
            self.noise.copy_(other.noise, non_blocking=True)


def check_measured(measurement: object, what: str) -> None:
    """Make sure that somebody gives a measurement to reconstruct from.

    Args:
        measurement: whatever they give.
        what: takes it, for the message.

    Raises:
        BadInput: it is something else.
    """
    if not hasattr(measurement, "advance"):
        raise BadInput(
            f"{what}: takes a Measurement, of Example.measure or Measurement.of, not "
            f"{described(measurement)}"
        )


@runtime_checkable  # the tests check types at run time
class Measured(Protocol):
    """The data that an image is reconstructed from, however much of them is in memory at a time.

    Every kind of it is held to this by `check_measured` of tests/physics/test_measured.py: a step
    is taken of the whole, whatever `advance` cuts it into, and nothing changes the measurement.
    """

    @property
    def adjoint(self) -> Image:
        """Aᴴy, of the whole."""

    @property
    def noise(self) -> Float[Tensor, "batch"] | None:
        """See `Measurement`."""

    @property
    def mask(self) -> Mask:
        """M; of length 1 where it does not vary."""

    @property
    def axes(self) -> Axes:
        """The axes that F runs along."""

    def advance(
        self,
        step: Callable[[S, Measurement], S],
        state: S,
        reach: AlongAxis = lambda axis: 0,
        alignment: AlongAxis = lambda axis: 1,
    ) -> S:
        """The whole state after `step`.

        Args:
            step: a state and its measurement → the next state, of the same shape.
            state: of the whole.
            reach: along a space axis, how many positions on either side what comes out at a
                position depends on.
            alignment: parts start at multiples of it, as networks that pool need it.
        """

    def whole(self) -> Measurement:
        """All of it in memory."""

    def to(self, device: torch.device | str) -> "Measured":
        """The same measurement on another device."""
