"""The model card: what a network was trained on, how good it is, and what it is not for."""

from collections.abc import Mapping
from typing import Any

from gleam.networks import Unrolled
from gleam.recipe import Recipe
from gleam.reconstruction.exported import Facts
from gleam.report.training import describe
from gleam.words import counted


def card(recipe: Recipe, network: Unrolled, facts: Facts, summary: Mapping[str, Any]) -> str:
    """The card, as Markdown.

    Args:
        recipe: of the run.
        network: its network.
        facts: about it.
        summary: of its training, as far as there is one.
    """
    known, best = facts.trained_on, summary.get("best_validation_psnr_db")
    lowest, highest = known.accelerations
    times = f"{lowest:g}×" if lowest == highest else f"{lowest:g} to {highest:g}×"
    score = f"{best:.2f} dB complex PSNR" if best is not None else "not measured"
    parameters = sum(weight.numel() for weight in network.parameters())
    lines = [
        "# A network for accelerated MRI, trained with GLEAM",
        "",
        "**Not for diagnosis.** This is research software; no image of it may be used to decide "
        "about a patient.",
        "",
        "| | |",
        "| --- | --- |",
        f"| network | {describe(recipe)}, {parameters} parameters |",
        f"| data consistency at the end | {_CONSISTENT[facts.consistent]} |",
        f"| trained on | {counted(len(known.training), 'scan')}: {_listed(known.kinds)} |",
        f"| undersampled | {_listed(known.masks)} masks, {times} |",
        f"| validation, {counted(len(known.validation), 'scan')} | {score} |",
        f"| coil sensitivities | {counted(facts.sets, 'set')} of ESPIRiT maps |",
        "",
        "## Limits",
        "",
        "- Scans of another kind, other masks, accelerations, contrasts, field strengths and "
        "anatomies than it was trained on give images that nothing vouches for. GLEAM refuses the "
        "first and warns of what it can see of the others.",
        "- What looks like anatomy may be invented, and what is there may be missing, where data "
        "are few. Compare with a reconstruction without learning (`gleam reconstruct wavelet …`).",
        "- The score is of the scans it was validated on, by which the best weights were chosen: "
        "score it on your own with `gleam evaluate`.",
        "",
        "## Use",
        "",
        "    gleam reconstruct FOLDER scan.h5 -o image.nii.gz" + _trust(recipe),
        "",
        "trained_on.json holds the SHA-256 of each scan that it has seen, without names.",
    ]
    return "\n".join(lines) + "\n"


_CONSISTENT = {
    True: "yes, the last step of the network is a solve against the measured data",
    False: "no, the last step of the network is its regulariser",
    None: "as the network has it",
}


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(names) or "not recorded"


def _trust(recipe: Recipe) -> str:
    build = recipe.network.build
    return f" --trust {build.partition('.')[0].partition(':')[0]}" if build else ""
