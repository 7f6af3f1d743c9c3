"""The factors of the forward model, each a linear operator of its own: A = M F S.

`Sampling(mask) @ Fourier(axes) @ Coils(maps)` is the same operator as `Sense(maps, mask, axes)`,
which never holds the k-space of all coils on a CPU and keeps nothing for its gradient. The factors
are for models that are put together otherwise.
"""

from dataclasses import dataclass

from jaxtyping import Complex
from torch import Tensor

from gleam.arrays import Image, KSpace, Maps, Mask
from gleam.physics.fourier import Axes, fft, ifft
from gleam.physics.linear import LinearOperator


@dataclass(frozen=True)
class Fourier(LinearOperator):
    """F: the orthonormal Fourier transform along some axes, of the centred image.

    >>> F = gleam.Fourier(axes=(-2, -1))
    >>> x = torch.randn(1, 1, 1, 8, 8, dtype=torch.complex64)
    >>> torch.allclose(F.H(F(x)), x, atol=1e-6)
    True

    Attributes:
        axes: space axes: x is −1, y is −2, z is −3.
    """

    axes: Axes

    def forward(self, x: Complex[Tensor, "*any"]) -> Complex[Tensor, "*any"]:
        """Image → shift-free k-space, of the same shape."""
        return fft(x, self.axes)

    def adjoint(self, y: Complex[Tensor, "*any"]) -> Complex[Tensor, "*any"]:
        """Shift-free k-space → image: Fᴴ is also F⁻¹."""
        return ifft(y, self.axes)

    def normal(self, x: Complex[Tensor, "*any"]) -> Complex[Tensor, "*any"]:
        """The same: FᴴF = 1."""
        return x


@dataclass(frozen=True, repr=False)
class Sampling(LinearOperator):
    """M: k-space where it was sampled, zero elsewhere; its own adjoint.

    >>> mask = torch.tensor([True, False] * 4).reshape(1, 1, 1, 1, 8)
    >>> A = gleam.Sampling(mask) @ gleam.Fourier(axes=(-1,))
    >>> A(torch.ones(1, 2, 1, 8, 8, dtype=torch.complex64)).shape
    torch.Size([1, 2, 1, 8, 8])

    Attributes:
        mask: bool, or real weights; broadcasts against k-space.
    """

    mask: Mask

    def forward(self, x: KSpace) -> KSpace:
        """K-space (batch, coil, frame, *space) → the same shape."""
        return x * self.mask

    def adjoint(self, y: KSpace) -> KSpace:
        """The same."""
        return y * self.mask

    def __repr__(self) -> str:
        return f"Sampling({_size(self.mask)}, {self.mask.device})"


@dataclass(frozen=True, repr=False)
class Coils(LinearOperator):
    """S: what each coil sees of an image.

    >>> S = gleam.Coils(torch.ones(1, 1, 4, 1, 8, 8, dtype=torch.complex64) / 2)
    >>> image = torch.ones(1, 1, 1, 8, 8, dtype=torch.complex64)
    >>> S(image).shape  # (batch, coil, frame, *space)
    torch.Size([1, 4, 1, 8, 8])
    >>> torch.allclose(S.gram(image), image)
    True

    Attributes:
        maps: coil sensitivities, (batch, set, coil, 1, *space), as ESPIRiT makes them.
    """

    maps: Maps

    def forward(self, x: Image) -> KSpace:
        """Image (batch, set, frame, *space) → coil images (batch, coil, frame, *space)."""
        return (self.maps * x[:, :, None]).sum(1)

    def adjoint(self, y: KSpace) -> Image:
        """Coil images, combined: Σ_coil conj(S) · y."""
        return (self.maps.conj() * y[:, None]).sum(2)

    def __repr__(self) -> str:
        return f"Coils({_size(self.maps)}, {self.maps.device})"


def _size(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape))
