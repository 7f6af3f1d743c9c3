"""A training step of a recipe, traced: the very code that trains, on tensors without memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gleam.arrays import tensors
from gleam.data.batch import Slab
from gleam.networks import Unrolled
from gleam.networks.state import ImageState
from gleam.planning.errors_of_inverses import told
from gleam.planning.hollow import hollow_network
from gleam.planning.machine import Machine
from gleam.planning.offload import TracedStore
from gleam.planning.scans import ScanSize, as_on_gpu, tensors_of
from gleam.planning.trace import Trace, Tracer, bytes_of, fake
from gleam.recipe import Recipe
from gleam.runs.assembly import make_learner
from gleam.training.meter import state_bytes
from gleam.training.module import GreedyModule
from gleam.training.storage import offload


@dataclass(frozen=True)
class Step:
    """Findings about a training step.

    Attributes:
        trace: of it.
        iterations: of the network.
        parameters: bytes of the weights.
        optimizer: bytes of the optimizers' states.
        data: bytes of a batch.
        buffers: bytes of its tensors, each in memory of its own.
        state: bytes of what a module hands to the next.
        slab: the part of a volume that a batch takes; None for all.
        spread: what a GPU reserves over what is held at the peak; 1 on a CPU.
    """

    trace: Trace
    iterations: int
    parameters: int
    optimizer: int
    data: int
    buffers: int
    state: int
    slab: Slab | None
    spread: float = 1.0


def traced_step(recipe: Recipe, scan: ScanSize, machine: Machine) -> Step:
    """One update of every module, as it is once optimizers have their states."""
    mode = fake()
    network = hollow_network(recipe, mode)
    slab = scan.slab(recipe, network)
    voxels = scan.voxels(recipe, None if slab is None else slab.wide)
    coils, at_once = machine.coils(scan.coils, voxels)
    with mode:
        learner = make_learner(network, recipe)
        with Tracer([]):  # which has no memory even for fused updates
            make_states(learner.modules)
        batch = scan.batch(recipe, slab, coils, at_once)
        whole = scan.batch(recipe, slab, scan.coils, at_once)
        if machine.is_gpu:
            batch, whole = as_on_gpu(batch), as_on_gpu(whole)
        state = _first(network, batch.measurement)
        there = [*weights_and_states(learner.modules), *tensors_of(batch), *tensors(state)]
        tracer = Tracer(there, machine.workspace, gpu=machine.is_gpu)
        parameters = sum(weight.nbytes for weight in network.parameters())
        optimizer = state_bytes(learner.modules) - parameters
        of_batch, of_state = tensors_of(whole), tensors(state)
        learner.modules = [watched(m, n, tracer, machine) for n, m in enumerate(learner.modules)]
        told(network, recipe)
        with tracer:
            learner.learn(state, batch, 1)
    trace = tracer.trace
    for work in trace.work.values():
        work.transforms = work.transforms * scan.coils // coils
    spread = max(1.0, tracer.reserved / trace.peak.total)
    return Step(
        trace=trace,
        iterations=len(network.iterations),
        parameters=parameters,
        optimizer=optimizer,
        data=bytes_of(of_batch),
        buffers=sum(tensor.nbytes for tensor in of_batch),
        state=sum(tensor.nbytes for tensor in of_state),
        slab=slab,
        spread=spread,
    )


def make_states(modules: Iterable[GreedyModule]) -> None:
    """Have optimizers make what they remember, as their first update does."""
    for module in modules:
        for weight in module.weights:
            weight.grad = torch.zeros_like(weight)
        module.optimizer.step()
        module.optimizer.zero_grad(set_to_none=True)


def weights_and_states(modules: Iterable[GreedyModule]) -> list[Tensor]:
    """All that lies there between steps; learning rates, too."""
    found: list[Tensor] = []
    for module in modules:
        found += [*module.iterations.parameters(), *module.iterations.buffers()]
        for state in module.optimizer.state.values():
            found += [value for value in state.values() if isinstance(value, Tensor)]
        rates = [group["lr"] for group in module.optimizer.param_groups]
        found += [rate for rate in rates if isinstance(rate, Tensor)]
    return found


def watched(module: GreedyModule, number: int, tracer: Tracer, machine: Machine) -> GreedyModule:
    """A module that tells the tracer where in it a step is: way, module, iteration."""
    for k, iteration in enumerate(module.iterations):
        forth, back = (tracer.at((way, number, k)) for way in ("forward", "backward"))
        iteration.register_forward_pre_hook(forth)
        if hasattr(iteration, "back"):
            _preceded(iteration, "back", back)
        for weight in iteration.parameters():
            accumulated = partial(_accumulated, tracer, back)
            weight.register_post_accumulate_grad_hook(accumulated)  # type: ignore[no-untyped-call]
    if getattr(module.storage, "func", module.storage) is not offload:
        return module
    made = partial(TracedStore, tracer, machine.is_gpu)
    return replace(module, storage=partial(module.storage, made=made))


def _accumulated(tracer: Tracer, at: Callable[[], None], weight: Tensor) -> None:
    tracer.gradient(weight.grad)
    at()


def _preceded(iteration: nn.Module, method: str, first: Callable[[], None]) -> None:
    own = getattr(iteration, method)

    def both(*arguments: Any) -> Any:
        first()
        return own(*arguments)

    setattr(iteration, method, both)


def _first(network: Unrolled, measurement: Any) -> Any:
    """The state that training begins with; whatever it takes to get there is over by then."""
    if isinstance(network.state, ImageState):
        return network.state.of(measurement.adjoint)
    with torch.no_grad():
        return network.first(measurement)
