"""`greedy`: cut any network into modules that `train_step` trains, each with its own optimizer."""

import inspect
import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gleam.errors import BadInput
from gleam.networks.coupling import Invertible
from gleam.training.idle import Idle, idle_at
from gleam.training.module import GreedyModule
from gleam.training.storage import STORAGES, Storage, invert, recompute
from gleam.words import nearest

Weights = list[nn.Parameter]
# Of anybody's blocks, which may draw random numbers.
_BY_NAME: dict[str, Storage] = STORAGES | {"checkpoint": partial(recompute, random=True)}
MakeOptimizer = Callable[[Weights], torch.optim.Optimizer]


def greedy(
    blocks: Iterable[nn.Module],
    modules: int | Sequence[int],
    *,
    optimizer: MakeOptimizer,
    storage: str | Storage = "store",
    clip: float | None = None,
    schedule: Callable[[int], float] | None = None,
    loss_weights: Sequence[float] | None = None,
    scaler: torch.amp.GradScaler | None = None,
    with_first: nn.Module | None = None,
    frozen: nn.Module | None = None,
    idle: str | Path | Idle = "device",
) -> list[GreedyModule]:
    """Cut a network into modules, each of which learns from its own loss, with its own optimizer.

    The network stays as it is, and is used and saved as ever; only `train_step` knows of the cut.

    >>> cascades = torch.nn.ModuleList(torch.nn.Linear(8, 8) for _ in range(12))
    >>> modules = gleam.greedy(
    ...     cascades, 4, optimizer=partial(torch.optim.AdamW, lr=1e-3), storage="checkpoint"
    ... )
    >>> modules[3]
    <module 4 of 4, blocks 10-12: 216 weights, AdamW, checkpoint>

    Args:
        blocks: what the network runs one after the other, each called with the state that the one
            before puts out, and whatever else `train_step` is given: cascades, iterations, layers.
        modules: how many of them, as even as can be; or the number of blocks in each. One is
            end-to-end training.
        optimizer: makes one of a module's weights, as `partial(torch.optim.Adam, lr=1e-3)` does.
        storage: what a module keeps for its backward pass: "store" every activation; "checkpoint"
            the state before each block, computing the rest again; "offload" all of it to host
            memory; "invert" nothing, for blocks that can undo themselves (`Invertible`). Or a
            function like those of `gleam.training.storage`.
        clip: the largest norm of a module's gradient.
        schedule: number of updates → learning rate; None leaves it to the optimizers, and to
            torch's own schedulers: one for each module's `optimizer`.
        loss_weights: of each module's loss; 0 computes none, see `overlap` of `train_step`.
        scaler: of all losses, for half precision; call its `update` after each step.
        with_first: a network that all modules use, such as one that estimates coil sensitivities,
            inside the blocks or before them. It learns from the first module's loss, and is
            constant for the others.
        frozen: the same, but it stays as it is: its weights no longer require a gradient.
        idle: where weights, gradients and optimizer states of modules lie that are not at work:
            on the "device"; in memory of the "host", of which a CPU has no other; or in files
            without a name in a folder. It changes no number.

    Returns:
        The modules in order.

    Raises:
        BadInput: the numbers do not fit; the storage does not exist, or cannot undo a block; a
            module has nothing to learn; two modules share weights; or the optimizer is none, is
            of other weights, or evaluates the loss itself (LBFGS).
    """
    chain = nn.ModuleList(_modules(blocks))
    sizes = _sizes(modules, len(chain))
    run = _storage(storage, chain, with_first is not None)
    if frozen is not None:
        frozen.requires_grad_(False)
    home = idle if isinstance(idle, Idle) else _taken_in(chain, idle)
    common = [] if with_first is None else [*with_first.parameters()]
    if clip is not None and not clip > 0:
        raise BadInput(f"clip is {clip}; the largest norm of a gradient is above 0, or None")
    if loss_weights is not None and len(loss_weights) != len(sizes):
        raise BadInput(f"loss_weights are {len(loss_weights)}, but there are {len(sizes)} modules")
    made = []
    for number, part in enumerate(split(chain, sizes, common)):
        first = sum(sizes[:number])
        name = f"module {number + 1} of {len(sizes)}, {_numbered(first, sizes[number])}"
        learnt = [weight for weight in part.parameters() if not _is_among(weight, common)]
        learnt += common if number == 0 else []
        made.append(
            GreedyModule(
                iterations=part,
                storage=run,
                optimizer=_optimizer(optimizer, learnt, name),
                schedule=schedule,
                clip=clip,
                weight=1.0 if loss_weights is None else loss_weights[number],
                scaler=scaler,
                shared=with_first is not None and number == 0,
                name=name,
            )
        )
    return made if home is None else home.turns(made)


def even(modules: int, blocks: int) -> list[int]:
    """Sizes of so many modules, as even as can be; the longer ones come first.

    Raises:
        BadInput: there are fewer blocks than modules, or no module.
    """
    if not 1 <= modules <= blocks:
        raise BadInput(f"{modules} modules cannot be made of {blocks} blocks; give 1 to {blocks}")
    return [math.ceil((blocks - m) / modules) for m in range(modules)]


def split(
    iterations: nn.ModuleList, sizes: Sequence[int], common: Collection[Tensor] = ()
) -> Iterator[nn.ModuleList]:
    """Cut a network's iterations into consecutive modules of these sizes.

    Args:
        iterations: of the network.
        sizes: how many of them each module holds.
        common: weights that several modules may use.

    Raises:
        BadInput: the sizes do not add up, or two modules would share another weight that is
            trained: its gradient would then depend on which module comes last.
    """
    if sum(sizes) != len(iterations) or min(sizes) < 1:
        raise BadInput(
            f"modules of {list(sizes)} blocks do not make {len(iterations)}; give sizes from 1 on "
            "that add up to it, or one number of modules"
        )
    owner: dict[int, int] = {}
    first = 0
    for number, size in enumerate(sizes):
        part = nn.ModuleList(iterations[first : first + size])
        for name, weight in part.named_parameters():
            if not weight.requires_grad or _is_among(weight, common):
                continue
            if (other := owner.setdefault(id(weight), number)) != number:
                raise BadInput(
                    f"modules {other + 1} and {number + 1} share a weight ({name} of the latter), "
                    "across the border where gradients stop; use one module, or of a network that "
                    "all blocks use say with_first=network or frozen=network"
                )
        yield part
        first += size


def _sizes(modules: Any, blocks: int) -> list[int]:
    """Blocks in each module; of any type that stands for whole numbers, such as NumPy's."""
    try:
        return even(operator.index(modules), blocks)
    except TypeError:
        pass
    try:
        return [operator.index(size) for size in modules]
    except TypeError as error:
        raise BadInput(
            f"modules is {modules!r}; give how many there are, or a list of the number of blocks "
            "in each, such as [4, 2, 2]"
        ) from error


def _taken_in(chain: nn.ModuleList, where: str | Path) -> Idle | None:
    device = next((weight.device for weight in chain.parameters()), torch.device("cpu"))
    home = idle_at(where, device)
    if home is not None:
        for block in chain:
            home.take(block)
    return home


def _modules(blocks: object) -> list[nn.Module]:
    if isinstance(blocks, nn.ModuleDict) or not isinstance(blocks, Iterable):
        raise BadInput(
            f"blocks is one {type(blocks).__name__}; give the sequence of modules that it runs one "
            "after the other, such as network.cascades"
        )
    found = list(blocks)
    for number, block in enumerate(found):
        if not isinstance(block, nn.Module):
            raise BadInput(f"blocks[{number}] is a {type(block).__name__}; give nn.Modules alone")
    if not found:
        raise BadInput("blocks holds no module; an iterator that was gone through holds none, too")
    return found


def _storage(storage: str | Storage, chain: nn.ModuleList, shared: bool) -> Storage:
    if isinstance(storage, str):
        if storage not in STORAGES:
            raise BadInput(f"storage is not {storage!r}; {nearest(storage, STORAGES)}")
        storage = _BY_NAME[storage]
    if storage is invert:
        fixed = [type(one).__name__ for one in chain if not isinstance(one, Invertible)]
        if fixed:
            raise BadInput(
                f"storage: {fixed[0]} cannot undo what it does, as invert needs (it has no method "
                '`back`, see Invertible); give "store" or "checkpoint"'
            )
        if shared:
            raise BadInput(
                "storage: invert finds no gradient of what all modules are given, so with_first "
                'would learn nothing; give "store" or "checkpoint", or frozen=network'
            )
    return storage


def _optimizer(make: object, weights: Weights, name: str) -> torch.optim.Optimizer:
    """Made of those weights that are trained.

    Raises:
        BadInput: there is none; or what makes optimizers does not, or makes those of other weights,
            or of the kind that evaluates the loss itself.
    """
    trained = [weight for weight in weights if weight.requires_grad]
    if not trained:
        raise BadInput(f"{name}: has no weight to learn; join it with another module")
    like = "give what makes one of weights, such as partial(torch.optim.Adam, lr=1e-3)"
    if not callable(make):
        raise BadInput(
            f"optimizer is a {type(make).__name__}, but every module has its own; {like}"
        )
    try:
        made = make(trained)
    except TypeError as error:
        raise BadInput(f"optimizer cannot be made of weights: {error}; {like}") from error
    if not isinstance(made, torch.optim.Optimizer):
        raise BadInput(f"optimizer makes a {type(made).__name__}; {like}")
    known = {id(weight) for weight in trained}
    if not known.issuperset(id(one) for group in made.param_groups for one in group["params"]):
        raise BadInput(
            f"optimizer makes a {type(made).__name__} of other weights than those of {name}, which "
            f"it is called with; {like}"
        )
    closure = inspect.signature(made.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise BadInput(
            f"optimizer makes a {type(made).__name__}, whose step asks for the loss again and "
            f"again (a closure), but a module runs once in a step; {like}"
        )
    return made


def _is_among(weight: Tensor, weights: Collection[Tensor]) -> bool:
    return any(weight is one for one in weights)


def _numbered(first: int, count: int) -> str:
    return f"block {first + 1}" if count == 1 else f"blocks {first + 1}-{first + count}"
