"""Greedy training in Lightning's trainer; needs the extra `lightning`.

    from gleam.lightning import GreedyLightning

    model = GreedyLightning(net, net.cascades, 4, loss=loss, optimizer=partial(AdamW, lr=1e-3))
    lightning.Trainer(max_epochs=10).fit(model, loader)  # of (state, measurement, target)

Who has a `LightningModule` already, trained end-to-end, adds the callback `Greedily` instead.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from gleam.errors import BadInput
from gleam.training.flow import train_step
from gleam.training.greedy import greedy
from gleam.training.states import State
from gleam.words import not_installed

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as missing:
    raise BadInput(f"gleam.lightning: {not_installed('lightning', 'lightning')}") from missing


class Greedily(Callback):
    """Trains the blocks of a `LightningModule` greedily, whatever its own training step does.

    It asks three things of it: `blocks`, the modules that run one after the other;
    `begin(batch) -> (state, measurement, target)`, what comes before them; and
    `loss(state, target)`. Optimizers and the learning rate are the callback's; Lightning saves and
    restores their states. `trainer.global_step` counts batches.

    Args:
        modules, settings: see `gleam.greedy`.
        overlap: see `gleam.train_step`.
    """

    def __init__(self, modules: int | Sequence[int], *, overlap: int = 0, **settings: Any) -> None:
        self.modules, self.overlap, self.settings = modules, overlap, settings

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Put greedy steps in the place of the module's own."""
        if stage != "fit":
            return
        if trainer.world_size > 1 or str(trainer.precision).startswith("16"):
            raise BadInput(
                "gleam.lightning: trains on one device, in full precision or bfloat16; say "
                "devices=1 and precision='bf16-mixed', or let `gleam train --devices` share it out"
            )
        made = greedy(pl_module.blocks, self.modules, **self.settings)  # type: ignore[arg-type]

        def step(batch: Any) -> None:
            *_, counting = _listed(pl_module.optimizers())
            counted = [*made[:-1], replace(made[-1], optimizer=counting)]
            state, measurement, target = pl_module.begin(batch)  # type: ignore[operator]
            loss: Any = pl_module.loss
            at = trainer.global_step
            found = train_step(counted, state, measurement, target, loss, at, self.overlap)
            named = {f"loss/module_{module + 1}": value for module, value in found.items()}
            pl_module.log_dict(named, batch_size=1)

        pl_module.automatic_optimization = False
        pl_module.configure_optimizers = lambda: [  # type: ignore[method-assign]
            module.optimizer for module in made
        ]
        pl_module.training_step = step  # type: ignore[method-assign]


def _as_loaded(batch: Any) -> tuple[State, Any, Any]:
    """(state, measurement, target) as a loader gives it: it makes lists of tuples."""
    state, measurement, target = batch
    return state, tuple(measurement) if isinstance(measurement, list) else measurement, target


class GreedyLightning(LightningModule):
    """A network in Lightning's trainer, its blocks trained greedily.

    Args:
        network: all of it; this module's `forward` calls it.
        blocks: what it runs one after the other.
        modules, settings: see `gleam.greedy`.
        loss: (a module's output, target) → one real number.
        begin: batch → (first state, what every block is called with, target); by default batches
            are that already.
        overlap: see `gleam.train_step`.
    """

    def __init__(
        self,
        network: nn.Module,
        blocks: Iterable[nn.Module],
        modules: int | Sequence[int],
        *,
        loss: Callable[[State, Any], Tensor],
        begin: Callable[[Any], tuple[State, Any, Any]] = _as_loaded,
        overlap: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.network, self.loss, self.begin = network, loss, begin
        self.blocks = [*blocks]  # a list: as a part of the network they are saved already
        self._greedily = Greedily(modules, overlap=overlap, **settings)

    def forward(self, *inputs: Any) -> Any:
        """The network's output."""
        return self.network(*inputs)

    def configure_callbacks(self) -> list[Callback]:
        """`Greedily`, which trains."""
        return [self._greedily]

    def training_step(self, batch: Any) -> None:
        """Lightning wants one to be there; `Greedily` puts its own in its place."""
        raise NotImplementedError

    def configure_optimizers(self) -> None:
        """A method that Lightning wants to be there; `Greedily` puts its own in its place."""
        raise NotImplementedError


def _listed(optimizers: Any) -> list[Any]:
    """Lightning gives an only one as it is."""
    return optimizers if isinstance(optimizers, list) else [optimizers]
