"""Search over a recipe's fields with Ray Tune: depth, modules and learning rate at one budget.

    pip install 'ray[tune]'
    python examples/ray_tune.py

Every trial is a run like any other, in a folder of its own; Ray places trials on the GPUs and
machines there are, and stops nothing early here, as cosines end at zero.
"""

from functools import partial
from pathlib import Path

from ray import tune

import gleam

SPACE = {
    "iterations": tune.choice([4, 8, 16]),
    "module": tune.choice([1, 2, 4]),  # iterations of each
    "learning_rate": tune.loguniform(3e-4, 6e-3),
}


def trial(choice: dict[str, float], data: Path, minutes: float, out: Path) -> dict[str, float]:
    """Train one recipe; what Ray is told of it."""
    iterations, module = int(choice["iterations"]), int(choice["module"])
    run = gleam.train(
        {"data": {"train": str(data / "train"), "validation": str(data / "validation")}},
        out / f"{iterations}-{module}-{choice['learning_rate']:.2g}",
        quiet=True,
        force=True,
        network={"iterations": iterations},
        training={
            "modules": iterations // module,
            "learning_rate": choice["learning_rate"],
            "minutes": minutes,
        },
    )
    return {
        "psnr": run.summary["best_validation_psnr_db"],
        "memory": run.summary["peak_memory_bytes"],
    }


def main(data: str = "prepared", minutes: float = 20.0, samples: int = 24) -> dict[str, float]:
    """Try some recipes; the best by validation."""
    out = Path("sweep").resolve()
    tuner = tune.Tuner(
        partial(trial, data=Path(data).resolve(), minutes=minutes, out=out),
        param_space=SPACE,
        tune_config=tune.TuneConfig(num_samples=samples, metric="psnr", mode="max"),
        run_config=tune.RunConfig(storage_path=str(out / "ray")),
    )
    best = tuner.fit().get_best_result()
    print(f"best: {best.config}, {best.metrics['psnr']:.2f} dB")
    return dict(best.config)


if __name__ == "__main__":
    main()
