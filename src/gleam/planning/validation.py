"""Memory of a validation, which follows on training steps, and may take more than they do: whole
volumes, though in slabs, and no module's gradients.
"""

from dataclasses import replace
from functools import lru_cache

from torch import Tensor

from gleam.data.loader import SLAB
from gleam.physics.slabs import Slabbed
from gleam.planning.few import SHORT
from gleam.planning.hollow import empty
from gleam.planning.machine import Machine
from gleam.planning.scans import ScanSize, tensors_of
from gleam.planning.step import hollow_network
from gleam.planning.trace import Tracer, fake, filled
from gleam.recipe import Recipe, TrainingRecipe
from gleam.runs.assembly import make_learner


def validation(recipe: Recipe, scan: ScanSize, machine: Machine) -> int:
    """Bytes that a validation of scans of a size takes beside weights, optimizer states and the
    training batch; 0 where there is none.
    """
    if recipe.data.validation is None:
        return 0
    # However the network is cut, stored and trained, it is validated alike, and traced once.
    target, holdout = recipe.training.target, recipe.training.holdout
    recipe = Recipe(
        data=recipe.data,
        mask=recipe.mask,
        network=recipe.network,
        training=TrainingRecipe(modules=1, target=target, holdout=holdout),
    )
    if recipe.network.build is None and recipe.network.iterations > SHORT:
        recipe = recipe.changed(network={"iterations": SHORT})  # others are like its last
    return _traced(recipe.model_dump_json(), scan, machine)


@lru_cache(maxsize=256)
def _traced(key: str, scan: ScanSize, machine: Machine) -> int:
    recipe = Recipe.model_validate_json(key)
    network, mode = hollow_network(recipe), fake()
    coils, at_once = machine.coils(scan.coils)
    in_slabs = len(scan.space) == 3 and scan.first not in scan.axes(recipe)
    if in_slabs:
        recipe = recipe.changed(data={"batch": 1})
    with mode:
        filled(network)
        learner = make_learner(network, recipe)
        whole = scan.batch(recipe, None, scan.coils, at_once)
        batch = scan.batch(recipe, None, coils, at_once)
    before = [*network.parameters(), *network.buffers(), *tensors_of(batch)]
    there = sum(tensor.nbytes for tensor in tensors_of(whole))
    if in_slabs:
        maps = whole.measurement.whole().sense.maps
        there -= maps.nbytes
        size = max(recipe.data.slab or 0, SLAB)

        def read(positions: range) -> Tensor:
            shape = list(maps.shape)
            shape[scan.first] = len(positions)
            return empty(mode, *shape)[:, :, :coils]  # all of them are there

        one = batch.measurement.whole()
        slabs = Slabbed(read, one.mask, one.axes, scan.first, size, one.adjoint, one.noise)
        batch = replace(batch, measurement=slabs)
    tracer = Tracer(before, machine.workspace, machine.is_gpu)
    with tracer:
        learner.validate([batch])
    return there + max(tracer.trace.peak.total, tracer.reserved)
