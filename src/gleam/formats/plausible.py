"""Whether an array looks like what it is said to be: bare numbers are read wrongly in silence.

K-space has most of its energy in the middle of every space axis, and little structure along coils
and frames. Coil images are the other way round: it is their Fourier transform that is concentrated.
What is looked at is one slice, of a few coils where a transform is needed. These are doubts, no
errors: noise, single points and undersampled scans raise none.
"""

from collections.abc import Iterator

import numpy as np
import scipy
from numpy.typing import NDArray

from gleam.formats.scan import Array

_MIDDLE = 8  # what counts as the middle is this part of an axis
_MOST = 0.5  # of the energy
_MANY = 64  # coils, more than nearly all receivers have
_LEAST = 16  # positions along an axis, for its middle to mean something
_COILS = 4  # that are transformed


def doubts(coils: Iterator[Array], count: int) -> tuple[str, ...]:
    """Sentences on what an array looks like if not like k-space; see `Scan.warnings`.

    Args:
        coils: centred k-space (frame, *space) of each coil of one slice.
        count: how many coils there are.
    """
    energies, space, found, wrapped, transformed = [], [], [], [], []
    for index, coil in enumerate(coils):
        power = np.abs(coil).astype(np.float64) ** 2
        energies.append(power.sum(axis=tuple(range(1, power.ndim))))  # of each frame
        space.append([power.sum(axis=_others(power, a)) for a in range(1, power.ndim)])
        if index % -(-count // _COILS) == 0:
            frame = int(energies[-1].argmax())
            axes = tuple(range(coil.ndim - 1))
            found.append(power[frame])
            wrapped.append(scipy.fft.fftshift(power[frame]))
            image = scipy.fft.fftn(scipy.fft.ifftshift(coil[frame]), axes=axes, norm="ortho")
            transformed.append(np.abs(scipy.fft.fftshift(image)).astype(np.float64) ** 2)
    if not np.sum(energies) > 0:
        return ()
    profiles = [np.sum(parts, axis=0) for parts in zip(*space, strict=True)]
    own, other, corners = (_middle(np.sum(p, axis=0)) for p in (found, transformed, wrapped))
    if other > _MOST > 4 * own:
        return (
            "looks like coil images, not like k-space: its energy is spread out, and that of its "
            "Fourier transform is in the middle; give k-space, centred",
        )
    if corners > _MOST > 4 * own:
        return (
            "its zero frequency is at the first sample, as FFTs have it, and not in the middle; "
            "give centred k-space (fftshift along every space axis)",
        )
    return _exchanged(np.array(energies), profiles)


def _exchanged(
    energies: NDArray[np.float64], profiles: list[NDArray[np.float64]]
) -> tuple[str, ...]:
    """Whether coils or frames look like an axis of k-space.

    Args:
        energies: of each (coil, frame).
        profiles: energy along each space axis.
    """
    names = ("z", "y", "x")[-len(profiles) :]
    flattest = min(range(len(profiles)), key=lambda axis: _middle(profiles[axis]))
    spread = _middle(profiles[flattest]) < _MOST / 2
    for word, along in (("coil", energies.sum(1)), ("frame", energies.sum(0))):
        peaked = len(along) >= _LEAST and _middle(along) > _MOST and spread
        many = word == "coil" and len(along) > max(_MANY, 2 * min(map(len, profiles)))
        if peaked or many:
            shape = " × ".join(str(len(profile)) for profile in profiles)
            return (
                f"its axes look exchanged: {len(along)} {word}s of {shape}"
                + (
                    f", whose energy lies in the middle of the {word}s and is spread along "
                    f"{names[flattest]}"
                    if peaked
                    else ""
                )
                + "; check --axes",
            )
    return ()


def _middle(power: NDArray[np.float64]) -> float:
    """The share of the energy in the central part of every axis."""
    box = []
    for n in power.shape:
        size = max(2, -(-n // _MIDDLE))
        box.append(slice(n // 2 - size // 2, n // 2 - size // 2 + size))
    return float(power[tuple(box)].sum() / (power.sum() or 1.0))


def _others(power: NDArray[np.float64], axis: int) -> tuple[int, ...]:
    return tuple(other for other in range(power.ndim) if other != axis)
