"""Methods to evaluate: the classical baselines, and trained networks."""

from collections.abc import Callable, Iterator

import torch

from gleam.arrays import Image
from gleam.evaluation.evaluate import Method
from gleam.networks import Unrolled
from gleam.physics.slabs import Measured
from gleam.reconstruction.baselines import cg_sense, zero_filled


def baselines(device: torch.device | str) -> list[Method]:
    """Zero filling and CG-SENSE."""

    def single(
        method: Callable[[Measured], Image],
    ) -> Callable[[Measured], Iterator[Image]]:
        return lambda measurement: iter([method(measurement.to(device))])

    return [Method("zero-filled", single(zero_filled)), Method("CG-SENSE", single(cg_sense))]


def trained(name: str, network: Unrolled, device: torch.device | str) -> Method:
    """A network, which is moved to the device."""
    network = network.to(device)
    return Method(name, lambda measurement: network.iterates(measurement.to(device)))
