"""ESPIRiT: coil sensitivities from a fully sampled centre of k-space (Uecker et al., MRM 2014).

All small patches of multi-coil k-space lie in one space of few dimensions, the row space of the
calibration matrix. Projecting every patch onto that space and averaging where patches overlap
leaves true k-space as it is. This is a convolution, so in the image it is one small Hermitian
matrix G over the coils per pixel, with eigenvalues in [0, 1], and the sensitivities at a pixel
are the vectors that G leaves as they are: its eigenvectors with eigenvalue 1. There are two of
them where the object wraps over the edge of the field of view and two of its points share a pixel.

Frames of a series see the same coils. Their patches lie in one space, whatever their signs and
contrasts are, so their calibration matrices stand one below the other: their Gram matrices add up.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Complex
from torch import Tensor

from gleam.arrays import described
from gleam.errors import BadInput
from gleam.physics.eigenvectors import leading_eigenvectors

CHUNK = 2**21  # entries of G held at a time: 16 MB, and three times that to decompose them


def espirit(
    calibration: Complex[Tensor, "slice coil frame *calibration"],
    space: tuple[int, ...],
    sets: int = 1,
    kernel: int = 6,
    threshold: float = 0.02,
    crop: float = 0.8,
) -> Complex[Tensor, "slice set coil 1 *space"]:
    """Estimate sensitivity maps, each slice for itself.

    >>> centre = torch.randn(1, 4, 1, 12, 12, dtype=torch.complex64)
    >>> gleam.espirit(centre, space=(32, 24)).shape  # (slice, set, coil, 1, *space)
    torch.Size([1, 1, 4, 1, 32, 24])

    Args:
        calibration: the fully sampled centre of k-space, in any units; two space axes, or three
            for a volume. All its frames count together.
        space: size of the image that the maps belong to, along the same axes.
        sets: number of map sets; two where the object is larger than the field of view.
        kernel: patch size in samples, at most two fifths of the calibration region along each
            axis: a few lines hold too few of the larger patches to tell their space.
        threshold: singular values of the calibration matrix below this fraction of the largest
            are taken for noise.
        crop: a map is zero where its eigenvalue, 1 for a perfect map, is not above this; a
            background without signal has none near 1.

    Returns:
        Maps S of the centred image, complex64: per pixel zero or of unit length over the coils,
        and the sets orthogonal, so that SᴴS = 1 and SENSE with them has norm ≤ 1. A slice without
        signal has zero maps.

    Raises:
        BadInput: `calibration` is no such tensor, `space` does not fit it, or `sets` does not fit
            the coils.
    """
    is_tensor = isinstance(calibration, Tensor)
    if not is_tensor or not calibration.is_complex() or calibration.ndim not in (5, 6):
        raise BadInput(
            f"ESPIRiT: calibration is {described(calibration)}; give a complex tensor "
            "(slice, coil, frame, y, x), or (1, coil, frame, z, y, x)"
        )
    return torch.stack(
        [
            Sensitivities(centre, space, sets, kernel, threshold, crop).maps()
            for centre in calibration
        ]
    )


class Sensitivities:
    """The maps of one slice or volume, where they are asked for.

    G is evaluated at any pixel by itself, so a volume's maps need never be in memory together, and
    slices of it agree with each other: they have one phase reference and one calibration matrix.

    Args:
        calibration, space, sets, kernel, threshold, crop: see `espirit`.
    """

    def __init__(
        self,
        calibration: Complex[Tensor, "coil frame *calibration"],
        space: tuple[int, ...],
        sets: int = 1,
        kernel: int = 6,
        threshold: float = 0.02,
        crop: float = 0.8,
    ) -> None:
        coils, _, *box = calibration.shape
        if len(box) != len(space):
            raise BadInput(
                f"ESPIRiT: an image of size {space} has other axes than its calibration region of "
                f"size {tuple(box)}; give both the same"
            )
        if not 1 <= sets <= coils:
            raise BadInput(
                f"ESPIRiT: {coils} coils cannot give {sets} map sets; ask for 1 to {coils}"
            )
        self.space, self.sets, self.crop = space, sets, crop
        centre = calibration.to(torch.complex64)
        centre = centre / centre.abs().max().clamp(min=torch.finfo().tiny)  # of its squares, sums
        widths = [max(1, min(kernel, 2 * samples // 5)) for samples in box]
        self._operator = _operator(centre, widths, threshold)
        self._reference = _strongest(centre)

    def maps(
        self, positions: range | None = None, axis: int = 0
    ) -> Complex[Tensor, "set coil 1 *space"]:
        """The maps, or those at some positions along an axis (0, or negative as elsewhere)."""
        at = [torch.arange(size) for size in self.space]
        if positions is not None:
            at[axis] = torch.arange(positions.start, positions.stop)
        shape, coils = [len(along) for along in at], len(self._reference)
        maps = self._reference.new_empty(self.sets, coils, 1, *shape)
        steps = [max(1, CHUNK // (coils**2 * math.prod(shape[axis + 1 :]))) for axis in (0, 1)]
        for y in range(0, shape[0], steps[0]):
            for x in range(0, shape[1], steps[1]):
                block = slice(y, y + steps[0]), slice(x, x + steps[1])
                part = maps[:, :, :, block[0], block[1]]
                pixels = self._pixels([at[0][block[0]], at[1][block[1]], *at[2:]])
                part.copy_(pixels.permute(2, 1, 0).reshape(part.shape))
        return maps

    def _pixels(self, at: Sequence[Tensor]) -> Tensor:
        """Maps (pixel, coil, set) at some indices along each axis."""
        matrices = _evaluate(self._operator, self.space, at)
        values, vectors = leading_eigenvectors(matrices, self.sets, self.crop)
        maps = vectors * (values > self.crop)[:, None]
        return _turned(maps.flip(2), self._reference)  # eigenvalues ascend


def _operator(centre: Tensor, widths: Sequence[int], threshold: float) -> Tensor:
    """G as a trigonometric polynomial: coefficients (*displacement, coil, coil), in FFT order."""
    coils, degrees = len(centre), [2 * width - 1 for width in widths]
    rows = _row_space(centre, widths, threshold).reshape(-1, coils, *widths)
    # Averaged over all patches, two samples act on each other by their displacement alone. So the
    # projector is summed over equal displacements: the correlation of its rows, by FFT.
    axes = tuple(range(2, rows.ndim))
    power = centre.new_zeros(*degrees, coils, coils)
    if not len(rows):  # no signal at all
        return power
    for some in torch.split(rows, max(1, CHUNK // (coils * math.prod(degrees)))):
        spectrum = torch.fft.fftn(some, degrees, axes).permute(*axes, 1, 0)
        power += spectrum @ spectrum.mH
    correlation: Tensor = torch.fft.ifftn(power, dim=tuple(range(len(widths))))
    return correlation / math.prod(widths)


def _row_space(centre: Tensor, widths: Sequence[int], threshold: float) -> Tensor:
    """Orthonormal rows (row, coil · *width) that span all patches, but for noise.

    They are right singular vectors of the calibration matrix P: eigenvectors of PᴴP, or with fewer
    patches than samples in each, P = LQ, of LᴴL, times Q.
    """
    frames = centre.unbind(1)
    patches = [n - width + 1 for n, width in zip(centre.shape[2:], widths, strict=True)]
    samples = len(centre) * math.prod(widths)
    basis = None
    if len(frames) * math.prod(patches) < samples:
        every = torch.cat([_patches(frame, widths) for frame in frames])
        basis, factor = torch.linalg.qr(every.mH)
        gram = factor @ factor.mH
    else:
        gram = centre.new_zeros(samples, samples)
        for frame in frames:
            one = _patches(frame, widths)
            gram += one.mH @ one
    power, vectors = _spectrum(gram)
    kept = vectors[:, power > threshold**2 * power[-1]]
    return (kept if basis is None else basis @ kept).mH


def _patches(frame: Tensor, widths: Sequence[int]) -> Tensor:
    """The calibration matrix P (patch, coil · *width) of one frame (coil, *calibration)."""
    patches = frame
    for axis, width in enumerate(widths, 1):
        patches = patches.unfold(axis, width, 1)
    return patches.movedim(0, len(widths)).flatten(len(widths)).flatten(0, -2)


def _spectrum(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors as columns."""
    try:
        power, vectors = torch.linalg.eigh(gram)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        # Single precision gives up on some phantoms without noise.
        power, vectors = torch.linalg.eigh(gram.to(torch.complex128))
    return power.float(), vectors.to(gram.dtype)


def _evaluate(operator: Tensor, space: Sequence[int], at: Sequence[Tensor]) -> Tensor:
    """G (pixel, coil, coil) at some indices along each space axis of the image."""
    *degrees, coils, _ = operator.shape
    pixels = 1
    for size, degree, indices in zip(space, degrees, at, strict=True):
        displacement = torch.fft.fftfreq(degree, 1 / degree)
        angle = 2 * math.pi / size * torch.outer(indices - size // 2, displacement)
        waves = torch.polar(torch.ones_like(angle), angle).to(operator.device)
        operator = waves @ operator.reshape(pixels, degree, -1)
        pixels *= len(indices)
    return operator.reshape(pixels, coils, coils)


def _strongest(centre: Tensor) -> Tensor:
    """The virtual coil (coil,) that receives most energy, to which phases are referred.

    One of the scan's own coils, the first say, may see nothing in places, and its phase there
    would be noise.
    """
    signals = centre.flatten(1)
    strongest: Tensor = torch.linalg.eigh(signals @ signals.mH).eigenvectors[:, -1]
    return strongest


def _turned(maps: Tensor, reference: Tensor) -> Tensor:
    """Turn every map (pixel, coil, set), whose phase is free, so that the image's phase is smooth.

    The reference coil gets a real positive sensitivity.
    """
    phase = torch.einsum("c,pcs->ps", reference.conj(), maps).angle()
    return maps * torch.polar(torch.ones_like(phase), -phase)[:, None]
