"""Lightning's trainer trains greedily, and ends with the weights of `gleam.train_step`."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import gleam

lightning = pytest.importorskip(
    "lightning.pytorch", reason="Lightning is not installed; it is the extra `lightning`"
)
from gleam.lightning import Greedily, GreedyLightning  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's own, many of them

ADAM = partial(torch.optim.Adam, lr=0.01)
LOSS = nn.functional.mse_loss


def network(count=4):
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Sequential(nn.Linear(5, 5), nn.Tanh()) for _ in range(count)))


def batches(count=6):
    random = torch.Generator().manual_seed(1)
    shape = (2, 3, 5)
    return [(x, (), t) for x, t in torch.randn(count, *shape, generator=random)]


def trainer(folder, epochs=1, **settings):
    return lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", default_root_dir=folder, enable_progress_bar=False,
        enable_model_summary=False, logger=False, **settings,
    )  # fmt: skip


def loader():
    return DataLoader(batches(), batch_size=None)


def expected(epochs, modules=2, **settings):
    net = network()
    made = gleam.greedy(net, modules, optimizer=ADAM, **settings)
    for x, given, target in batches() * epochs:
        gleam.train_step(made, x, given, target, LOSS, 0)
    return net


def assert_same(one, other):
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("modules", [1, 2])
def test_three_lines_train_as_the_loop_does(modules, tmp_path):
    net = network()
    model = GreedyLightning(net, net, modules, loss=LOSS, optimizer=ADAM, storage="checkpoint")
    made = trainer(tmp_path, enable_checkpointing=False)
    made.fit(model, loader())
    assert_same(net, expected(1, modules))
    assert made.global_step == 6
    assert {*made.logged_metrics} == {f"loss/module_{m + 1}" for m in range(modules)}
    assert [*model.state_dict()] == [f"network.{name}" for name in net.state_dict()]
    assert torch.equal(model(torch.ones(5)), net(torch.ones(5)))


class EndToEnd(lightning.LightningModule):
    """As somebody has it, and what the callback asks for besides."""

    def __init__(self):
        super().__init__()
        self.net = network()
        self.blocks, self.loss = [*self.net], LOSS

    def begin(self, batch):
        x, _, target = batch
        return x, None, target

    def training_step(self, batch, batch_idx):
        raise AssertionError("trained end-to-end")

    def configure_optimizers(self):
        raise AssertionError("trained end-to-end")


def test_the_callback_takes_over_a_module_that_was_trained_end_to_end(tmp_path):
    model = EndToEnd()
    callback = Greedily(2, optimizer=ADAM, schedule=lambda step: 0.01)
    trainer(tmp_path, callbacks=[callback], enable_checkpointing=False).fit(model, loader())
    assert_same(model.net, expected(1))


def test_a_checkpoint_of_lightning_goes_on_as_if_nothing_had_been(tmp_path):
    net = network()
    first = trainer(tmp_path)
    first.fit(GreedyLightning(net, net, 2, loss=LOSS, optimizer=ADAM), loader())
    first.save_checkpoint(tmp_path / "last.ckpt")
    other = copy.deepcopy(network())
    model = GreedyLightning(other, other, 2, loss=LOSS, optimizer=ADAM)
    trainer(tmp_path, epochs=2).fit(model, loader(), ckpt_path=tmp_path / "last.ckpt")
    assert_same(other, expected(2))


def test_what_it_cannot_do_is_refused(tmp_path):
    net = network()
    model = GreedyLightning(net, net, 2, loss=LOSS, optimizer=ADAM)
    half = trainer(tmp_path, precision="bf16-mixed", enable_checkpointing=False)
    half.fit(model, loader())
    for settings in ({"devices": 2, "strategy": "ddp_spawn"}, {"precision": "16-true"}):
        with pytest.raises(gleam.BadInput, match="trains on one device, in full precision"):
            model._greedily.setup(trainer(tmp_path, **settings), model, "fit")
