"""Reconstruct a scan with a network that was adapted to that very scan."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from gleam.data.example import Example, ExampleFile, write
from gleam.errors import BadInput, Diverged, Unwritable
from gleam.files import in_temporary
from gleam.reconstruction.reconstructor import Trained
from gleam.runs.adaptation import Adaptation, adapt
from gleam.runs.folder import read_summary
from gleam.terminal import warn

SAME = "adapting made the prediction of held-out samples no better, so the network is as it was"


@contextmanager
def adapted_to(
    example: Example, method: Trained, how: Adaptation, make: Callable[[Path], Trained]
) -> Iterator[tuple[Trained, Example]]:
    """Have a network learn from a scan before it reconstructs that.

    Where that cannot be, the user is told why, and the network stays as it is. Nothing stays on
    disk.

    Args:
        example: a prepared scan, on disk or not.
        method: its network; the name is that of a run.
        how: see `Adaptation`.
        make: of the adapted run's folder, what uses its network as `method` uses its own.

    Yields:
        What to reconstruct with, and the scan.

    Raises:
        Unwritable: there is no room for temporary files.
        Stopped: see `gleam.runs.train.train`.
    """
    with TemporaryDirectory(prefix="gleam-adapt-") as temporary:
        stored, folder = Path(temporary) / "example.h5", Path(temporary) / "run"
        try:
            write(example, stored)
        except Unwritable as error:
            raise in_temporary(error) from error.__cause__
        chosen, device = method, str(method.device)
        data: Example = example
        try:
            adapt(Path(method.name), [stored], folder, how, force=method.force, device=device)
        except (BadInput, Diverged) as error:
            warn(method.name, [f"could not be adapted, and is used as it is: {error}"])
        else:
            if _kept(folder):
                warn(method.name, [SAME])
            else:
                words = f"{method.words}, adapted to the scan"
                chosen = replace(make(folder), name=method.name, words=words)
                data = ExampleFile(stored)
        yield chosen, data


def _kept(folder: Path) -> bool:
    """Whether an adapted run ended with the network that it began with."""
    summary = read_summary(folder)
    best, before = (
        summary["best_validation_prediction_db"],
        summary["validation_before_db"],
    )
    return bool(best < before)
