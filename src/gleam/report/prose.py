"""The outcome of an evaluation in a few plain sentences, made from its numbers."""

import math
from collections.abc import Sequence

from gleam.evaluation.statistics import CONFIDENCE, Estimate
from gleam.evaluation.summary import Summary


def outcome(summary: Summary) -> list[str]:
    """A sentence on who came out best by complex PSNR per scan, by how much, and whether that is
    sure."""
    means = {method: own["psnr_complex"] for method, own in summary.means.items()}
    broken = [method for method in means if means[method].mean == -math.inf]
    sound = [method for method in means if method not in broken]
    ranked = sorted(sound, key=lambda method: -means[method].mean)
    sentences = []
    if ranked:
        best, top = ranked[0], means[ranked[0]]
        verb = "came out best with" if len(ranked) > 1 else "reached"
        sentences.append(
            f"“{best}” {verb} a complex PSNR of {top.mean:.2f}\u00a0dB{_interval(top)}"
            + (" on the one scan there is." if top.scans == 1 else f", mean of {top.scans} scans.")
        )
    if len(ranked) > 1:
        gap = summary.difference(best, ranked[1], "psnr_complex")
        sentences.append(
            f"That is {gap.mean:.2f}\u00a0dB{_interval(gap)} more than “{ranked[1]}”, "
            f"the next best: {_verdict(gap)}."
        )
        by_ssim = summary.best("ssim")
        if by_ssim != best:
            sentences.append(
                f"SSIM puts “{by_ssim}” first ({summary.means[by_ssim]['ssim'].mean:.3f}, against "
                f"{summary.means[best]['ssim'].mean:.3f})."
            )
    if len(ranked) > 2:
        sentences.append(f"Last is “{ranked[-1]}” with {means[ranked[-1]].mean:.2f}\u00a0dB.")
    for method in broken:
        sentences.append(f"“{method}” failed: its images hold values that are not finite.")
    return sentences


def memory(peaks: Sequence[tuple[str, int]]) -> str:
    """A sentence on the run that trained in the least memory; `peaks` are (name, bytes), at least
    two."""
    (small, least), *_, (large, most) = sorted(peaks, key=lambda peak: peak[1])
    if most < 1.05 * least:
        return f"In training, all needed about as much memory: {size(most)}."
    return (
        f"In training, “{small}” needed the least memory: {size(least)}, against {size(most)} for "
        f"“{large}” ({most / least:.1f} times as much)."
    )


def size(count: int) -> str:
    """Bytes as MiB or GiB."""
    mebibytes = count / 2**20
    return f"{mebibytes:.0f}\u00a0MiB" if mebibytes < 1000 else f"{mebibytes / 1024:.2f}\u00a0GiB"


def _interval(value: Estimate) -> str:
    if math.isnan(value.low):
        return ""
    return f" ({CONFIDENCE:.0%} interval {value.low:.2f} to {value.high:.2f})"


def _verdict(gap: Estimate) -> str:
    if math.isnan(gap.low):
        return "one scan cannot tell whether that is chance"
    if gap.sure:
        return "more than chance, as the interval leaves out zero"
    return "these scans cannot tell the two apart"
