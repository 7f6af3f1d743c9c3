"""The fully sampled real brains, as examples to test on; nothing is chosen on them.

    python -m benchmarks.brains --data FOLDER --out FOLDER

writes them as `gleam prepare` would, for `gleam compare` and `gleam evaluate`. The scans and where
they are from: SOURCES.md beside them.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from gleam.data.example import write
from gleam.files import sha256_of
from gleam.formats import Layout, Scan, read_scan
from gleam.formats.scan import centred_affine
from gleam.preparation.prepare import Prepared, Settings


def brains(folder: Path) -> list[Prepared]:
    """The fully sampled real brains, prepared as `gleam prepare` does: no setting is theirs."""
    layouts = {
        "brain8ch_espirit_full.cfl": None,
        "brain16ch_96.mat": Layout.parse("x y coil"),
        # Partial along x only, so y was the readout.
        "brain8ch_smallfov_full.mat": Layout.parse("y:readout x coil"),
    }
    examples = []
    for name, layout in layouts.items():
        scan = read_scan(folder / name, layout)
        if "smallfov" in name:
            # The head is larger than its field of view, which asks for two map sets; it gets one,
            # as the networks were trained for.
            scan = replace(sampled_box(scan), name="brain8ch_smallfov (one map set)")
        examples.append(Prepared(scan, Settings(), sha256=sha256_of(folder / name)))
    return examples


def sampled_box(scan: Scan) -> Scan:
    """A slice without the zeros around its k-space, which lies in the middle."""
    assert scan.calibration is not None
    box = tuple(slice(*edges) for edges in scan.calibration)
    kspace = scan.kspace[0][None, :, :, *box]
    space = kspace.shape[3:]
    return replace(
        scan,
        kspace=kspace,
        sampled=scan.sampled[:, *box],
        matrix=space,
        affine=centred_affine(space, scan.voxel, 1),
        calibration=tuple((0, n) for n in space),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the scans")
    parser.add_argument("--out", type=Path, required=True, help="folder of the examples")
    a = parser.parse_args()
    for example in brains(a.data):
        write(example, a.out / f"{example.header.name.split()[0]}.h5")


if __name__ == "__main__":
    main()
