"""A trained network leaves as a folder and as one program, and reconstructs as it did before.

    python examples/export_and_load.py

The folder holds weights (safetensors), the recipe and a model card, and needs no trust. A .pt2 file
runs without GLEAM, wherever torch is; but torch loads it through pickle, so it takes your word.
"""

from pathlib import Path

import numpy as np
import torch

import gleam


def main(size: int = 64, steps: int = 50, iterations: int = 4, width: int = 16) -> list[float]:
    """Print and return how far the images of what was exported are from the run's own."""
    data = gleam.prepare(gleam.simulate((size, size), slices=2))
    data.save("exported/examples/scan.h5", force=True)
    regulariser = {"width": width, "blocks": 1}
    run = gleam.train(
        {
            "data": {"train": "exported/examples"},
            "mask": {"acceleration": 3},
            "network": {"iterations": iterations, "regulariser": regulariser},
            "training": {"modules": iterations, "steps": steps},
        },
        "exported/run",
        force=True,
    )

    gleam.export(run, "exported/folder", force=True)
    gleam.export(run, "exported/net.pt2", force=True)
    print(*sorted(path.name for path in Path("exported/folder").iterdir()))

    mask = gleam.mask("equispaced", acceleration=3)
    expected = run.reconstruct(data, mask).image
    errors = []
    for exported in ("exported/folder", "exported/net.pt2"):
        image = gleam.reconstruct(data, exported, mask, trust=["exported/net.pt2"]).image
        errors.append(float(np.abs(image - expected).max() / np.abs(expected).max()))
        print(f"{exported}: {errors[-1]:.1e} off")

    # Without GLEAM: a program takes maps, mask, Aᴴy and the noise level of one slice.
    program = torch.export.load("exported/net.pt2").module()
    A, _ = data.measure(mask, slices=0)
    with torch.no_grad():
        image = program(A.sense.maps, A.mask, A.adjoint, A.noise)
        errors.append(float((image - run.network(A)).abs().max() / image.abs().max()))
    print(f"the program by itself: {errors[-1]:.1e} off")
    return errors


if __name__ == "__main__":
    main()
