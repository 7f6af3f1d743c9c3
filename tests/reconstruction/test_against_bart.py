"""CG-SENSE is BART's SENSE: the operator, its conventions and the solver against another's."""

import shutil
import subprocess

import numpy as np
import pytest
import torch

from gleam.data.loader import every_slice
from gleam.physics.baselines import cg_sense
from gleam.physics.fourier import centred, fft
from gleam.preparation.prepare import Prepared, Settings
from gleam.recipe import MaskRecipe
from gleam.simulation.scan import simulate_scan

WEIGHT = 0.1


def write_cfl(path, coils):
    """(coil, y, x) as BART's dimensions 1 × y × x × coil, the first the fastest."""
    count, height, width = coils.shape
    path.with_suffix(".hdr").write_text(f"# Dimensions\n1 {height} {width} {count}\n")
    coils.transpose(0, 2, 1).astype("<c8").tofile(path.with_suffix(".cfl"))


@pytest.mark.skipif(shutil.which("bart") is None, reason="bart is not installed")
@pytest.mark.parametrize(("kind", "acceleration"), [("equispaced", 3), ("poisson", 4)])
def test_cg_sense_is_that_of_bart(tmp_path, kind, acceleration):
    shape = 40, 36  # pics turns the sign along axes of 2 (mod 4) positions
    example = Prepared(simulate_scan(shape, coils=5, slices=1, snr=40.0, seed=3), Settings())
    (batch,) = every_slice([example], MaskRecipe(kind=kind, acceleration=acceleration))
    sense = batch.measurement.sense

    kspace = fft(example[0].kspace[:, 0], (-2,))  # the readout was transformed in preparation
    write_cfl(tmp_path / "kspace", centred(kspace * sense.mask[0, 0], (-2, -1)).numpy())
    write_cfl(tmp_path / "maps", sense.maps[0, 0, :, 0].numpy())
    command = f"bart pics -l2 -r {WEIGHT} -i 100 -w 1 kspace maps image"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    theirs = np.fromfile(tmp_path / "image.cfl", "<c8").reshape(shape[::-1]).T.copy()

    ours = cg_sense(batch.measurement, WEIGHT, 100)[0, 0, 0]
    theirs = (1 + WEIGHT) * theirs  # its penalty draws to zero, ours to the zero-filled image
    assert (ours - torch.from_numpy(theirs)).norm() < 1e-3 * ours.norm()
