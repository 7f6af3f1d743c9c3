"""Orthonormal Fourier transforms along chosen space axes, with no shift in the hot path.

Axes are negative dimensions, the same in 2D and 3D: x is −1, y is −2, z is −3.

Two conventions of k-space meet here. *Centred*: the zero frequency is at ⌊N/2⌋, as scanners and
files have it. *Shift-free*: y′ = e^(−2πi k⌊N/2⌋/N) · ifftshift(y), k = 0…N−1, so that y′ is the
plain FFT of the centred image, for even and odd N. Data are brought to the second once, when they
are prepared; from then on F is nothing but the FFT.
"""

import torch
from jaxtyping import Complex
from torch import Tensor

Axes = tuple[int, ...]


def fft(image: Complex[Tensor, "*any"], axes: Axes) -> Complex[Tensor, "*any"]:
    """Transform a centred image along `axes` to shift-free k-space (orthonormal)."""
    transformed: Tensor = torch.fft.fftn(image, dim=axes, norm="ortho")
    return transformed


def ifft(kspace: Complex[Tensor, "*any"], axes: Axes) -> Complex[Tensor, "*any"]:
    """Transform shift-free k-space along `axes` to the centred image; the inverse of `fft`."""
    image: Tensor = torch.fft.ifftn(kspace, dim=axes, norm="ortho")
    return image


def shift_free(kspace: Complex[Tensor, "*any"], axes: Axes) -> Complex[Tensor, "*any"]:
    """Bring centred k-space to the shift-free convention along `axes`."""
    kspace = torch.fft.ifftshift(kspace, dim=axes)
    for axis in axes:
        kspace = kspace * _ramp(kspace, axis)
    return kspace


def centred(kspace: Complex[Tensor, "*any"], axes: Axes) -> Complex[Tensor, "*any"]:
    """Bring shift-free k-space back to the centred convention; the inverse of `shift_free`."""
    for axis in axes:
        kspace = kspace * _ramp(kspace, axis).conj()
    shifted: Tensor = torch.fft.fftshift(kspace, dim=axes)
    return shifted


def _ramp(kspace: Tensor, axis: int) -> Tensor:
    """e^(−2πi k⌊N/2⌋/N) along `axis`; k⌊N/2⌋ is taken modulo N first, so large N stay exact."""
    size = kspace.shape[axis]
    turns = (torch.arange(size, device=kspace.device) * (size // 2) % size).double() / size
    ramp = torch.exp(-2j * torch.pi * turns).to(kspace.dtype)
    return ramp.reshape(-1, *[1] * (-1 - axis))
