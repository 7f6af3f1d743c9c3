"""`Sense`: the multi-coil Cartesian forward model A = M F S, its adjoint and AᴴA.

Each is linear with a known adjoint, so autograd keeps nothing: the gradient of A is Aᴴ, of Aᴴ is
A, and AᴴA is its own. On a CPU coils are taken one after the other, so no coil-sized array is ever
made for AᴴA and one coil stays in the cache (3 × faster at 6 coils, 128 × 128); a GPU is kept busy
by few large kernels, so there as many coils as fill it are transformed at once and combined by one
reduction: all of a slice, a few of a volume, whose k-space would take gigabytes. Maps may stay in
host memory then, and come as few at a time.

The way back from k-space is written as F⁻¹ z = conj(F conj(z)): then Sᴴ F⁻¹ z = conj(Sᵀ F conj(z)),
so the maps' conjugate is never made, and conj(z) comes with the mask: its factor for imaginary
parts has the other sign.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.arrays import Image, KSpace, Maps, Mask, described
from gleam.errors import BadInput
from gleam.physics.fourier import Axes, fft
from gleam.physics.linear import LinearOperator, mapped_over, transformed

_FULL = 2**24  # voxels of coils together that should keep any GPU busy; not measured on one yet


@dataclass(frozen=True, repr=False)
class Sense(LinearOperator):
    """y = M F S x, for any number of map sets, frames and space axes.

    >>> maps = torch.ones(1, 1, 2, 1, 8, 8, dtype=torch.complex64) / 2**0.5
    >>> mask = torch.tensor([True, False] * 4).reshape(1, 1, 1, 1, 8)
    >>> A = gleam.Sense(maps, mask, axes=(-1,))
    >>> A
    <Sense: maps (1, 1, 2, 1, 8, 8), F along x, 50% sampled, cpu>
    >>> x = torch.randn(1, 1, 1, 8, 8, dtype=torch.complex64)
    >>> y = A.forward(x)  # (batch, coil, frame, *space)
    >>> torch.allclose(A.adjoint(y), A.normal(x), atol=1e-6)
    True

    Attributes:
        maps: S, (batch, set, coil, 1, *space). Where Σ_coil |S|² ≤ 1 (and two sets are
            orthogonal), AᴴA has its eigenvalues in [0, 1].
        mask: M, bool, broadcasts against k-space; shift-free order along `axes`. Or real: how often
            each position was sampled, where one image stands for several; M is then its root.
        axes: the space axes F runs along (x = −1, y = −2, z = −3): those the mask varies along.
        coils_at_once: how many coils are transformed together and combined by one reduction; 0
            takes one on a CPU, and as many as fill a GPU.
        fetched: maps stay where they are, in host memory, wherever images are; those of the coils
            that are taken together are copied there each time, and so is k-space that lies with
            the maps.

    Maps and mask are constants: no gradient flows to them, `vmap` runs over images only, and to
    write into them after the first use is for `copy_` alone.
    """

    maps: Maps
    mask: Mask
    axes: Axes
    coils_at_once: int = 0
    fetched: bool = False

    def __post_init__(self) -> None:
        maps, mask, axes = self.maps, self.mask, self.axes
        like = "give (batch, set, coil, 1, y, x) or (…, z, y, x), complex"
        if not isinstance(maps, Tensor) or not maps.is_complex() or maps.ndim not in (6, 7):
            raise BadInput(f"Sense: maps are {described(maps)}; {like}")
        if maps.shape[3] != 1:
            raise BadInput(f"Sense: maps are {described(maps)}, of several frames; {like}")
        space = range(4 - maps.ndim, 0)
        if not isinstance(mask, Tensor) or mask.ndim != maps.ndim - 1:
            raise BadInput(
                f"Sense: mask is {described(mask)}; give (1, 1, frame, *space) with as many space "
                f"axes as maps, {len(space)}, any of length 1"
            )
        if not isinstance(axes, tuple) or not all(axis in space for axis in axes):
            raise BadInput(f"Sense: axes is {axes!r}; give some of {tuple(space)}, x being -1")

    def __repr__(self) -> str:
        axes = " ".join("zyx"[axis] for axis in self.axes)
        share = float(self.mask.float().mean())
        return (
            f"<Sense: maps {tuple(self.maps.shape)}, F along {axes}, "
            f"{share:.0%} sampled, {self.mask.device}>"
        )

    def forward(self, image: Image) -> KSpace:
        """A: image (batch, set, frame, *space) → shift-free k-space, zero where not sampled."""
        return _apply(image, self, "_forward")

    def adjoint(self, kspace: KSpace) -> Image:
        """Aᴴ: k-space (batch, coil, frame, *space) → image (batch, set, frame, *space)."""
        return _apply(kspace, self, "_adjoint")

    def normal(self, image: Image) -> Image:
        """AᴴA; with coils one after the other, the k-space of all of them is never held."""
        return _apply(image, self, "_normal")

    def to(self, device: torch.device | str) -> "Sense":
        """The same operator on another device; maps that are fetched stay."""
        maps = self.maps if self.fetched else self.maps.to(device, non_blocking=True)
        return replace(self, maps=maps, mask=self.mask.to(device, non_blocking=True))

    def copy_(self, other: "Sense") -> None:
        """Take over another operator's values, in the same memory: for work recorded on it."""
        self.maps.copy_(other.maps, non_blocking=True)
        self.mask.copy_(other.mask, non_blocking=True)
        self.mask_and_conjugate.copy_(_conjugating(self._squared()))

    def _forward(self, image: Tensor) -> Tensor:
        batch, _, coils, _, *space = self.maps.shape
        kspace = image.new_empty((batch, coils, image.shape[2], *space))
        mask = self._root(image.dtype)  # torch multiplies by it faster than by bool or float
        for some, maps in self._groups(image.shape[2]):
            kspace[:, some] = fft(_expand(maps, image), self.axes).mul_(mask)
        return kspace

    def _adjoint(self, kspace: Tensor) -> Tensor:
        result: Tensor | None = None
        mask = _conjugating(self._root(kspace.real.dtype))
        for some, maps in self._groups(kspace.shape[2]):
            of_some = kspace[:, some].to(self.mask.device, non_blocking=True)
            parts = torch.view_as_real(of_some.resolve_conj()) * mask
            result = _combine(maps, fft(torch.view_as_complex(parts), self.axes), result)
        assert result is not None  # there are coils
        return result.conj_physical_()

    def _normal(self, image: Tensor) -> Tensor:
        result: Tensor | None = None
        for _, maps in self._groups(image.shape[2]):
            kspace = fft(_expand(maps, image), self.axes)
            torch.view_as_real(kspace).mul_(self.mask_and_conjugate)
            result = _combine(maps, fft(kspace, self.axes), result)
        assert result is not None
        return result.conj_physical_()

    def _groups(self, frames: int) -> Iterator[tuple[slice, Tensor]]:
        """The coils taken together, and their maps, where the mask is."""
        batch, _, coils, _, *space = self.maps.shape
        voxels = batch * frames * math.prod(space)
        step = self.coils_at_once or coils_together(coils, voxels, self.mask.is_cuda)
        for first in range(0, coils, step):
            some = slice(first, first + step)
            yield some, self.maps[:, :, some].to(self.mask.device, non_blocking=True)

    def _squared(self) -> Tensor:
        """M², real."""
        return self.mask.to(self.maps.real.dtype)

    def _root(self, dtype: torch.dtype) -> Tensor:
        """M."""
        factor = self.mask.to(dtype)
        return factor.sqrt() if self.mask.is_floating_point() else factor

    @cached_property
    def mask_and_conjugate(self) -> Float[Tensor, "... 2"]:
        """conj(M² z) as a factor of z's parts: made once, as AᴴA is applied hundreds of times."""
        return _conjugating(self._squared())

    def _of_series(self, count: int) -> "Sense":
        """The operator of so many times as many frames, one series after the other."""
        if self.mask.shape[2] == 1:
            return self
        return replace(self, mask=torch.cat([self.mask] * count, 2))


def coils_together(coils: int, voxels: int, on_gpu: bool) -> int:
    """Number of coils that are best transformed at once.

    Args:
        coils: how many there are.
        voxels: of one coil, in all frames and examples.
        on_gpu: or on a CPU, which takes one coil at a time.
    """
    return max(1, min(coils, _FULL // voxels)) if on_gpu else 1


def _conjugating(factor: Tensor) -> Tensor:
    """conj(factor · z) = this · the real and imaginary parts of z, (*factor's shape, 2)."""
    return torch.stack((factor, -factor), -1)


def _expand(maps: Tensor, image: Tensor) -> Tensor:
    """S: Σ_set maps · image → (batch, coil, frame, *space)."""
    coil_images = maps[:, 0] * image[:, :1]
    for s in range(1, maps.shape[1]):
        coil_images.addcmul_(maps[:, s], image[:, s : s + 1])
    return coil_images


def _combine(maps: Tensor, coil_images: Tensor, others: Tensor | None) -> Tensor:
    """Sᵀ: Σ_coil maps · coil_images, (batch, set, frame, *space), added to that of other coils.

    Nobody needs the coil images afterwards, so with one map set they make room for the products.
    """
    if maps.shape[2] > 1:
        one_set = maps.shape[1] == 1
        images = coil_images[:, None]
        result = (images.mul_(maps) if one_set else maps * images).sum(2)
        return result if others is None else others.add_(result)
    if others is None:
        return maps[:, :, 0] * coil_images
    return others.addcmul_(maps[:, :, 0], coil_images)


def _check(x: Tensor, sense: Sense, way: str) -> None:
    """Make sure that x is what a way through the operator begins with: torch would broadcast it.

    Raises:
        BadInput: it is not.
    """
    maps, first = sense.maps.shape, 2 if way == "_adjoint" else 1
    good = isinstance(x, Tensor) and x.is_complex() and x.ndim == len(maps) - 1
    if not good or x.shape[1] != maps[first] or x.shape[3:] != maps[4:]:
        name = ("image", "k-space")[first - 1]
        space = ", ".join(map(str, maps[4:]))
        raise BadInput(
            f"Sense: {name} is {described(x)}; give (batch, {('set', 'coil')[first - 1]}, frame, "
            f"*space) complex, here ({maps[0]}, {maps[first]}, frame, {space})"
        )


_ADJOINT = {"_forward": "_adjoint", "_adjoint": "_forward", "_normal": "_normal"}


class _Linear(torch.autograd.Function):
    """One way through a `Sense`; its gradient is the way back. Saves no tensor."""

    @staticmethod
    def forward(x: Tensor, sense: Sense, way: str) -> Tensor:
        result: Tensor = getattr(sense, way)(x)
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Sense, str], output: Tensor) -> None:
        _, ctx.sense, ctx.way = inputs

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor, None, None]:
        return _apply(gradient[0], ctx.sense, _ADJOINT[ctx.way]), None, None

    @staticmethod
    def jvp(ctx: Any, change: Tensor, *_: None) -> Tensor:
        return _apply(change, ctx.sense, ctx.way)

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, sense: Sense, way: str) -> Any:
        """Maps are shared by frames, so what is mapped over becomes further frames."""
        count = info.batch_size
        frames = x.movedim(in_dims[0], 2).flatten(2, 3)
        result = _apply(frames, sense._of_series(count), way)
        return result.reshape(*result.shape[:2], count, -1, *result.shape[3:]), 2


def _apply(x: Tensor, sense: Sense, way: str) -> Tensor:
    if mapped_over(sense.maps, sense.mask):
        raise BadInput(
            "Sense: vmap runs over images and k-space only; put several maps or masks into the "
            "batch axis, which is there for them"
        )
    _check(x, sense, way)
    recorded = torch.is_grad_enabled() and x.requires_grad
    # What autograd does not record goes straight there: on small images the detour is noticed.
    function = _Linear.apply if recorded or transformed() else _Linear.forward
    result: Tensor = function(x, sense, way)
    return result
