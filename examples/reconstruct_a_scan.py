"""Reconstruct a scan in three ways, and say how far each is from the fully sampled image.

    python examples/reconstruct_a_scan.py [scan.h5]

Without a file, a scan is simulated. Any raw-data format does: ISMRMRD, fastMRI, Siemens twix, …
"""

import sys

import gleam


def error(image: gleam.Image, reference: gleam.Image) -> float:
    """‖image − reference‖ / ‖reference‖, of magnitudes."""
    difference = image.magnitude - reference.magnitude
    return float((difference**2).sum() / (reference.magnitude**2).sum()) ** 0.5


def main(path: str | None = None, size: int = 128, acceleration: float = 4.0) -> dict[str, float]:
    """Print and return the errors by method."""
    scan = gleam.load(path) if path else gleam.simulate((size, size), slices=2)
    print(scan)
    scan.show()

    # Sensitivities, noise level and scale are found once; what follows reads no scan again.
    data = gleam.prepare(scan)
    print(data)

    # As if only every fourth line had been acquired. A scan that was accelerated on the scanner is
    # reconstructed without a mask.
    mask = gleam.mask("equispaced", acceleration=acceleration)
    reference = gleam.reconstruct(data, "zero-filled")  # of all samples: the target
    errors = {}
    for method in ("zero-filled", "cg-sense", "wavelet"):
        image = gleam.reconstruct(data, method, mask)
        image.save(f"{method}.nii.gz", force=True)
        errors[method] = error(image, reference)
        print(f"{method}: {errors[method]:.1%} off")
    return errors


if __name__ == "__main__":
    main(*sys.argv[1:])
