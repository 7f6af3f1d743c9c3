"""Linear reconstructions: zero filling, CG-SENSE, and a sliding window for series."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gleam.arrays import Image, Mask
from gleam.physics.cg import conjugate_gradients
from gleam.physics.measurement import Measured, Measurement, check_measured
from gleam.physics.partial_fourier import PhaseConstraint, constraint


def zero_filled(measurement: Measured) -> Image:
    """Aᴴy: what was not sampled is taken for zero.

    >>> gleam.zero_filled(A).shape  # (batch, set, frame, *space)
    torch.Size([2, 1, 1, 32, 48])

    Args:
        measurement: of any dimension.

    Returns:
        (batch, set, frame, *space) complex64, in the measurement's intensities.

    Raises:
        BadInput: it is no measurement.
    """
    check_measured(measurement, "zero_filled")
    return measurement.adjoint


# Chosen on 24 simulated slices (96², SNR 10 to 100) by the mean complex PSNR over 4× equispaced
# and 8× Poisson-disc masks. Stopping earlier wins 0.01 dB there, and 0.1 dB on 24
# cleaner and larger ones (SNR 10 to 200).
def cg_sense(measurement: Measured, weight: float = 0.04, steps: int = 20) -> Image:
    """argmin ‖A x − y‖² + weight · ‖x − Aᴴy‖² by conjugate gradients (Pruessmann et al., MRM 2001).

    The penalty draws to the zero-filled image, not to zero: where all was sampled it is right, and
    intensities are the scan's own. With partial Fourier it is solved twice, the second time with a
    phase constraint (`gleam.physics.partial_fourier`).

    >>> image = gleam.cg_sense(A)
    >>> (image - target).norm() < (gleam.zero_filled(A) - target).norm()
    tensor(True)

    Args:
        measurement: of any dimension.
        weight: more draws to the zero-filled image, with less noise and more aliasing.
        steps: of conjugate gradients, at most.

    Returns:
        (batch, set, frame, *space) complex64, in the measurement's intensities.

    Raises:
        BadInput: it is no measurement.
    """

    def solved(part: Measurement, held: PhaseConstraint | None = None) -> Image:
        def normal(x: Image) -> Image:
            result = part.sense.normal(x) + weight * x
            return result if held is None else result + held.gradient(x)

        return conjugate_gradients(
            normal, (1 + weight) * part.adjoint, part.axes, steps, tolerance=1e-4
        )

    def solved_again(phase: Image, part: Measurement) -> Image:
        return solved(part, PhaseConstraint(phase))

    check_measured(measurement, "cg_sense")
    with torch.no_grad():
        image = measurement.advance(lambda _, part: solved(part), measurement.adjoint)
        held = constraint(image, measurement.mask, measurement.axes)
        return image if held is None else measurement.advance(solved_again, held.phase)


# Chosen on eight simulated hearts (64², 16 frames, 4 to 8 coils, SNR 10 to 200) by the mean complex
# PSNR over the three k-t masks, 4× and 8×; so was the length of the window.
def sliding_window(measurement: Measured, weight: float = 0.04, steps: int = 20) -> Image:
    """Each frame from the frames around it, as if nothing moved meanwhile.

    x_t = argmin Σ_τ ‖A_τ x − y_τ‖² + weight · ‖x − Σ_τ A_τᴴy_τ / n‖² over the frames τ of a window
    around t, by conjugate gradients; n of them sampled the zero frequency, around which the energy
    is. Frames share maps, so ΣA_τᴴA_τ is AᴴA with a mask that counts how often
    the window sampled each position, and ΣA_τᴴy_τ is the window's sum of Aᴴy. A window has as
    many frames as the mean acceleration, so as many samples as k-space has positions; at the ends
    of a series it stays inside, whole. Static data are one frame, and this is CG-SENSE.

    Source: d'Arcy et al., NMR in Biomedicine 15, 2002, for the window; Pruessmann et al., MRM
    2001, for the rest.
    """
    frames = measurement.adjoint.shape[2]
    of_all = _windows(measurement.mask, frames)

    def solved(_: Image, part: Measurement) -> Image:
        windows = of_all if len(of_all) == 1 else _windows(part.mask, frames)
        counts = part.mask.float()
        counts = _summed(counts.expand(-1, -1, frames, *counts.shape[3:]), windows)
        zero_frequency = counts.clamp(min=1)
        for axis in part.axes:
            zero_frequency = zero_frequency.narrow(axis, 0, 1)
        sense = replace(part.sense, mask=counts)
        return conjugate_gradients(
            lambda x: sense.normal(x) + weight * x,
            (1 + weight / zero_frequency) * _summed(part.adjoint, windows),
            sense.axes,
            steps,
            tolerance=1e-4,
        )

    with torch.no_grad():
        return measurement.advance(solved, measurement.adjoint)


def _windows(mask: Mask, frames: int) -> list[int]:
    """Number of frames of a window; of each example, where masks are its own."""
    shares = mask.float().flatten(1).mean(1).tolist()
    return [round(1 / max(share, 1 / frames)) for share in shares]


def _summed(series: Tensor, windows: Sequence[int]) -> Tensor:
    """Each frame's sum over its window, of series (batch, any, frame, *space)."""
    frames = torch.arange(series.shape[2])
    alone = len(windows) > 1
    each = [series[k : k + 1] for k in range(len(series))] if alone else [series]
    sums = []
    for some, window in zip(each, windows, strict=True):
        first = (frames - window // 2).clamp(0, len(frames) - window)
        sums.append(some.unfold(2, window, 1).sum(-1)[:, :, first])
    return torch.cat(sums)
