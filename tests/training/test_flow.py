import copy
import tempfile
import weakref
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toys import toy_measurement, toy_network, toy_sense

from gleam.errors import BadInput
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.recipe import NetworkRecipe, Recipe, TrainingRecipe
from gleam.training.flow import train_step
from gleam.training.greedy import greedy, split
from gleam.training.loss import l1
from gleam.training.meter import metered
from gleam.training.module import GreedyModule
from gleam.training.storage import STORAGES, offload, recompute, store

PROBLEMS = {
    "modl": ({"family": "modl"}, {}),
    "modl to a tolerance": ({"family": "modl", "cg_tolerance": 1e-3}, {}),
    "modl, two sets, cine": (
        {"family": "modl", "dimensions": 3, "sets": 2},
        {"sets": 2, "frames": 3},
    ),
    "modl, 3D": (
        {"family": "modl", "dimensions": 3},
        {"space": (5, 6, 7), "axes": (-3, -2), "batch": 1},
    ),
    "pgd": ({"family": "pgd"}, {}),
    "pgd, two coils, two sets": ({"family": "pgd", "sets": 2}, {"coils": 2, "sets": 2}),
    "pgd, cine": ({"family": "pgd"}, {"frames": 3}),
    "pgd, 3D": ({"family": "pgd", "dimensions": 3}, {"space": (5, 6, 7), "axes": (-3, -2)}),
    "modl, shown the gradient": ({"family": "modl", "inputs": ("gradient",)}, {}),
    "pgd, shown gradient and change, cine": (
        {"family": "pgd", "dimensions": 3, "sets": 2, "inputs": ("gradient", "change")},
        {"frames": 3, "sets": 2},
    ),
    "modl, U-Net, periodic cine": (
        {"family": "modl", "dimensions": 3, "kind": "unet", "circular": True},
        {"frames": 3},
    ),
    "pgd, U-Net, 3D": (
        {"family": "pgd", "dimensions": 3, "kind": "unet"},
        {"space": (5, 6, 7), "axes": (-3, -2)},
    ),
    "reversible, two sets": ({"family": "reversible", "sets": 2}, {"sets": 2}),
    "modl, coupled": ({"family": "modl", "coupling": True, "cg_tolerance": 1e-3}, {}),
    "pgd, coupled, cine": (
        {"family": "pgd", "coupling": True, "dimensions": 3, "sets": 2},
        {"frames": 3, "sets": 2},
    ),
}
EACH = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def toy_training(problem, iterations, **fields):
    """(network, measurement, target)."""
    of_network, of_sense = problem
    of_sense = of_sense | fields
    measurement, target = toy_measurement(toy_sense(**of_sense), of_sense.get("frames", 1))
    network = toy_network(iterations=iterations, **of_network)
    return network.double() if target.dtype == torch.complex128 else network, measurement, target


class Recording(torch.optim.SGD):
    """Remembers the gradients of its steps; its learning rate is the schedule's."""

    def __init__(self, parameters):
        super().__init__(parameters)
        self.gradients = []

    def step(self, closure=None):
        self.gradients.append([p.grad.clone() for p in self.param_groups[0]["params"]])
        super().step()


def cut(network, sizes, rate=1.0, optimizer=Recording, clip=None, weights=None, storage=store):
    return [
        GreedyModule(part, storage, optimizer(part.parameters()), lambda step: rate, clip, weight)
        for part, weight in zip(
            split(network.iterations, sizes), weights or [1.0] * len(sizes), strict=True
        )
    ]


def take_step(network, modules, measurement, target, step=0, overlap=0):
    """The losses, by number of the module."""

    def loss(state, target):
        return l1(network.image(state), target)

    start = network.start(measurement)
    return train_step(modules, start, measurement, target, loss, step, overlap)


def gradients(network, sizes, measurement, target, overlap=0, **settings):
    """Of one step, module by module."""
    network = copy.deepcopy(network)
    modules = cut(network, sizes, **settings)
    take_step(network, modules, measurement, target, overlap=overlap)
    for module in modules:
        assert len(module.optimizer.gradients) == 1
    return [module.optimizer.gradients[0] for module in modules]


def plain_gradients(network, sizes, measurement, target, overlap=0, weights=None):
    """What `gradients` should be: every loss by plain autograd, from Aᴴy anew."""
    parts = list(split(network.iterations, sizes))
    sums = [[torch.zeros_like(p) for p in part.parameters()] for part in parts]
    for last, weight in enumerate(weights or [1.0] * len(parts)):
        state = network.start(measurement)
        first = max(0, last - overlap)
        for number, part in enumerate(parts[: last + 1]):
            state = state.detach() if number == first else state
            for iteration in part:
                state = iteration(state, measurement)
        window = [p for part in parts[first : last + 1] for p in part.parameters()]
        loss = weight * l1(network.image(state), target)
        found = iter(torch.autograd.grad(loss, window))
        for of_module in sums[first : last + 1]:
            for gradient in of_module:
                gradient += next(found)
    return sums


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def assert_same(some, others, tolerance):
    for one, other in zip(some, others, strict=True):
        assert (one - other).norm() <= tolerance * other.norm()


@EACH
def test_one_module_is_plain_backpropagation(problem):
    network, measurement, target = toy_training(problem, 3)
    plain = copy.deepcopy(network)
    adam = torch.optim.Adam(plain.parameters(), lr=0.01)
    expected = []
    for _ in range(3):
        loss = l1(plain(measurement), target)
        loss.backward()
        adam.step()
        adam.zero_grad()
        expected.append(loss.item())

    modules = cut(network, [3], rate=0.01, optimizer=torch.optim.Adam)
    losses = [take_step(network, modules, measurement, target, t)[0].item() for t in range(3)]
    assert losses == pytest.approx(expected, rel=1e-6)
    assert_same(network.parameters(), plain.parameters(), 1e-6)
    assert losses[2] < losses[0]


@EACH
@pytest.mark.parametrize("sizes", [[1, 1, 1, 1, 1, 1], [3, 1, 2], [6]], ids=str)
def test_a_module_learns_from_its_own_loss_alone(problem, sizes):
    """Its gradient is that of its own loss at the detached, pre-update image before it.

    The learning rate is 1: were an update to act too early, all later gradients would differ.
    """
    network, measurement, target = toy_training(problem, sum(sizes))
    expected = plain_gradients(network, sizes, measurement, target)
    for one, other in zip(gradients(network, sizes, measurement, target), expected, strict=True):
        assert all(gradient.any() for gradient in other)
        assert_same(one, other, 1e-6)


def test_modules_see_the_weights_before_their_own_update_only():
    """Each module's loss is reported before its update, and equals that of the old network."""
    network, measurement, target = toy_training(PROBLEMS["modl"], 4)
    with torch.no_grad():
        expected = [l1(image, target).item() for image in network.iterates(measurement)]
    losses = take_step(network, cut(network, [1] * 4), measurement, target)
    assert [loss.item() for loss in losses.values()] == pytest.approx(expected, rel=1e-6)


@EACH
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.complex64, 1e-6), (torch.complex128, 1e-12)], ids=str
)
def test_checkpoint_has_the_gradients_of_store(problem, dtype, tolerance):
    network, measurement, target = toy_training(problem, 4, dtype=dtype)
    for sizes in ([4], [3, 1]):
        stored, recomputed = (
            gradients(network, sizes, measurement, target, storage=storage)
            for storage in (store, recompute)
        )
        for one, other in zip(recomputed, stored, strict=True):
            assert_same(one, other, tolerance)


@EACH
def test_a_batch_has_the_mean_gradient_of_its_examples(problem):
    network, measurement, target = toy_training(problem, 3, batch=3, dtype=torch.complex128)
    sense = measurement.sense
    alone = []
    for k in range(3):
        part = Sense(sense.maps[k : k + 1], sense.mask[k : k + 1], sense.axes)
        one = Measurement(part, measurement.adjoint[k : k + 1], measurement.noise[k : k + 1])
        alone.append(gradients(network, [2, 1], one, target[k : k + 1]))
    together = gradients(network, [2, 1], measurement, target)
    for m in range(2):
        means = [
            torch.stack(several).mean(0) for several in zip(*(a[m] for a in alone), strict=True)
        ]
        assert_same(together[m], means, 1e-10)


def test_what_comes_later_does_not_change_a_module():
    network, measurement, target = toy_training(PROBLEMS["modl"], 4)
    shorter = copy.deepcopy(network)
    take_step(network, cut(network, [1] * 4), measurement, target)
    take_step(shorter, cut(shorter, [1] * 4)[:2], measurement, target)
    for one, other in zip(network.iterations[:2], shorter.iterations[:2], strict=True):
        assert all(map(torch.equal, one.parameters(), other.parameters()))


@pytest.mark.parametrize("modules", [1, 3, 7, [3, 1, 3]], ids=str)
def test_every_iteration_runs_and_learns_once(modules):
    """Also where modules are uneven, or their number does not divide the iterations."""
    recipe = Recipe(network=NetworkRecipe(iterations=7), training=TrainingRecipe(modules=modules))
    network, measurement, target = toy_training(PROBLEMS["pgd"], 7)
    runs = []
    for iteration in network.iterations:
        iteration.register_forward_hook(lambda iteration, *_: runs.append(iteration))
    before = copy.deepcopy(list(network.parameters()))
    take_step(network, cut(network, recipe.module_sizes()), measurement, target)
    assert runs == list(network.iterations)
    for old, new in zip(before, network.parameters(), strict=True):
        assert not torch.equal(old, new)

    parts = list(split(network.iterations, recipe.module_sizes()))
    assert [iteration for part in parts for iteration in part] == runs


@pytest.mark.parametrize("sizes", [[2, 1], [3, 2], [4, 0], [5, -1]], ids=str)
def test_sizes_that_do_not_fit_are_refused(sizes):
    with pytest.raises(BadInput, match="do not make 4"):
        list(split(nn.ModuleList(nn.Linear(1, 1) for _ in range(4)), sizes))


def test_weights_shared_across_a_border_are_refused():
    network = toy_network(iterations=4)
    network.iterations[2].regulariser = network.iterations[1].regulariser
    with pytest.raises(BadInput, match="modules 1 and 2 share a weight"):
        list(split(network.iterations, [2, 2]))
    assert [len(part) for part in split(network.iterations, [1, 2, 1])] == [1, 2, 1]


def test_learning_rate_and_clipping_are_each_modules_own():
    network, measurement, target = toy_training(PROBLEMS["modl"], 2)
    free = gradients(network, [1, 1], measurement, target)
    norms = [torch.cat([g.flatten() for g in module]).norm() for module in free]
    clip = 0.5 * min(norms).item()
    clipped = gradients(network, [1, 1], measurement, target, clip=clip)
    for one, other, norm in zip(clipped, free, norms, strict=True):
        assert_same(one, [g * clip / norm for g in other], 1e-4)

    modules = [
        GreedyModule(part, store, Recording(part.parameters()), lambda step, m=m: 10.0**-m * step)
        for m, part in enumerate(split(network.iterations, [1, 1]))
    ]
    take_step(network, modules, measurement, target, 3)
    assert [m.optimizer.param_groups[0]["lr"] for m in modules] == pytest.approx([3, 0.3])


@pytest.mark.parametrize("storage", [store, recompute])
def test_graph_and_gradients_are_gone_before_the_next_module_starts(storage):
    network, measurement, target = toy_training(PROBLEMS["modl"], 4)
    outputs = []

    def watched(iterations, image, measurement):
        assert not image.requires_grad
        assert all(p.grad is None for p in network.parameters())
        assert all(output() is None for output in outputs)
        output = storage(iterations, image, measurement)
        outputs.append(weakref.ref(output))
        return output

    losses = take_step(network, cut(network, [2, 2], storage=watched), measurement, target)
    assert len(outputs) == 2
    assert all(output() is None for output in outputs)
    assert all(p.grad is None for p in network.parameters())
    assert not any(loss.requires_grad for loss in losses.values())


def peak_of_training(family, sizes, storage=store):
    """Of a step for which the optimizers have their states."""
    # 1×1 convolutions, for which no CPU takes scratch memory.
    problem = {"family": family, "kernel": 1, "cg_steps": 2}, {"space": (24, 24)}
    network, measurement, target = toy_training(problem, sum(sizes))
    modules = cut(network, sizes, rate=1e-3, storage=storage, optimizer=torch.optim.Adam)
    take_step(network, modules, measurement, target)
    work = partial(take_step, network, modules, measurement, target, 1)
    return metered(work, target.device)[1]


@pytest.mark.parametrize("family", ["modl", "pgd"])
def test_greedy_memory_does_not_grow_with_depth(family):
    greedy, again, deeper = (peak_of_training(family, [1] * n) for n in (8, 8, 16))
    assert again == greedy  # to the byte
    assert deeper - greedy <= 8 * 4  # the losses that are returned
    end_to_end, checkpointed = (peak_of_training(family, [8], s) for s in (store, recompute))
    assert greedy < 0.3 * end_to_end
    assert greedy < checkpointed < 0.6 * end_to_end


@EACH
@pytest.mark.parametrize("overlap", [1, 2])
def test_an_overlapping_loss_reaches_back_over_borders(problem, overlap):
    network, measurement, target = toy_training(problem, 5, dtype=torch.complex128)
    sizes, weights = [1, 2, 1, 1], [0.25, 0.5, 0.75, 1.0]
    scheme = {"overlap": overlap, "weights": weights}
    expected = plain_gradients(network, sizes, measurement, target, **scheme)
    found = gradients(network, sizes, measurement, target, **scheme)
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other, 1e-12)


@pytest.mark.parametrize("family", ["modl", "pgd", "reversible"])
@pytest.mark.parametrize("sizes", [[1] * 6, [3, 1, 2]], ids=str)
def test_full_overlap_with_the_last_loss_alone_is_end_to_end_to_the_bit(family, sizes):
    problem = {"family": family}, {"space": (16, 16)}
    network, measurement, target = toy_training(problem, 6)
    windows = copy.deepcopy(network)
    whole = cut(network, [6], rate=0.01, optimizer=torch.optim.Adam)
    last = [0.0] * (len(sizes) - 1) + [1.0]
    parts = cut(windows, sizes, rate=0.01, optimizer=torch.optim.Adam, weights=last)
    for step in range(3):
        expected = take_step(network, whole, measurement, target, step)
        losses = take_step(windows, parts, measurement, target, step, overlap=len(sizes) - 1)
        assert losses == {len(sizes) - 1: expected[0]}  # the others are not computed
    for one, other in zip(windows.parameters(), network.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("overlap", [0, 1, 3])
def test_overlap_runs_every_iteration_forwards_once(overlap):
    network, measurement, target = toy_training(PROBLEMS["pgd"], 4)
    runs = []
    for iteration in network.iterations:
        iteration.register_forward_hook(lambda iteration, *_: runs.append(iteration))
    take_step(network, cut(network, [1] * 4), measurement, target, overlap=overlap)
    assert runs == list(network.iterations)


@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_memory_is_that_of_the_window(overlap):
    """Of overlap + 1 modules, however many there are."""
    network, measurement, target = toy_training(
        ({"family": "pgd", "kernel": 1}, {"space": (24, 24)}), 8
    )

    def peak(count, overlap):
        part = copy.deepcopy(network)
        part.iterations = part.iterations[:count]
        modules = cut(part, [1] * count, optimizer=torch.optim.Adam)
        work = partial(take_step, part, modules, measurement, target, overlap=overlap)
        work()
        return metered(work, target.device)[1]

    one, window = peak(1, 0), peak(6, overlap)
    images = 3 * target.nbytes * (overlap + 1)  # a border has an image, and its gradient
    assert window <= (overlap + 1) * one + images
    assert peak(8, overlap) - window <= 2 * 8  # the losses that are returned
    if overlap:
        assert window > overlap * one


def test_modules_without_a_loss_learn_from_later_ones():
    network, measurement, target = toy_training(PROBLEMS["modl"], 4, dtype=torch.complex128)
    scheme = {"overlap": 2, "weights": [0.0, 1.0, 0.0, 2.0]}
    expected = plain_gradients(network, [1] * 4, measurement, target, **scheme)
    found = gradients(network, [1] * 4, measurement, target, **scheme)
    for one, other in zip(found, expected, strict=True):
        assert all(gradient.any() for gradient in other)
        assert_same(one, other, 1e-12)


INVERTIBLE = {
    "reversible": {"family": "reversible"},
    "modl, coupled": {
        "family": "modl",
        "coupling": True,
        "cg_tolerance": 1e-13,
        "weight": 0.5,
    },
    "pgd, coupled": {"family": "pgd", "coupling": True, "step": 0.5},
}
FAMILIES = {"modl": {"family": "modl"}, "pgd": {"family": "pgd"}, **INVERTIBLE}


@st.composite
def points(draw):
    """Any scheme: a network for any data, its modules, overlap, loss weights and storage."""
    name = draw(st.sampled_from(sorted(FAMILIES)))
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    overlap = draw(st.integers(0, len(sizes) - 1))
    weights = draw(
        st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(sizes), max_size=len(sizes)).filter(
            lambda w: all(any(w[m : m + overlap + 1]) for m in range(len(w)))
        )
    )
    storages = ["store", "checkpoint", "offload"] + ["invert"] * (name in INVERTIBLE)
    storage = draw(st.sampled_from(storages))
    shape = {key: draw(st.integers(1, 2)) for key in ("batch", "sets", "frames")}
    shape["space"] = draw(st.sampled_from([(8, 9), (4, 6, 5)]))
    fields = {
        "dimensions": draw(st.sampled_from([2, 3])),
        "kind": draw(st.sampled_from(["resnet", "unet"])),
    }
    shape["coils"] = draw(st.integers(shape["sets"], 3))
    return FAMILIES[name] | fields, sizes, overlap, weights, storage, shape


def check_gradients(point):
    fields, sizes, overlap, weights, storage, shape = point
    problem = {**fields, "sets": shape["sets"]}, shape
    network, measurement, target = toy_training(problem, sum(sizes), dtype=torch.complex128)
    expected = plain_gradients(network, sizes, measurement, target, overlap, weights)
    with tempfile.TemporaryDirectory() as folder:
        kept = partial(offload, folder=Path(folder)) if storage == "offload" else STORAGES[storage]
        found = gradients(
            network, sizes, measurement, target, overlap, weights=weights, storage=kept
        )
    tolerance = 1e-8 if storage == "invert" else 1e-11
    for one, other in zip(found, expected, strict=True):
        # As one vector: where a scan is sampled in full, the gradient of a step μ is zero.
        assert_same([flat(one)], [flat(other)], tolerance)


@given(points())
@settings(max_examples=15, deadline=None)
def test_every_scheme_has_the_gradients_of_plain_autograd(point):
    check_gradients(point)


@pytest.mark.slow
@given(points())
@settings(max_examples=300, deadline=None)
def test_many_schemes_have_the_gradients_of_plain_autograd(point):
    check_gradients(point)


def test_a_state_may_grow_on_the_way():
    """What a first block has nothing of, such as a hidden state, is there after it."""

    class Growing(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.rand(()))

        def forward(self, state):
            image = self.weight * state["image"]
            return {"image": image, "hidden": state.get("hidden", 0) + image}

    chain = nn.ModuleList(Growing() for _ in range(3))
    modules = greedy(chain, 3, optimizer=partial(torch.optim.SGD, lr=0.1))
    losses = train_step(
        modules, {"image": torch.ones(2)}, None, 0, lambda state, _: state["hidden"].sum()
    )
    assert len(losses) == 3
