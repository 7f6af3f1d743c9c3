"""gleam adapt: a network learns from undersampled scans."""

from gleam.cli.options.adapt import Arguments
from gleam.cli.train import print_end
from gleam.errors import BadInput
from gleam.runs.adaptation import Adaptation, adapt


def main(a: Arguments) -> None:
    """Run the verb."""
    if a.of_scan.part is not None:
        raise BadInput("adapt: learns from all scans of a file; for a --part, prepare that first")
    mask, settings = a.of_scan.mask_recipe("adapt"), a.of_scan.settings()
    how = Adaptation(
        a.steps,
        a.minutes,
        a.modules,
        a.last,
        a.holdout,
        interpolation=a.interpolation,
        mask=mask,
    )
    run = adapt(a.run, a.scans, a.out, how, settings, force=a.force, device=a.device)
    print_end(run, a.json)
