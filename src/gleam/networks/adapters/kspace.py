"""Networks whose cascades work on the k-space of all coils: the variational networks of fastMRI.

They want it *centred*, real and imaginary parts along a last axis, and transformed along all space
axes, where this house transforms only those that the mask varies along; the state of such a network
is a dict of k-space, of what was measured, and of coil sensitivities, so converted once, all of it
(batch, frame, coil, *space, 2). Frames are independent images.

The image is combined with the sensitivities of the scan, whatever maps the network has learnt: its
phase is then that of the target.
"""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor, nn

from gleam.arrays import AnyTensor, Image
from gleam.errors import BadInput
from gleam.physics.fourier import Axes, ifft
from gleam.physics.measurement import Measurement

State = dict[str, Any]
Pairs = Float[Tensor, "images coil *space 2"]


class Cascade(nn.Module):
    """One of the blocks: cascade(k-space, measured k-space, mask, maps) → k-space.

    Args:
        cascade: of another package.
        sensitivities: what estimates maps before it, (measured k-space, mask) → maps, from lines
            along the last axis; it is trained with the module that this block belongs to. None
            takes the maps that there are.
    """

    def __init__(self, cascade: nn.Module, sensitivities: nn.Module | None = None) -> None:
        super().__init__()
        self.cascade = cascade
        self.sensitivities = sensitivities

    def forward(self, state: State, measurement: Measurement) -> State:
        """One cascade."""
        mask = centred_mask(measurement)
        if self.sensitivities is not None:
            maps = learnt(self.sensitivities, folded(state["measured"]), mask, measurement.axes)
            state = state | {"maps": unfolded(maps, state["maps"])}
        inputs = (folded(state[name]) for name in ("kspace", "measured"))
        kspace, *others = self.step(state, *inputs, mask, folded(state["maps"]))
        return state | {"kspace": unfolded(kspace, state["kspace"])} | dict(*others)

    def step(self, state: State, *inputs: AnyTensor) -> tuple[Pairs, *tuple[State, ...]]:
        """K-space after the cascade, and what of the state changes beside it."""
        return (self.cascade(*inputs),)


class KSpace:
    """An adapter of such a network.

    Args:
        blocks: each one a `Cascade`.
    """

    def __init__(self, blocks: Iterable[Cascade]) -> None:
        self.blocks = list(blocks)

    def first(self, measurement: Measurement) -> State:
        """The first state: what was measured."""
        kspace = centred_kspace(measurement)
        maps = given_maps(measurement)
        return {"kspace": kspace, "measured": kspace, "maps": maps, "combining": maps}

    def image(self, state: State) -> Image:
        """(batch, 1, frame, *space): Σ_coil conj(maps) · F⁻¹ k-space."""
        space = tuple(range(3 - state["kspace"].ndim + 1, 0))
        coils = centred_ifft(torch.view_as_complex(state["kspace"]), space)
        maps = torch.view_as_complex(state["combining"])
        return (maps.conj() * coils).sum(2)[:, None]


def centred_kspace(measurement: Measurement) -> Float[Tensor, "batch frame coil *space 2"]:
    """y along all space axes, centred, as real pairs."""
    coils = ifft(measurement.kspace(), measurement.axes).movedim(2, 1)
    space = tuple(range(3 - coils.ndim, 0))
    shifted = torch.fft.ifftshift(coils, dim=space)
    kspace = torch.fft.fftn(shifted, dim=space, norm="ortho")
    centred: Tensor = torch.fft.fftshift(kspace, dim=space)
    return torch.view_as_real(centred.contiguous())


def centred_ifft(kspace: Complex[Tensor, "*any"], axes: Axes) -> Complex[Tensor, "*any"]:
    """The inverse of `centred_kspace` along some axes."""
    image = torch.fft.ifftn(torch.fft.ifftshift(kspace, dim=axes), dim=axes, norm="ortho")
    centred: Tensor = torch.fft.fftshift(image, dim=axes)
    return centred


def centred_mask(measurement: Measurement) -> Bool[Tensor, "images 1 *#space 1"]:
    """The mask of what was sampled, centred; axes that it does not vary along have length 1."""
    batch, _, frames, *_ = measurement.adjoint.shape
    mask = torch.fft.fftshift(measurement.mask, dim=measurement.axes).movedim(2, 1)
    images: Tensor = mask.expand(batch, frames, *mask.shape[2:]).flatten(0, 1)
    return images[..., None].bool()


def given_maps(measurement: Measurement) -> Float[Tensor, "batch frame coil *space 2"]:
    """The scan's own coil sensitivities.

    Raises:
        BadInput: there are two sets of them.
    """
    sets, frames = measurement.adjoint.shape[1:3]
    if sets > 1:
        raise BadInput("network.sets: this network takes one set of maps; set it to 1")
    maps = measurement.sense.maps[:, 0].movedim(2, 1).to(measurement.adjoint.device)
    return torch.view_as_real(maps.expand(-1, frames, *maps.shape[2:]).contiguous())


def learnt(
    net: nn.Module, measured: Pairs, mask: Bool[Tensor, "images 1 *#space 1"], axes: Axes
) -> Pairs:
    """Maps of a sensitivity network, one image at a time, lines along the last axis.

    Raises:
        BadInput: the mask does not take lines of one axis, as it expects.
    """
    if len(axes) > 1:
        raise BadInput(
            "network.arguments.sensitivities: the network that estimates maps wants lines along "
            "one axis, and this mask takes points of two; set it to false, or choose another "
            "mask.kind"
        )
    (axis,) = axes
    kspace, lines = (x.movedim(axis - 1, -2) for x in (measured, mask))
    maps = [net(kspace[i : i + 1], lines[i : i + 1]) for i in range(len(kspace))]
    return torch.cat(maps).movedim(-2, axis - 1)


def folded(pairs: Float[Tensor, "batch frame coil *space 2"]) -> Pairs:
    """Frames as images of their own."""
    return pairs.flatten(0, 1)


def unfolded(
    pairs: Pairs, like: Float[Tensor, "batch frame ... 2"]
) -> Float[Tensor, "batch frame coil *space 2"]:
    """The inverse of `folded`."""
    return pairs.reshape(*like.shape[:2], *pairs.shape[1:])
