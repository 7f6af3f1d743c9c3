"""What `benchmarks.gpu_study` trains on, and what: slices, volumes, hearts; and the same, tiny."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind of scans, and what is trained on them.

    Attributes:
        scans: of each set, how many.
        simulate: further arguments of `gleam simulate`.
        prepare: further arguments of `gleam prepare`.
        recipe: without its data's folders.
        rates: learning rates to choose from for each scheme.
        minutes: that greedy modules train for; None for the steps of the recipe.
    """

    scans: Mapping[str, int]
    simulate: str
    recipe: dict[str, Any]
    prepare: str = ""
    rates: tuple[float, ...] = ()
    minutes: float | None = None


def training(modules: int, steps: int, rate: float) -> dict[str, Any]:
    every = max(1, steps // 5)
    return {
        "modules": modules, "steps": steps, "learning_rate": rate, "warmup": steps // 10,
        "validate_every": every, "checkpoint_every": every,
    }  # fmt: skip


# 3D and series: λ at the start as in the shorter study; the steps are set by the minutes.
KINDS = {
    "2d": Kind(
        {"train": 240, "validation": 12, "test": 24},
        "--slices 4 --shape 96 96",
        {
            "data": {"batch": 4},
            "mask": {"kind": "equispaced", "acceleration": 4},
            "network": {"family": "modl", "iterations": 16},
            "training": training(8, 4000, 3e-3),
        },
        rates=(1.5e-3, 3e-3, 6e-3),
    ),
    "3d": Kind(
        {"train": 30, "validation": 2, "test": 6},
        "--shape 48 96 96",
        {
            "data": {"slab": 12, "margin": 2},
            "mask": {"kind": "poisson", "acceleration": 8, "shutter": True},
            "network": {
                "family": "modl", "iterations": 8, "weight": 0.3,
                "regulariser": {"dimensions": 3, "bf16": True},
            },
            "training": training(8, 1000, 2e-3),
        },
        minutes=15.0,
    ),
    "cine": Kind(
        {"train": 48, "validation": 4, "test": 12},
        "--shape 96 96 --frames 12 --snr 30 200",
        {
            "data": {"batch": 1},
            "mask": {"kind": "kt-vista", "acceleration": 8},
            "network": {
                "family": "modl", "iterations": 8, "weight": 0.3,
                "regulariser": {"dimensions": 3, "bf16": True},
            },
            "training": training(8, 1000, 2e-3),
        },
        prepare="--calibration 0",
        minutes=15.0,
    ),
}  # fmt: skip

TINY = {"width": 4, "blocks": 1}
SMALL = {
    "2d": Kind(
        {"train": 2, "validation": 1, "test": 2},
        "--slices 1 --shape 24 20",
        {
            "mask": {"acceleration": 1.6},
            "network": {"iterations": 2, "cg_steps": 2, "regulariser": TINY},
            "training": training(2, 4, 1e-3),
        },
        rates=(1e-3, 2e-3),
    ),
    "3d": Kind(
        {"train": 1, "validation": 1, "test": 2},
        "--shape 16 16 16",
        {
            "data": {"slab": 4},
            "mask": {"kind": "poisson", "acceleration": 2},
            "network": {"iterations": 2, "cg_steps": 2, "regulariser": TINY | {"dimensions": 3}},
            "training": training(2, 2, 1e-3),
        },
        minutes=0.001,
    ),
    "cine": Kind(
        {"train": 1, "validation": 1, "test": 2},
        "--shape 24 20 --frames 4",
        {
            "mask": {"kind": "kt-vista", "acceleration": 2},
            "network": {"iterations": 2, "cg_steps": 2, "regulariser": TINY | {"dimensions": 3}},
            "training": training(2, 2, 1e-3),
        },
        prepare="--calibration 0",
        minutes=0.001,
    ),
}
