"""Other people's networks: end-to-end, under checkpointing, and greedily through `gleam.greedy`.

Each is trained as its authors call it, on random data of the right shapes: memory and time of a
step, and how far every module's gradient is from plain autograd's. Memory counts weights and Adam's
states, which no scheme makes smaller; that of a step alone is what it allocates, activations and
gradients. One thread. What is not installed is left out, and said so:

    pip install --no-deps fastmri && pip install pandas requests monai
"""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

import gleam
from benchmarks.measure import Figures, figure, show
from gleam.errors import BadInput
from gleam.networks import build
from gleam.recipe import NetworkRecipe
from gleam.training.meter import metered
from gleam.training.states import detached
from gleam.training.timing import interleaved, ratio

REPEATS = 3
WAYS: dict[str, dict[str, Any]] = {
    "end_to_end": {"modules": 1},
    "checkpoint": {"modules": 1, "storage": "checkpoint"},
    "greedy": {},  # as many modules as blocks
}


@dataclass(frozen=True)
class Foreign:
    """A network, and how its authors call it.

    Attributes:
        network: all of it.
        blocks: what it runs one after the other.
        begin: what comes before them: the first state, and what every block is called with.
        loss: of a state, against the target.
        target: of random numbers.
        shared: the network that `begin` uses, if any; it learns with the first module.
    """

    network: nn.Module
    blocks: nn.ModuleList
    begin: Callable[[], tuple[Any, tuple[Any, ...]]]
    loss: Callable[[Any, Any], Tensor]
    target: Any
    shared: nn.Module | None = None


def fastmri_varnet(
    cascades: int = 12, size: int = 256, coils: int = 4, chans: int = 18, sens_chans: int = 8
) -> Foreign:
    """fastMRI's end-to-end variational network (Sriram et al., MICCAI 2020), its usual size."""
    import fastmri
    from fastmri.models.varnet import VarNet

    torch.manual_seed(0)
    network = VarNet(cascades, sens_chans=sens_chans, chans=chans)
    kspace = torch.randn(1, coils, size, size, 2)
    mask = torch.rand(1, 1, 1, size, 1) < 0.25
    mask[..., size // 2 - 5 : size // 2 + 5, :] = True
    kspace = kspace * mask

    def begin() -> tuple[Tensor, tuple[Tensor, ...]]:
        return kspace.clone(), (kspace, mask, network.sens_net(kspace, mask))

    def loss(state: Tensor, target: Tensor) -> Tensor:
        image = fastmri.rss(fastmri.complex_abs(fastmri.ifft2c(state)), dim=1)
        return nn.functional.l1_loss(image, target)

    target = torch.rand(1, size, size)
    return Foreign(network, network.cascades, begin, loss, target, network.sens_net)


def adapted(
    reference: str, iterations: int, space: tuple[int, ...], coils: int = 4, **arguments: Any
) -> Foreign:
    """A network of another package, of slices or volumes, by its adapter, as recipes name it."""
    torch.manual_seed(0)
    recipe = NetworkRecipe(
        family="python",
        build=f"gleam.networks.adapters.{reference}",
        iterations=iterations,
        arguments=arguments,
        dimensions=len(space),
    )
    network = build(recipe)
    maps = torch.randn(1, 1, coils, 1, *space, dtype=torch.complex64)
    maps /= maps.abs().square().sum(2, keepdim=True).sqrt()
    lines = torch.rand(1, 1, 1, *[1] * (len(space) - 1), space[-1]) < 0.25
    lines[..., :5] = lines[..., -5:] = True  # the centre, in the order of an FFT
    sense = gleam.Sense(maps, lines, (-1,))
    target = torch.randn(1, 1, 1, *space, dtype=torch.complex64)
    kspace = sense.forward(target)
    measured = gleam.Measurement.of(sense, kspace, torch.tensor([0.05]))
    measured = replace(measured, read=lambda: kspace)

    def loss(state: Any, target: Tensor) -> Tensor:
        return (network.image(state) - target).abs().mean()

    def begin() -> tuple[Any, tuple[Any, ...]]:
        return network.first(measured), (measured,)

    return Foreign(network, network.iterations, begin, loss, target)


NETWORKS: dict[str, Callable[..., Foreign]] = {
    "fastmri_varnet": fastmri_varnet,
    "monai_varnet_3d": partial(adapted, "monai:varnet", 6, (16, 96, 96), spatial_dims=3),
    "direct_recurrent_varnet": partial(adapted, "direct:recurrent_varnet", 8, (256, 256)),
    "deepinv_pgd": partial(adapted, "deepinv:proximal_gradient", 8, (256, 256)),
}


def run() -> Figures:
    """Measure; figures by name."""
    figures: Figures = {}
    for name, make in NETWORKS.items():
        try:
            figures |= compare(name, make)
        except (ImportError, BadInput) as missing:
            print(f"adapters.{name}: left out ({missing})", flush=True)
    return figures


def compare(name: str, make: Callable[[], Foreign]) -> Figures:
    """What greedy learning and checkpointing cost beside end-to-end, and how exact they are."""
    steps = {way: Step(make(), **settings) for way, settings in WAYS.items()}
    memory = {way: step.memory() for way, step in steps.items()}  # (in all, of a step)
    times = interleaved(steps, REPEATS)
    values = {
        "memory_end_to_end": (memory["end_to_end"][0] / 2**20, "MiB"),
        "time_end_to_end": (statistics.median(times["end_to_end"]), "s per step"),
        "gradient_error": (gradient_error(make()), "relative"),
    }
    for way, prefix in (("greedy", ""), ("checkpoint", "checkpoint_")):
        for kind, own, most in zip(("", "step_"), memory[way], memory["end_to_end"], strict=True):
            values[f"{prefix}{kind}memory_over_end_to_end"] = own / most, "ratio"
        values[f"{prefix}time_over_end_to_end"] = ratio(times[way], times["end_to_end"]), "ratio"
    return {
        f"adapters.{name}.{key}": figure(value, unit, "adapters")
        for key, (value, unit) in values.items()
    }


class Step:
    """A training step of such a network, in the lines that its user writes.

    Args:
        foreign: the network.
        modules: how many; None takes each block by itself.
        storage: what a module keeps.
    """

    def __init__(
        self, foreign: Foreign, modules: int | None = None, storage: str = "store"
    ) -> None:
        self.foreign = foreign
        self.modules = gleam.greedy(
            foreign.blocks,
            modules or len(foreign.blocks),
            optimizer=partial(torch.optim.Adam, lr=1e-4),
            storage=storage,
            with_first=foreign.shared,
        )

    def __call__(self, accumulate: bool = False) -> None:
        """Make it."""
        state, given = self.foreign.begin()
        foreign = self.foreign
        gleam.train_step(
            self.modules, state, given, foreign.target, foreign.loss, accumulate=accumulate
        )

    def memory(self) -> tuple[int, int]:
        """The most bytes that are held, with weights and optimizer states, and by a step alone."""
        self()  # makes the states
        _, peak = metered(self, torch.device("cpu"))
        states = (m.optimizer.state[weight].values() for m in self.modules for weight in m.weights)
        held = [*self.foreign.network.parameters(), *chain.from_iterable(states)]
        return peak + sum(tensor.nbytes for tensor in held), peak


def gradient_error(foreign: Foreign) -> float:
    """The worst of all modules: ‖greedy − plain autograd‖ / ‖plain autograd‖.

    Plain autograd goes through the network as its authors do, and cuts off what is before a block.
    """
    Step(foreign)(accumulate=True)
    worst = 0.0
    state, given = foreign.begin()
    for number, block in enumerate(foreign.blocks):
        weights = [*block.parameters()]
        if number == 0 and foreign.shared is not None:
            weights += foreign.shared.parameters()
        else:
            state, given = detached(state), detached(given)
        output = block(state, *given)
        loss = foreign.loss(output, foreign.target)
        expected = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        found = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        error, size = (flat([a - b for a, b in zip(found, expected, strict=True)]), flat(expected))
        worst = max(worst, float(error.norm() / size.norm()))
        state = output
    return worst


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """All of them as one vector."""
    return torch.cat([tensor.flatten() for tensor in tensors])


if __name__ == "__main__":
    torch.set_num_threads(1)
    show(run())
