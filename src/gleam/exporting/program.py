"""A trained network as one program of tensors: what `torch.export` takes, and ONNX after it.

(maps, mask, Aᴴy, noise) → image, for one slice or volume of any matrix and any number of coils;
some networks want k-space, or the image that their first iteration starts from, besides. The axes
that F runs along are part of a program, as they are of the systems that conjugate gradients solve.
Coils are combined by one reduction, for a loop over them would fix their number.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from gleam.arrays import AnyTensor, Image, KSpace, Maps, Mask
from gleam.errors import BadInput
from gleam.networks.regulariser import Convolved
from gleam.networks.state import ImageState
from gleam.networks.unrolled import Unrolled
from gleam.physics.baselines import zero_filled
from gleam.physics.fourier import Axes, fft, ifft
from gleam.physics.measurement import Measurement
from gleam.physics.noise import USUAL_NOISE
from gleam.physics.sense import Sense
from gleam.recipe import NetworkRecipe
from gleam.reconstruction.exported import INPUTS
from gleam.trust import told

_MATRIX = (6, 10, 12)  # of the example that a program is traced with
_COILS, _FRAMES = 3, 2


class AllCoils(Sense):
    """`Sense` in plain operations on all coils at once, with no gradient of its own."""

    def forward(self, image: Image) -> KSpace:
        """See `Sense`."""
        return fft((self.maps * image[:, :, None]).sum(1), self.axes) * self.mask

    def adjoint(self, kspace: KSpace) -> Image:
        """See `Sense`."""
        return (self.maps.conj() * ifft(kspace * self.mask, self.axes)[:, None]).sum(2)

    def normal(self, image: Image) -> Image:
        """See `Sense`."""
        return self.adjoint(self.forward(image))


class Program(nn.Module):
    """A network on tensors instead of a measurement.

    Args:
        network: in use, not in training; its regularisers no longer take patches, of which a
            program of any matrix does not know how many there are.
        axes: that F runs along.
        more: of `gleam.reconstruction.exported.MORE`, what it takes besides, if anything.
    """

    def __init__(self, network: Unrolled, axes: Axes, more: str | None = None) -> None:
        super().__init__()
        self.network = network
        self.axes = axes
        self.more = more
        for module in network.modules():
            if isinstance(module, Convolved):
                module.patch = None

    def forward(
        self,
        maps: Maps,
        mask: Mask,
        adjoint: Image,
        noise: Float[Tensor, "batch"],
        given: KSpace | Image | None = None,
    ) -> Image:
        """The reconstruction; `given` is what `more` names."""
        sense = AllCoils(maps, mask, self.axes)
        network, state = self.network, self.network.state
        if given is not None and self.more == "first":
            assert isinstance(state, ImageState)
            measurement = Measurement(sense, adjoint, noise)
            first = state.of(given)
        else:
            read = None if given is None else lambda: given
            measurement = Measurement(sense, adjoint, noise, read)
            first = network.first(measurement)
        return deque(network.iterates_from(first, measurement), maxlen=1).pop()


def check(recipe: NetworkRecipe) -> None:
    """Make sure that a network is one program, whose steps are known before it is run.

    Raises:
        BadInput: it is not.
    """
    if recipe.cg_tolerance is not None:
        raise BadInput(
            "network.cg_tolerance: how often conjugate gradients step is found out as they go, "
            "which a program cannot; export a network with network.cg_steps instead"
        )


def example(
    space: int, axes: Axes, sets: int, series: bool, more: str | None = None
) -> tuple[AnyTensor, ...]:
    """Tensors of the kind that a program takes: random, and with no two dimensions alike."""
    generator = torch.Generator().manual_seed(0)
    matrix, frames = _MATRIX[-space:], _FRAMES if series else 1

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.complex64)

    maps = noise(1, sets, _COILS, 1, *matrix) / _COILS
    sizes = [n if a in axes else 1 for a, n in zip(range(-space, 0), matrix, strict=True)]
    mask = torch.rand(1, 1, frames, *sizes, generator=generator) > 0.4
    measured = noise(1, _COILS, frames, *matrix) * mask
    adjoint = AllCoils(maps, mask, axes).adjoint(measured)
    given = (maps, mask, adjoint, torch.tensor([USUAL_NOISE]))
    if more is None:
        return given
    return (*given, measured if more == "kspace" else adjoint.clone())


def traced(
    network: Unrolled, space: int, axes: Axes, sets: int, series: bool
) -> tuple[ExportedProgram, tuple[str, ...]]:
    """The program of a network, of any matrix and number of coils, and frames of a series.

    Args:
        network: in use.
        space: 2 of slices, 3 of volumes.
        axes: that F runs along.
        sets: of maps.
        series: whether there are frames.

    Returns:
        It, and the names of what it takes.

    Raises:
        BadInput: torch cannot trace it.
    """
    more = _wanted(network, example(space, axes, sets, series, "kspace"), axes)
    names = INPUTS if more is None else (*INPUTS, more)
    inputs = example(space, axes, sets, series, more)
    moving: list[dict[int, Any]] = []
    for name, tensor in zip(names, inputs, strict=True):
        last = range(tensor.ndim - space, tensor.ndim) if tensor.ndim > space else ()
        sizes = {d: Dim.DYNAMIC for d in last if tensor.shape[d] > 1}
        coils = {"maps": 2, "kspace": 1}.get(name)
        frames = 2 if series and name not in ("maps", "noise") else None
        sizes |= {d: Dim.DYNAMIC for d in (coils, frames) if d is not None}
        moving.append(sizes)
    program = Program(network, axes, more).eval()
    try:
        with torch.no_grad():
            made = torch.export.export(program, inputs, dynamic_shapes=tuple(moving), strict=False)
    except Exception as error:  # whatever torch, or somebody's network, makes of it
        raise BadInput(
            f"the network cannot be traced by torch.export ({told(error)[:300]})"
        ) from error
    return made, names


def _wanted(network: Unrolled, given: Sequence[Tensor], axes: Axes) -> str | None:
    """The input that a network wants besides `INPUTS`: its first image, where that is not Aᴴy; or
    k-space itself, if it asks for it."""
    state = network.state
    if isinstance(state, ImageState) and state.start is not zero_filled:
        return "first"
    maps, mask, adjoint, noise, kspace = given
    asked = []

    def read() -> Tensor:
        asked.append(True)
        return kspace

    with torch.no_grad():
        network(Measurement(AllCoils(maps, mask, axes), adjoint, noise, read))
    return "kspace" if asked else None
