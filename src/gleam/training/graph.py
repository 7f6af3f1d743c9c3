"""Steps that are recorded once and replayed: on a GPU, as CUDA graphs.

A training step is thousands of small kernels, which Python launches more slowly than a GPU runs
them. So the first steps with batches of one shape run as ever; then what each unit of a step (see
`train_step`) gives the GPU to do is recorded, and from then on replayed.

A replay reads and writes the memory that was recorded. What a unit takes and gives, and the batch,
therefore lie in buffers that stay: batches are copied there. All that a unit makes besides lies in
one pool that all units and shapes share, as nothing in it lives on when a unit has ended. Hence any
shape may follow any other.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from threading import Lock
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from gleam.arrays import mapped
from gleam.physics.measurement import Measurement
from gleam.recipe import Recipe
from gleam.terminal import warn
from gleam.training.flow import Unit, directly
from gleam.training.states import State

T = TypeVar("T")

# Steps of a shape before it is recorded. They make what cannot be made while work is recorded:
# optimizers' states, plans of FFTs, the choice among convolutions' algorithms.
EAGER = 2
MOST = 16  # shapes that are kept, of training and validation together


@runtime_checkable  # the tests check types at run time
class Recorder(Protocol):
    """Records what is given to a device to do; nothing of it is done.

    `check_recorder` of tests/training/test_unit_contract.py holds each to this.
    """

    def __call__(self, work: Callable[[], None]) -> Callable[[], None]:
        """A function that does it, as often as it is called."""


class CudaRecorder:
    """CUDA graphs, whose memory is one pool.

    Args:
        device: a GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        with torch.cuda.device(device):
            self._pool = torch.cuda.graph_pool_handle()
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._latest: torch.cuda.CUDAGraph | None = None

    def __call__(self, work: Callable[[], None]) -> Callable[[], None]:
        """See `Recorder`."""
        graph = torch.cuda.CUDAGraph()
        # Another thread may be pinning or copying the next batch. That is allowed meanwhile, as
        # long as only this thread is held to what can be recorded.
        recording = torch.cuda.graph(
            graph, self._pool, self._stream, capture_error_mode="thread_local"
        )
        with torch.cuda.device(self._device):
            here = torch.cuda.current_stream()
            try:
                with recording:
                    work()
            finally:
                torch.cuda.set_stream(here)  # torch does not go back where a recording failed
        self._latest = graph  # with its last graph a pool would end, and take none any more
        return graph.replay


@dataclass
class _Shape:
    """Lasting memory of batches of one shape: buffers, and what is replayed on them."""

    seen: int = 0
    inputs: Any = None
    results: dict[Hashable, Any] = field(default_factory=dict)
    replays: dict[Hashable, Callable[[], None]] = field(default_factory=dict)


class Graphs:
    """Runs the units of steps: the first of each shape directly, then recorded, then replayed.

    Args:
        recorder: of the device; None runs all of them directly.
        most: shapes that are kept; of more, that which was not met for longest is dropped.
    """

    def __init__(self, recorder: Recorder | None, most: int = MOST) -> None:
        self._recorder, self._most = recorder, most
        self._shapes: dict[Hashable, _Shape] = {}  # last the one that was met last

    @property
    def recording(self) -> bool:
        """Whether units are recorded, or will be."""
        return self._recorder is not None

    def forget(self) -> None:
        """Record all shapes anew: the units are no longer the same."""
        self._shapes.clear()

    def ready(self, inputs: T, besides: Hashable = None) -> tuple[T, Unit]:
        """The data to take a step of, and the function that runs its units.

        Args:
            inputs: all tensors that the units are given: in tuples, lists, dicts and dataclasses.
                Buffers do not have what can be called, such as a way to read more.
            besides: what else the units depend on.

        Returns:
            The inputs, or buffers that hold the same; and what runs units. What a unit then gives
            may lie in buffers, which keep it until the next step of this shape.
        """
        if self._recorder is None:
            return inputs, directly
        key = _layout(inputs), besides
        shape = self._shapes.pop(key, None) or _Shape()
        self._shapes[key] = shape
        if len(self._shapes) > self._most:
            del self._shapes[next(iter(self._shapes))]
        shape.seen += 1
        if shape.seen <= EAGER:
            return inputs, partial(_watched, shape)
        if shape.inputs is None:
            shape.inputs = _alike(inputs)
        _fill(shape.inputs, inputs)
        return shape.inputs, partial(self._run, shape)

    def _run(self, shape: _Shape, name: Hashable, work: Callable[[], T]) -> T:
        if name not in shape.results:
            return _watched(shape, name, work)
        result: T = shape.results[name]
        if name not in shape.replays and self._recorder is not None:
            try:
                shape.replays[name] = self._recorder(partial(_put, result, work))
            except RuntimeError as error:
                why = f"a step cannot be recorded, so each is launched anew ({_first(error)})"
                warn("CUDA graphs", [why])
                self._recorder = None
                self._shapes.clear()
        if self._recorder is None:
            return work()
        shape.replays[name]()
        return result


class ReplayedIterations:
    """Calls iterations of a network, without gradients: recorded for each shape, and replayed.

    Threads may share it, and take several measurements in turn: what it gives is the caller's.

    Args:
        graphs: of these, and of training steps, if there are any.
    """

    def __init__(self, graphs: Graphs) -> None:
        self._graphs, self._lock = graphs, Lock()

    @torch.no_grad()
    def __call__(self, iteration: nn.Module, state: State, measurement: Measurement) -> State:
        """The state after an iteration."""
        if not self._graphs.recording:
            return iteration(state, measurement)
        with self._lock:
            given, unit = self._graphs.ready((state, measurement))
            return mapped(torch.clone, unit(iteration, partial(iteration, *given)))


def recorder(recipe: Recipe, device: torch.device, learns: bool = True) -> Recorder | None:
    """The recorder of a recipe's steps on a device; None if each is to be launched anew.

    Args:
        recipe: of the network and its training.
        device: where it computes.
        learns: False, if nothing but its iterations is recorded.
    """
    if device.type != "cuda" or (graphable(recipe) if learns else _waits(recipe)):
        return None
    return CudaRecorder(device)


def graphable(recipe: Recipe) -> str | None:
    """The reason why the steps of a recipe cannot be recorded; None if they can."""
    training = recipe.training
    if training.overlap:
        return "training.overlap: gradients live on from module to module"
    if training.idle != "device":
        return f"training.idle: {training.idle}, so weights are not always in the same memory"
    if training.maps != "device":
        return f"training.maps: {training.maps}, of which a replay would find no others"
    if training.storage in ("invert", "offload"):
        return f"training.storage: {training.storage} waits for the GPU"
    return _waits(recipe)


def _waits(recipe: Recipe) -> str | None:
    """The reason why not even the iterations of a network can be recorded."""
    if recipe.training.graph == "never":
        return "training.graph: never"
    if recipe.network.cg_tolerance is not None:
        return "network.cg_tolerance: the number of steps depends on the data"
    if recipe.network.build is not None:
        return "network.build: nobody knows whether this network waits for the GPU"
    return None


def _first(error: BaseException) -> str:
    """The first error: to end a recording that has failed, fails too."""
    while error.__context__ is not None:
        error = error.__context__
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _watched(shape: _Shape, name: Hashable, work: Callable[[], T]) -> T:
    """Run a unit directly, and make buffers for what it gives."""
    result = work()
    if name not in shape.results:
        shape.results[name] = _alike(result)
    return result


def _put(buffers: Any, work: Callable[[], Any]) -> None:
    _fill(buffers, work())


def _layout(value: Any) -> Hashable:
    """All of a value but the numbers in its tensors."""
    if isinstance(value, Tensor):
        return value.shape, value.stride(), value.dtype
    if is_dataclass(value):
        return type(value), *(_layout(getattr(value, one.name)) for one in fields(value))
    if isinstance(value, dict):
        return tuple((name, _layout(part)) for name, part in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_layout, value))
    return None if callable(value) else value


def _alike(value: Any) -> Any:
    """The same with other tensors, which hold nothing yet."""
    if isinstance(value, Tensor):
        return torch.empty_like(value, requires_grad=False)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {one.name: _alike(getattr(value, one.name)) for one in fields(value)}
        return replace(value, **parts)
    if isinstance(value, dict):
        return {name: _alike(part) for name, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_alike, value))
    if isinstance(value, list | tuple):
        return type(value)(map(_alike, value))
    return None if callable(value) else value  # a way to files is another for each batch


@torch.no_grad()
def _fill(buffers: Any, value: Any) -> None:
    """Copy all numbers of a value to one that `_alike` made."""
    if hasattr(buffers, "copy_"):  # tensors, and what is made of some and keeps more
        buffers.copy_(value)
    elif is_dataclass(buffers):
        for one in fields(buffers):
            _fill(getattr(buffers, one.name), getattr(value, one.name))
    elif isinstance(buffers, dict):
        for name, part in buffers.items():
            _fill(part, value[name])
    elif isinstance(buffers, list | tuple):
        for part, other in zip(buffers, value, strict=True):
            _fill(part, other)
