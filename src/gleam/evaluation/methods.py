"""Methods to evaluate: the classical baselines, and trained networks."""

from collections.abc import Callable, Iterator, Sequence

import torch

from gleam.arrays import Image
from gleam.data.example import Example
from gleam.evaluation.evaluate import Method
from gleam.networks import Unrolled
from gleam.physics.baselines import cg_sense, sliding_window, zero_filled
from gleam.physics.compressed_sensing import temporal_tv, wavelet
from gleam.physics.slabs import Measured


def baselines(device: torch.device | str, examples: Sequence[Example]) -> list[Method]:
    """What is always compared with.

    Zero filling and CG-SENSE; a sliding window, where some of the examples are series; and wavelets
    or, where all are series, total variation over time.
    """

    def single(
        method: Callable[[Measured], Image],
    ) -> Callable[[Measured], Iterator[Image]]:
        return lambda measurement: iter([method(measurement.to(device))])

    methods = [Method("zero-filled", single(zero_filled)), Method("CG-SENSE", single(cg_sense))]
    series = [example.shape[2] > 1 for example in examples]
    if any(series):
        methods.append(Method("sliding window", single(sliding_window)))
    if all(series):
        methods.append(Method("temporal TV", single(temporal_tv)))
    else:
        methods.append(Method("wavelets", single(wavelet)))
    return methods


def trained(name: str, network: Unrolled, device: torch.device | str) -> Method:
    """A network, which is moved to the device."""
    network = network.to(device).eval()
    return Method(name, lambda measurement: network.iterates(measurement.to(device)))
