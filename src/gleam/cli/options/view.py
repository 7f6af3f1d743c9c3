"""Options of `gleam view`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import Device, Flag, Trust
from gleam.cli.options.scan import ScanArguments


@dataclass(frozen=True)
class Arguments:
    """Look at images or a scan in the browser, with the controls of the report.

    The page is served on this machine alone (127.0.0.1) until Ctrl-C, or written to a file that
    needs no network. Images of one size can be swiped and flickered; a scan is reconstructed first.

    Example: gleam view scan.h5 --method cg-sense wavelet
    """

    files: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE")]
    """Images: .nii, .nii.gz, .dcm, a folder of DICOM files, or .npy and .mat whose --axes name no
    coils. Or one scan file, as `gleam reconstruct` takes it, or one example file of `gleam
    prepare`."""
    method: tuple[str, ...] = ("cg-sense",)
    """Methods to reconstruct a scan with: all that `gleam reconstruct` takes as RUN."""
    of_scan: Annotated[ScanArguments, tyro.conf.arg(name="")] = field(default_factory=ScanArguments)
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """File to write the page to, .html, instead of serving it."""
    port: int = 0
    """Port to serve at; 0 takes one that is free."""
    browser: bool = True
    """Open the browser; without it, only the address is said."""
    device: Device = "auto"
    trust: Trust = ()
    force: Flag = False
    """Replace a page that is there; and use a network on another kind of scan than it was trained
    on."""
