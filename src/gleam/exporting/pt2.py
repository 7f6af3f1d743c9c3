"""Writing a program as torch.export's .pt2: bit-equal to the network, wherever PyTorch is."""

import warnings
from pathlib import Path

import torch
from torch.export import ExportedProgram

from gleam.files import replacing
from gleam.reconstruction.exported import FACTS, Facts


def write(program: ExportedProgram, facts: Facts, path: Path) -> None:
    """Write it, with what it is beside it."""
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own, about weights that are views
        torch.export.save(program, temporary, extra_files={FACTS: facts.model_dump_json()})
