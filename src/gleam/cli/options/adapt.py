"""Options of `gleam adapt`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from gleam.cli.arguments import Device, Flag, Trust
from gleam.cli.options.scan import ScanArguments
from gleam.recipe import INTERPOLATION, OF_ONE_SCAN, Count, HoldoutRecipe, Positive, Share


@dataclass(frozen=True)
class Arguments:
    """Have a network learn from undersampled scans; no ground truth is needed.

    In each step some of the acquired samples are held out, and every module's image must predict
    them. The new run is one like any other; where nothing became better, its network is RUN's.

    Example: gleam adapt runs/greedy scan.h5 --out runs/adapted
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Folder of the run to start from, or the name of a network that ships; or a recipe (.yaml),
    whose network starts from weights that are drawn."""
    scans: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="SCAN…")]
    """Scan files, example files of `gleam prepare`, or folders of them: one scan, or several of one
    protocol."""
    out: Path
    """Folder of the new run."""
    steps: Count | None = None
    """Number of training steps; by default 100."""
    minutes: Positive | None = None
    """Minutes to train for instead of a number of steps, validation apart."""
    modules: Count | None = None
    """Number of modules, each of which learns from its own loss; 1 is end-to-end. By default the
    run's."""
    last: Count | None = None
    """Number of last modules that learn, while the others stay as they are: faster, and not as
    good. By default all learn."""
    interpolation: Share = INTERPOLATION
    """Place of the weights that are kept, on the way from RUN's (0) to those learnt (1): those in
    between also keep what the network knew. Give 1 where much is learnt from."""
    holdout: HoldoutRecipe = OF_ONE_SCAN
    of_scan: Annotated[ScanArguments, tyro.conf.arg(name="")] = field(default_factory=ScanArguments)
    device: Device = "auto"
    trust: Trust = ()
    force: Flag = False
    """Replace a run that is there; and use a network on another kind of scans than it was trained
    on."""
    json: Flag = False
    """Print the run's summary as JSON."""
