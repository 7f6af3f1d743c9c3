"""Turning of the planes of any image on a page, whether or not its place is known."""

from gleam.formats.upright import Plane, Upright

# Files that say nothing of the patient's position are taken as the axes of LPS: z to the head.
NOMINAL: Upright = (
    Plane("", False, (False, False)),
    Plane("", False, (True, False)),
    Plane("", False, (True, False)),
)


def turned(upright: Upright | None) -> Upright:
    """The planes across z, y and x; nameless where the patient's position is not known."""
    return NOMINAL if upright is None else upright
