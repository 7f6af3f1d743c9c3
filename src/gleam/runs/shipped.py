"""Networks that ship with GLEAM: their names stand wherever the folder of a run does.

Each is the folder of a run without what training left there, in `shipped` beside the rooms;
`python -m benchmarks.ship` puts it there. They were trained on simulated scans, as a start to adapt
from, so unadapted their images are taken on trial only, see `Reconstructor.on_trial`.
"""

from pathlib import Path

SHIPPED = Path(__file__).parents[1] / "shipped"
RECIPE = "recipe.yaml"


def names() -> list[str]:
    """Names of the networks that ship."""
    return sorted(recipe.parent.name for recipe in SHIPPED.glob(f"*/{RECIPE}"))


def located(run: Path) -> Path:
    """The folder of a run: its own, or that of what ships under its name where it has none."""
    return SHIPPED / run if ships(run) else run


def ships(run: Path) -> bool:
    """Whether this is what ships under that name, and no folder of the user's."""
    return str(run) in names() and not run.exists()


def advice() -> str:
    """Advice to who has no run, to go on in a message."""
    known = names()
    return "train a run with `gleam train`" + (
        f", or take one that ships: {', '.join(known)}" if known else ""
    )
