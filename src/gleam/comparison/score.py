"""The last part of a comparison: scores on a test set, averaged over a scheme's seeds."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import torch

from gleam.data.example import ExampleFile
from gleam.data.loader import every_slice
from gleam.evaluation.evaluate import baselines, evaluate
from gleam.evaluation.result import Evaluation
from gleam.evaluation.scores import METRICS, FrameScore, Score
from gleam.networks import build
from gleam.recipe import Recipe
from gleam.reconstruction.reconstructor import Trained
from gleam.terminal import followed
from gleam.words import counted

_Score = TypeVar("_Score", Score, FrameScore)


@dataclass(frozen=True)
class Scores:
    """Scores on one test set.

    Attributes:
        evaluation: with the baselines and one method per scheme. A score is the mean over the
            scheme's seeds; pictures are those of its first.
        seeds: by scheme, the mean complex PSNR over scans of each seed.
    """

    evaluation: Evaluation
    seeds: dict[str, list[float]]


def score(
    examples: Sequence[ExampleFile],
    recipe: Recipe,
    runs: Mapping[str, Sequence[Path]],
    device: torch.device,
    name: str,
) -> Scores:
    """Score the baselines, the untrained network, and every run of every scheme.

    Args:
        examples: the test set.
        recipe: of the scheme compared against: its mask is tested, its network untrained.
        runs: the folders of each scheme's runs.
        device: where to reconstruct.
        name: of the test set, for the progress bar.
    """
    untrained = build(recipe.network, recipe.seed).requires_grad_(False)
    given = baselines(device, examples)
    title = f"untrained, {counted(recipe.network.iterations, 'iteration')}"
    given[title] = Trained(title, untrained, sets=recipe.network.sets, device=device)
    members = {scheme: [str(folder) for folder in own] for scheme, own in runs.items()}
    learnt = {str(folder): Trained.of(folder, device) for own in runs.values() for folder in own}
    slices = sum(example.shape[0] for example in examples)
    batches = followed(every_slice(examples, recipe.mask), f"scoring on {name}", slices)
    shown = [*given, *(own[0] for own in members.values())]
    whole = evaluate(given | learnt, batches, seen=shown)
    seeds = {
        scheme: [fmean(s.psnr_complex for s in whole.scans if s.method == one) for one in own]
        for scheme, own in members.items()
    }
    groups = {title: [title] for title in given} | members
    return Scores(_averaged(whole, groups), seeds)


def _averaged(whole: Evaluation, groups: Mapping[str, Sequence[str]]) -> Evaluation:
    """One method for each group of methods."""
    firsts = {group: own[0] for group, own in groups.items()}
    return Evaluation(
        methods=[*groups],
        slices=_mean(whole.slices, groups, METRICS),
        scans=_mean(whole.scans, groups, METRICS),
        frames=_mean(whole.frames, groups, ["psnr"]),
        iterations={
            group: [
                fmean(values) for values in zip(*(whole.iterations[m] for m in own), strict=True)
            ]
            for group, own in groups.items()
        },
        seconds={group: fmean(whole.seconds[m] for m in own) for group, own in groups.items()},
        pictures=[one.of(firsts) for one in whole.pictures],
        device=whole.device,
    )


def _mean(
    scores: Sequence[_Score], groups: Mapping[str, Sequence[str]], metrics: Iterable[str]
) -> list[_Score]:
    """The mean score of each group on every slice, scan or frame, in the order of the scores."""
    own: dict[str, list[_Score]] = defaultdict(list)
    for one in scores:
        own[one.method].append(one)
    return [
        replace(
            together[0],
            method=group,
            **{metric: fmean(getattr(one, metric) for one in together) for metric in metrics},
        )
        for group, members in groups.items()
        for together in zip(*(own[member] for member in members), strict=True)
    ]
