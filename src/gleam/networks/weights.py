"""A network's weights by name: parameters, and buffers that belong to them (running means, say).

Each is named once, also where a network uses it in several places, as files hold it once.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """The tensors themselves, without a graph."""
    kept = module.state_dict().keys()  # without buffers that are not to be saved
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.detach() for name, tensor in named if name in kept}


def interpolated(
    start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Weights a share of the way from one network's to another's.

    Those that the first one lacks, and whole numbers, are the other's.

    Args:
        start: of one.
        end: of the other.
        share: 0 makes those of the start, 1 those of the end.
    """
    between = dict(end)
    for name, weight in end.items():
        if name in start and weight.is_floating_point():
            between[name] = torch.lerp(start[name].to(weight), weight, share)
    return between


def fill(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a network other weights.

    Raises:
        ValueError: they have other names, or other shapes, than its own.
    """
    own = weights_of(module)
    if own.keys() != weights.keys():
        raise ValueError("its weights have other names")
    with torch.no_grad():
        for name, tensor in own.items():
            if tensor.shape != weights[name].shape:
                raise ValueError(f"{name} has shape {tuple(weights[name].shape)}")
            tensor.copy_(weights[name])
