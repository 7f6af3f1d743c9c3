"""The footprint of other people's networks: of blocks, and of what the first is called with.

All of them are traced, whatever they are; their weights are copied as shapes alone.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gleam.arrays import Scalar, tensors
from gleam.errors import BadInput
from gleam.planning.footprint import Footprint
from gleam.planning.machine import Machine
from gleam.planning.step import make_states, watched, weights_and_states
from gleam.planning.trace import UNKNOWN, Tracer, copied, fake
from gleam.training.flow import train_step
from gleam.training.greedy import MakeOptimizer, greedy
from gleam.training.meter import state_bytes
from gleam.training.states import State
from gleam.training.storage import Storage

ADAM = partial(torch.optim.Adam, lr=1e-3)


def magnitude(state: State, target: object) -> Scalar:
    """A loss of any state: the mean magnitude of its first tensor; what comes after it is small."""
    return tensors(state)[0].abs().mean()


def footprint_of_blocks(
    blocks: Iterable[nn.Module],
    example_inputs: Any,
    machine: Machine,
    modules: int | Sequence[int] = 1,
    storage: str | Storage = "store",
    optimizer: MakeOptimizer = ADAM,
    overlap: int = 0,
    loss: Callable[[State, Any], Tensor] = magnitude,
    target: Any = None,
) -> Footprint:
    """Memory that `train_step` takes at its peak.

    Args:
        blocks: see `greedy`.
        example_inputs: what the first of them is called with: a state; or a tuple of the state and
            what all blocks are given besides.
        machine: where it is to run.
        modules: see `greedy`.
        storage: see `greedy`.
        optimizer: see `greedy`.
        overlap: see `train_step`.
        loss: see `train_step`.
        target: see `train_step`.

    Raises:
        BadInput: see `greedy`; or the blocks ask for values that there are none of.
    """
    state, *given = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    inputs = tensors((state, given, target))
    with fake() as mode:
        chain = copied(mode, nn.ModuleList(blocks))
        state, given, target = copied(mode, (state, given, target))
        cut = greedy(chain, modules, optimizer=optimizer, storage=storage)
        with Tracer([]):
            make_states(cut)
        states = state_bytes(cut)
        there = [*weights_and_states(cut), *tensors((state, given, target))]
        tracer = Tracer(there, machine.workspace, gpu=machine.is_gpu)
        cut = [watched(module, number, tracer, machine) for number, module in enumerate(cut)]
        try:
            with tracer:
                train_step(cut, state, tuple(given), target, loss, step=1, overlap=overlap)
        except UNKNOWN as error:
            raise BadInput(
                f"footprint: what the blocks do depends on values ({error}), but nothing is "
                "computed here; train a step of them instead"
            ) from error
    held = tracer.trace.peak
    parameters = sum(weight.nbytes for weight in chain.parameters())
    spread = max(0, tracer.reserved - held.total)
    return Footprint(
        parameters=parameters,
        gradients=held.gradients,
        optimizer=states - parameters,
        activations=held.activations,
        workspace=held.workspace,
        data=sum(tensor.nbytes for tensor in inputs),
        overhead=machine.context + spread if machine.is_gpu else 0,
    )
