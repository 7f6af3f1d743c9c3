"""Means over the test set and differences between methods, each with its confidence interval."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from gleam.evaluation.scores import METRICS, Score
from gleam.evaluation.statistics import Estimate, bootstrap_mean, paired_difference


@dataclass(frozen=True)
class Summary:
    """Summary of scores per scan, or of scores per slice.

    Attributes:
        means: method → metric → mean.
        differences: (method, other) → metric → mean of method − other over the same examples;
            every pair in the order the methods were given.
    """

    means: dict[str, dict[str, Estimate]]
    differences: dict[tuple[str, str], dict[str, Estimate]]

    def best(self, metric: str) -> str:
        """The method with the best mean; the first one among equals."""
        sign = 1 if METRICS[metric].higher else -1
        return max(self.means, key=lambda method: sign * self.means[method][metric].mean)

    def difference(self, method: str, other: str, metric: str) -> Estimate:
        """Mean of method − other, whichever way round the pair is kept."""
        if (method, other) in self.differences:
            return self.differences[method, other][metric]
        turned = self.differences[other, method][metric]
        return Estimate(-turned.mean, -turned.high, -turned.low, turned.scans)


def summarise(scores: Sequence[Score]) -> Summary:
    """Summarise the scores per slice, or those per scan, of an `Evaluation`."""
    rows: dict[str, list[Score]] = {}
    for score in scores:
        rows.setdefault(score.method, []).append(score)
    scans = [score.scan for score in next(iter(rows.values()))]
    columns = {
        method: {metric: [score[metric] for score in own] for metric in METRICS}
        for method, own in rows.items()
    }
    return Summary(
        means={
            method: {metric: bootstrap_mean(own[metric], scans) for metric in METRICS}
            for method, own in columns.items()
        },
        differences={
            (a, b): {
                metric: paired_difference(columns[a][metric], columns[b][metric], scans)
                for metric in METRICS
            }
            for a, b in itertools.combinations(columns, 2)
        },
    )
