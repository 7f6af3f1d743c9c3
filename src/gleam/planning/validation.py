"""Memory of a validation, which follows on training steps, and may take more than they do: whole
volumes, though in slabs, and no module's gradients. Of a long volume few slabs are traced.
"""

from dataclasses import replace
from functools import lru_cache

from torch import Tensor

from gleam.data.loader import SLAB
from gleam.physics.slabs import Slabbed
from gleam.planning.few import SHORT
from gleam.planning.hollow import empty, hollow_network
from gleam.planning.machine import Machine
from gleam.planning.making import making
from gleam.planning.scans import ScanSize, as_on_gpu, tensors_of
from gleam.planning.trace import Phase, Tracer, bytes_of, fake
from gleam.recipe import Recipe, TrainingRecipe
from gleam.runs.assembly import make_learner


def validation(recipe: Recipe, scan: ScanSize, machine: Machine) -> int:
    """Bytes that a validation of scans of a size takes beside weights, optimizer states and the
    training batch; 0 where there is none.
    """
    if recipe.data.validation is None:
        return 0
    # However the network is cut, stored and trained, it is validated alike, and traced once.
    t = recipe.training
    holdout = t.holdout.changed(splits=1)
    recipe = Recipe(
        data=recipe.data,
        mask=recipe.mask,
        network=recipe.network,
        training=TrainingRecipe(modules=1, target=t.target, holdout=holdout, maps=t.maps),
    )
    if recipe.network.build is None and recipe.network.iterations > SHORT:
        recipe = recipe.changed(network={"iterations": SHORT})  # others are like its last
    return _kept(recipe.model_dump_json(), scan, machine)


@lru_cache(maxsize=256)
def _kept(key: str, scan: ScanSize, machine: Machine) -> int:
    recipe = Recipe.model_validate_json(key)
    in_slabs = len(scan.space) == 3 and scan.first not in scan.axes(recipe)
    if not in_slabs:
        made = making(recipe, scan, machine, None)
        return max(made, *_traced(recipe, scan, machine, None).values())
    recipe = recipe.changed(data={"batch": 1})
    size = max(recipe.data.slab or 0, SLAB)
    few = _few(recipe, scan, size)
    more = scan.space[scan.first] - few - size
    if more <= 0:
        return max(_traced(recipe, scan, machine, size).values())
    # With every further position of the volume as much more is held, whatever is being done.
    short, longer = (_traced(recipe, _cut(scan, n), machine, size) for n in (few, few + size))
    for phase, held in longer.items():
        longer[phase] = held + more * (held - short[phase]) // size
    return max(longer.values())


def _few(recipe: Recipe, scan: ScanSize, size: int) -> int:
    """Positions of a volume of which two slabs have all their surroundings: while one is worked on,
    what became of the one before is still there.
    """
    network = hollow_network(recipe, fake())
    around = network.reach(scan.first) + network.alignment(scan.first)
    return size * (2 + 2 * -(-around // size))


def _cut(scan: ScanSize, length: int) -> ScanSize:
    space = list(scan.space)
    space[scan.first] = length
    return replace(scan, space=tuple(space))


def _traced(recipe: Recipe, scan: ScanSize, machine: Machine, size: int | None) -> dict[Phase, int]:
    """Bytes while each iteration is at work, and after it; in slabs of a size, or whole."""
    mode = fake()
    network = hollow_network(recipe, mode)
    voxels = scan.voxels(recipe, None if size is None else range(size))
    coils, at_once = machine.coils(scan.coils, voxels)
    with mode:
        learner = make_learner(network, recipe)
        whole = scan.batch(recipe, None, scan.coils, at_once)
        batch = scan.batch(recipe, None, coils, at_once)
        if machine.is_gpu and size is None:  # slabs are small, and their maps are there
            whole, batch = as_on_gpu(whole), as_on_gpu(batch)
    before = [*network.parameters(), *network.buffers(), *tensors_of(batch)]
    there = bytes_of(tensors_of(whole))
    if size is not None:
        maps = whole.measurement.whole().sense.maps
        there -= maps.nbytes

        def read(positions: range) -> Tensor:
            shape = list(maps.shape)
            shape[scan.first] = len(positions)
            return empty(mode, *shape)[:, :, :coils]  # all of them are there

        one = batch.measurement.whole()
        slabs = Slabbed(read, one.mask, one.axes, scan.first, size, one.adjoint, one.noise)
        slabs = replace(slabs, coils_at_once=at_once)
        batch = replace(batch, measurement=slabs)
    tracer = Tracer(before, machine.workspace, machine.is_gpu)
    for k, iteration in enumerate(network.iterations):
        iteration.register_forward_pre_hook(tracer.at(("forward", 0, k)))
        iteration.register_forward_hook(tracer.at(("after", 0, k)))
    with tracer:
        learner.validate([batch])
    peaks = {phase: held.total for phase, held in tracer.trace.peaks.items()}
    spread = max(1.0, tracer.reserved / max(peaks.values()))
    return {phase: there + round(spread * peak) for phase, peak in peaks.items()}
