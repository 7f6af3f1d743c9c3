"""Reconstruct a scan with a network that was adapted to that very scan."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from gleam.data.example import Example, ExampleFile, write
from gleam.errors import BadInput, Diverged, OutOfMemory, Signalled, Unwritable
from gleam.files import in_temporary
from gleam.reconstruction.reconstructor import Trained
from gleam.runs.adaptation import Adaptation, adapt
from gleam.runs.folder import best_validation, read_summary
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
        chosen, data, device = method, example, str(method.device)
        try:
            write(example, stored)
            adapt(Path(method.name), [stored], folder, how, force=method.force, device=device)
        except Unwritable as error:
            error.go_on = Unwritable.go_on
            raise in_temporary(error) from error.__cause__
        except Signalled as error:  # what it would go on with is gone
            raise Signalled("stopped while adapting; no image was made", error.code - 128) from None
        except (BadInput, Diverged, OutOfMemory) as error:
            why = error if isinstance(error, BadInput) else _REASONS[type(error)]
            used = "" if method.on_trial else ", and is used as it is"
            warn(method.name, [f"could not be adapted{used}: {why}"])
        else:
            if _is_start(folder):
                warn(method.name, [SAME])
            else:
                words = f"{method.words}, adapted to the scan"
                chosen = replace(make(folder), name=method.name, words=words)
                data = ExampleFile(stored)
        yield chosen, data


_REASONS = {
    Diverged: "a loss was not finite",
    OutOfMemory: "there was not enough memory to learn",
}


def _is_start(folder: Path) -> bool:
    """Whether an adapted run ended with the network that it began with."""
    summary = read_summary(folder)
    best, before = best_validation(summary), summary["validation_before_db"]
    return best is not None and bool(best < before)
