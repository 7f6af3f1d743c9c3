"""`Learner`: a network that learns from batches, module by module, and is validated.

The one place where a training step is put together. What trains, what times a step and what meters
its memory all call it. Where several processes share a network, each has a learner for its own
modules, and `Neighbours` stand for the others.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.arrays import Image, crop
from gleam.data.batch import Batch
from gleam.metrics import psnr_complex
from gleam.networks import Unrolled
from gleam.parallel.neighbours import ALONE, Neighbours
from gleam.physics.prediction import HeldOut, prediction_loss
from gleam.training.flow import directly, train_step
from gleam.training.graph import Graphs, Recorder, ReplayedIterations
from gleam.training.loss import Loss
from gleam.training.meter import metered, state_bytes
from gleam.training.module import GreedyModule
from gleam.training.states import State


@dataclass(frozen=True)
class Cost:
    """Memory of a training step.

    Attributes:
        step: bytes that it allocates at most: activations and gradients.
        states: bytes of weights and optimizer states that lie there before it.
    """

    step: int
    states: int

    @property
    def memory(self) -> int:
        """Bytes in all."""
        return self.step + self.states


def quality_of(image: Image, batch: Batch) -> Float[Tensor, "batch"]:
    """Complex PSNR in dB. Of samples that were held out instead: their root mean square over that
    of the error of their prediction, in dB.
    """
    if batch.heldout is not None:
        return 20 * torch.log10(batch.heldout.energy() / batch.heldout.error(image))
    assert batch.target is not None
    return psnr_complex(crop(image, batch.matrix), crop(batch.target, batch.matrix))


class Learner:
    """A network, or a part of it, that learns.

    Args:
        network: where it computes already; all of it, or some iterations that follow each other.
        modules: of its iterations but the frozen ones, in order.
        loss: between an image and the target.
        overlap: how many modules before its own a loss reaches back into.
        neighbours: what other processes do before, after and beside these modules.
        recorder: records steps, to replay them; None where each is launched anew.
        device: where it computes; by default where its weights are.
    """

    def __init__(
        self,
        network: Unrolled,
        modules: Sequence[GreedyModule],
        loss: Loss,
        overlap: int = 0,
        neighbours: Neighbours = ALONE,
        recorder: Recorder | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.network, self.modules, self.loss = network, modules, loss
        self.overlap, self.neighbours = overlap, neighbours
        self.graphs = Graphs(recorder)
        self.call = ReplayedIterations(self.graphs)
        self.device = device or next(network.parameters()).device

    def step(self, batch: Batch, t: int) -> dict[int, Tensor]:
        """Update every module once.

        Args:
            batch: on the device of the network, with a target.
            t: the number of updates before this one.

        Returns:
            The losses by number of the module, before its update.
        """
        return self.learn(self.start(batch), batch, t)

    def metered_step(self, batch: Batch, t: int) -> tuple[dict[int, Tensor], Cost]:
        """`step`, and the memory that it took; the first step makes the optimizers' states, and
        they are part of its peak."""
        state, there = self.start(batch), state_bytes(self.modules) + self._frozen_bytes()
        # A message that the profiler sees leave, and that arrives when it is gone, would write to
        # memory that is gone, too.
        losses, peak = metered(partial(self.learn, state, batch, t, wait=True), self.device)
        return losses, Cost(peak, there)

    def learn(self, state: State, batch: Batch, t: int, wait: bool = False) -> dict[int, Tensor]:
        """The step from a state on.

        Args:
            state: what the first module starts from.
            batch: see `step`.
            t: see `step`.
            wait: until what goes to another process has left.
        """
        measurement = batch.measurement.whole()
        goal = batch.heldout if batch.target is None else batch.core(batch.target)
        assert isinstance(goal, HeldOut | Tensor)

        def loss(output: State, goal: HeldOut | Tensor) -> Tensor:
            image = batch.core(self.network.image(output))
            if isinstance(goal, HeldOut):
                return prediction_loss(image, goal)
            return self.loss(image, goal)

        cores = (slab.inside for slab in batch.cores or ())
        given, unit = self.graphs.ready(
            (state, measurement, goal), (*cores, *map(id, self.modules))
        )
        losses = train_step(
            self.modules,
            *given,
            loss,
            t,
            self.overlap,
            partial(self.neighbours.send, wait=wait),
            self.neighbours.average,
            unit=unit,
        )
        self.neighbours.finish()
        self.modules[-1].turn.settle()
        if unit is not directly:  # the next step writes where they lie
            kept = torch.stack([*losses.values()]).unbind() if losses else ()
            losses = dict(zip(losses, kept, strict=True))
        for number, error in losses.items():
            self._watch(self.modules[number], error, t + 1)
        return losses

    @property
    def stopped(self) -> dict[int, int]:
        """The modules that learn no more, and the number of updates after which they stopped."""
        since = {number: module.stopped for number, module in enumerate(self.modules)}
        return {number: step for number, step in since.items() if step is not None}

    def _watch(self, module: GreedyModule, loss: Tensor, step: int) -> None:
        """Have a module stop whose loss has flattened."""
        if module.plateau is not None and module.plateau.add(loss, step):
            module.optimizer.state.clear()  # it makes no update any more
            self.graphs.forget()

    @torch.no_grad()
    def validate(
        self, batches: Iterable[Batch], look: Callable[[Image, Batch], None] | None = None
    ) -> list[float]:
        """Mean quality in dB, over all slices but empty ones, after each iteration.

        It is that of `quality_of`.

        Args:
            batches: with targets or held-out samples, in the same order for all processes.
            look: is given each batch and its image after the last iteration here.
        """
        network, device = self.network.eval(), self.device
        totals = torch.zeros(2, len(network.iterations), dtype=torch.float64, device=device)
        for batch in batches:
            batch = batch.to(device)
            state = self.neighbours.receive(partial(network.first, batch.measurement))
            for k, iteration in enumerate(network.iterations):
                state = network.advance(iteration, state, batch.measurement, self.call)
                image = network.image(state)
                quality = quality_of(image, batch).double()
                totals[:, k] += torch.stack([quality.nansum(), (~quality.isnan()).sum()])
            self.neighbours.send(state)
            if look is not None:
                look(image, batch)
            del batch  # the next one is made in its place
        network.train()
        total, count = self.neighbours.all_reduce(totals.cpu())
        means: list[float] = (total / count).tolist()
        return means

    def _frozen_bytes(self) -> int:
        frozen = self.network.iterations[: self.network.frozen].parameters()
        return sum(p.nbytes for p in frozen) if self.modules[0].turn.stays else 0

    def start(self, batch: Batch) -> State:
        """The state that the first module starts from."""
        return self.neighbours.receive(partial(self.network.start, batch.measurement))
