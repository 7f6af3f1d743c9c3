"""A 3D volume that is prepared, learnt from and reconstructed in slabs along its readout.

    python examples/volume_in_slabs.py

Where the readout was sampled in full, physics couples none of its positions, and a CNN looks only
a few to each side: slabs with a margin give what the whole volume would, in bounded memory. See
docs/volumes.md.
"""

from pathlib import Path

import gleam


def main(size: int = 48, steps: int = 20, slab: int = 12, width: int = 16) -> gleam.Run:
    """Train on one simulated volume and reconstruct another; return the run."""
    folder = Path("volumes")
    for name, seed in (("learnt", 1), ("seen", 2)):
        scan = gleam.simulate((size, size, size), coils=4, slices=1, seed=seed, name=name)
        print(scan)
        gleam.prepare(scan, calibration=12).save(folder / f"{name}.h5", force=True)

    run = gleam.train(
        {
            "data": {"train": folder / "learnt.h5", "slab": slab},
            "mask": {"kind": "poisson", "acceleration": 4},
            "network": {
                "iterations": 4,
                "regulariser": {"dimensions": 3, "width": width, "blocks": 1},
            },
            "training": {"modules": 4, "steps": steps},
        },
        folder / "run",
        force=True,
    )
    print(run, f"{run.summary['peak_memory_bytes'] / 2**20:.0f} MiB at most")

    data = gleam.open(folder / "seen.h5")
    mask = gleam.mask("poisson", acceleration=4)
    for name, method in (("cg-sense", "cg-sense"), ("greedy", run)):
        image = gleam.reconstruct(data, method, mask)  # slab by slab, every iteration
        print(image)
        image.save(folder / f"{name}.nii.gz", force=True)
    return run


if __name__ == "__main__":
    main()
