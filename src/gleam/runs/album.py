"""Pictures of validation, kept in a run's folder, so that a run can be watched: see `Picture`.

`validation/step-000200.png` is what validation showed after 200 steps. The first is kept, and the
newest; when there are more than `MOST`, every other one between them goes.
"""

from pathlib import Path

from PIL import Image

from gleam.files import make_folder, replacing
from gleam.runs.events import Event

FOLDER = "validation"
MOST = 60


class Album:
    """A logger that keeps pictures.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._run = folder

    def log(self, event: Event) -> None:
        """Write the picture of an event that has one.

        Raises:
            BadInput, Unwritable: see `gleam.files`.
        """
        if event.kind != "image":
            return
        folder = self._run / FOLDER
        make_folder(folder)
        with replacing(folder / f"step-{event.step:06}.png") as temporary:
            Image.fromarray(event.values["image"]).save(temporary, "PNG")
        kept = [*pictures(self._run).values()]
        if len(kept) > MOST:
            for path in kept[1:-1:2]:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """All is written."""


def pictures(run: Path) -> dict[int, Path]:
    """Step → picture, in order."""
    found = (run / FOLDER).glob("step-*.png")
    steps = ((path.stem.removeprefix("step-"), path) for path in found)
    return dict(sorted((int(step), path) for step, path in steps if step.isdecimal()))


def forget_pictures(run: Path, after: int) -> None:
    """Leave out those of later steps."""
    for step, path in pictures(run).items():
        if step > after:
            path.unlink(missing_ok=True)
