"""Greedy training of networks that know nothing of this house, in loops that are not its own."""

import copy
import inspect
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from toys import noise, toy_network

from gleam.arrays import described, mapped, tensors
from gleam.errors import BadInput
from gleam.training.flow import train_step
from gleam.training.greedy import even, greedy
from gleam.training.states import unseen
from gleam.training.storage import offload

SGD = partial(torch.optim.SGD, lr=0.1)


def real(*shape, seed=0):
    return noise(*shape, seed=seed, dtype=torch.float32)


class Block(nn.Module):
    """A residual layer whose state is a tensor."""

    def __init__(self, width=5):
        super().__init__()
        self.linear, self.act = nn.Linear(width, width), nn.Tanh()

    def forward(self, x, bias=0.0, factor=1.0):
        return x + factor * self.act(self.linear(x)) + bias


class WithMemory(Block):
    """Its state is (image, memory), as in recurrent networks."""

    def forward(self, state, bias=0.0):
        x, memory = state
        memory = torch.tanh(memory + self.linear(x))
        return x + memory + bias, memory


class ByName(Block):
    """Its state is a dict: k-space, hidden states, which iteration it is, what was measured."""

    def forward(self, state, bias=0.0):
        x = state["kspace"] + self.linear(state["hidden"][0]) + bias
        hidden = [torch.tanh(state["hidden"][0] + x), state["hidden"][1]]
        return {**state, "kspace": x, "hidden": hidden, "count": state["count"] + 1}


def first_tensor(state):
    return tensors(state)[0]


def squared(state, target):
    return (first_tensor(state) - target).square().mean()


STATES = {
    "tensor": (Block, lambda: real(3, 5, seed=1)),
    "tuple": (WithMemory, lambda: (real(3, 5, seed=1), real(3, 5, seed=2))),
    "dict": (
        ByName,
        lambda: {
            "kspace": real(3, 5, seed=1),
            "hidden": [real(3, 5, seed=2), real(3, 5, seed=3)],
            "count": torch.zeros(1, dtype=torch.int64),
            "words": "unchanged",
        },
    ),
}


def chain(kind=Block, count=4, seed=0):
    torch.manual_seed(seed)
    return nn.ModuleList(kind() for _ in range(count))


def plain_gradients(blocks, sizes, state, given, target, overlap=0):
    """Of every module's weights: each loss by plain autograd, through the modules it reaches."""
    firsts = [sum(sizes[:m]) for m in range(len(sizes) + 1)]
    found = {weight: torch.zeros_like(weight) for weight in blocks.parameters()}
    for last in range(len(sizes)):
        reached = firsts[max(0, last - overlap)]
        value = state
        for number, block in enumerate(blocks[: firsts[last + 1]]):
            if number == reached:
                value = mapped(torch.Tensor.detach, value)
            value = block(value, *given)
        weights = [*blocks[reached : firsts[last + 1]].parameters()]
        gradients = torch.autograd.grad(
            squared(value, target), weights, allow_unused=True, materialize_grads=True
        )
        for weight, gradient in zip(weights, gradients, strict=True):
            found[weight] += gradient
    return [*found.values()]


def gradients_of_step(blocks, modules, state, given, target, **settings):
    """What one step adds up, module by module, looked at before it is used."""
    train_step(modules, state, given, target, squared, accumulate=True, **settings)
    return [weight.grad for weight in blocks.parameters()]


def assert_close(some, others):
    for one, other in zip(some, others, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("storage", ["store", "checkpoint", "offload"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("sizes", "overlap"), [([4], 0), ([1, 2, 1], 0), ([1, 2, 1], 1)], ids=str)
def test_any_state_has_the_gradients_of_plain_autograd(state, sizes, overlap, storage):
    kind, start = STATES[state]
    blocks, target, given = chain(kind), real(3, 5, seed=9), (real(5, seed=8),)
    expected = plain_gradients(blocks, sizes, start(), given, target, overlap)
    with tempfile.TemporaryDirectory() as folder:
        how = partial(offload, folder=Path(folder)) if storage == "offload" else storage
        modules = greedy(blocks, sizes, optimizer=SGD, storage=how)
        found = gradients_of_step(blocks, modules, start(), given, target, overlap=overlap)
    assert sum(gradient.any() for gradient in found) >= len(sizes)
    assert_close(found, expected)


class Undone(nn.Module):
    """x → 2 x + bias · given, and back."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.tensor(0.5))

    def forward(self, x, given):
        return 2 * x + self.bias * given

    def back(self, output, gradient, given):
        own = (gradient * given).sum()
        return (output - self.bias * given) / 2, 2 * gradient, (own,)

    def error_of_inverse(self, error, given):
        return error / 2


def test_blocks_that_can_undo_themselves_are_inverted():
    blocks, target, given = chain(Undone), real(3, 5, seed=9), (real(5, seed=8),)
    expected = plain_gradients(blocks, [2, 2], real(3, 5), given, target)
    modules = greedy(blocks, 2, optimizer=SGD, storage="invert")
    assert_close(gradients_of_step(blocks, modules, real(3, 5), given, target), expected)


def test_this_houses_networks_are_cut_by_it_too():
    network = toy_network("reversible", 4)
    modules = greedy(network.iterations, 2, optimizer=torch.optim.Adam, storage="invert")
    assert [len(module.iterations) for module in modules] == [2, 2]


@pytest.mark.parametrize(
    ("measurement", "arguments"), [(None, ()), (0.5, (0.5,)), ((0.5, 2.0), (0.5, 2.0))], ids=str
)
def test_blocks_are_called_with_whatever_is_handed_on(measurement, arguments):
    block = Block()
    seen = []
    block.register_forward_pre_hook(lambda _, given: seen.append(given[1:]))
    train_step(greedy([block], 1, optimizer=SGD), real(3, 5), measurement, real(3, 5), squared)
    assert seen == [arguments]


def test_only_the_loss_looks_at_the_target():
    blocks = chain()
    losses = train_step(
        greedy(blocks, 2, optimizer=SGD),
        real(3, 5),
        None,
        {"image": real(3, 5, seed=1), "roi": "liver"},
        lambda x, target: (x - target["image"]).square().mean(),
    )
    assert [*losses] == [0, 1]


def test_modules_are_even_and_say_what_they_are():
    assert even(3, 7) == [3, 2, 2]
    modules = greedy(chain(count=7), 3, optimizer=torch.optim.AdamW, storage="checkpoint")
    assert repr(modules[1]) == "<module 2 of 3, blocks 4-5: 60 weights, AdamW, checkpoint>"
    assert "block 1:" in repr(greedy([Block()], [1], optimizer=SGD)[0])


def test_torchs_schedulers_set_the_learning_rate():
    modules = greedy(chain(), 2, optimizer=SGD)
    schedulers = [
        torch.optim.lr_scheduler.StepLR(module.optimizer, 1, gamma=0.5) for module in modules
    ]
    for _ in range(3):
        train_step(modules, real(3, 5), None, real(3, 5), squared)
        for scheduler in schedulers:
            scheduler.step()
    assert [m.optimizer.param_groups[0]["lr"] for m in modules] == pytest.approx([0.0125] * 2)


def test_a_schedule_of_the_step_sets_it_and_asks_for_the_step():
    modules = greedy(chain(), 2, optimizer=SGD, schedule=lambda step: 0.5**step)
    train_step(modules, real(3, 5), None, real(3, 5), squared, step=3)
    assert [m.optimizer.param_groups[0]["lr"] for m in modules] == [0.125] * 2
    with pytest.raises(BadInput, match="has a schedule; say train_step"):
        train_step(modules, real(3, 5), None, real(3, 5), squared)


def stepped(blocks, **settings):
    """The weights after a step on a batch of four, in two halves where they accumulate."""
    modules = greedy(blocks, 2, optimizer=SGD, **settings)
    train_step(modules, real(4, 5), None, real(4, 5, seed=1), squared)
    return [*blocks.parameters()]


@pytest.mark.parametrize("overlap", [0, 1])
def test_gradients_accumulate_over_batches(overlap):
    blocks = chain()
    others = copy.deepcopy(blocks)
    x, target = real(4, 5), real(4, 5, seed=1)
    train_step(greedy(blocks, 2, optimizer=SGD), x, None, target, squared, overlap=overlap)
    modules = greedy(others, 2, optimizer=SGD)
    for part, more in ((slice(0, 2), True), (slice(2, 4), False)):
        half = x[part], None, target[part], lambda a, b: squared(a, b) / 2
        train_step(modules, *half, overlap=overlap, accumulate=more)
    assert_close(others.parameters(), blocks.parameters())
    assert all(weight.grad is None for weight in others.parameters())


def test_a_scaler_changes_no_finite_step_and_leaves_others_out():
    expected = stepped(chain(), clip=0.01)
    scaler, blocks = torch.amp.GradScaler("cpu", init_scale=2.0**10), chain()
    assert_close(stepped(blocks, scaler=scaler, clip=0.01), expected)
    scaler.update()

    modules = greedy(blocks, 2, optimizer=SGD, scaler=scaler)
    before = copy.deepcopy([*blocks.parameters()])
    train_step(modules, real(4, 5), None, real(4, 5), lambda x, t: squared(x, t) * torch.inf)
    scaler.update()
    assert scaler.get_scale() == 2.0**9
    for weight, old in zip(blocks.parameters(), before, strict=True):
        assert torch.equal(weight, old)


def test_gradients_are_clipped_module_by_module():
    blocks = chain()
    before = copy.deepcopy(blocks)
    stepped(blocks, clip=1e-3)
    for part, old in ((blocks[:2], before[:2]), (blocks[2:], before[2:])):
        change = [a - b for a, b in zip(part.parameters(), old.parameters(), strict=True)]
        norm = torch.cat([c.flatten() for c in change]).norm()
        assert norm.item() == pytest.approx(1e-4, rel=1e-3)  # times the learning rate


def test_an_average_of_the_weights_follows_them():
    blocks = chain()
    ema = torch.optim.swa_utils.AveragedModel(
        blocks, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.5)
    )
    first, second = copy.deepcopy([*blocks.parameters()]), stepped(blocks)
    ema.update_parameters(blocks)  # the first update copies
    assert_close(ema.parameters(), second)
    second = copy.deepcopy(second)
    third = stepped(blocks)
    ema.update_parameters(blocks)
    assert_close(ema.parameters(), [(a + b) / 2 for a, b in zip(second, third, strict=True)])
    assert not torch.equal(first[0], third[0])


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute"
)  # dynamo asks for it, and hides the warning
def test_compiled_blocks_learn_as_they_are():
    expected, blocks = stepped(chain()), chain()
    compiled = [torch.compile(block, backend="aot_eager") for block in blocks]
    modules = greedy(compiled, 2, optimizer=SGD)
    train_step(modules, real(4, 5), None, real(4, 5, seed=1), squared)
    assert_close(blocks.parameters(), expected)


def test_gradients_can_be_averaged_over_copies_elsewhere():
    """Here two copies take turns; the second knows what the first has found."""
    expected, blocks, sent = stepped(chain()), chain(), []
    x, target = real(4, 5), real(4, 5, seed=1)

    def note(found, update):
        sent.append([tensor.clone() for tensor in found])

    def mean(found, update):
        for tensor, other in zip(found, sent.pop(0), strict=True):
            tensor.add_(other).div_(2)
        update()

    other = copy.deepcopy(blocks)
    train_step(greedy(other, 2, optimizer=SGD), x[:2], None, target[:2], squared, average=note)
    losses = train_step(
        greedy(blocks, 2, optimizer=SGD), x[2:], None, target[2:], squared, average=mean
    )
    assert_close(blocks.parameters(), expected)
    whole = train_step(greedy(chain(), 2, optimizer=SGD), x, None, target, squared)
    assert_close(losses.values(), whole.values())  # averaged, too


class Dropping(Block):
    def forward(self, x):
        return super().forward(nn.functional.dropout(x))


def test_checkpoint_draws_the_same_random_numbers_again():
    found = []
    for storage in ("store", "checkpoint"):
        blocks = chain(Dropping)
        modules = greedy(blocks, [3, 1], optimizer=SGD, storage=storage)
        torch.manual_seed(1)
        found.append(gradients_of_step(blocks, modules, real(3, 5), None, real(3, 5, seed=1)))
    assert_close(*found)


class Normed(Block):
    """With running statistics, to which a batch is added when it is computed."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(5)

    def forward(self, x):
        return super().forward(self.norm(x))


def test_checkpoint_adds_a_batch_to_running_statistics_once():
    found = []
    for storage in ("store", "checkpoint"):
        blocks = chain(Normed)
        modules = greedy(blocks, [3, 1], optimizer=SGD, storage=storage)
        found.append(gradients_of_step(blocks, modules, real(3, 5), None, real(3, 5, seed=1)))
        found.append([*blocks.buffers()])
        assert all(block.norm.momentum == 0.1 for block in blocks)
    assert_close(found[0], found[2])
    assert_close(found[1], found[3])


class Sharing(Block):
    """Holds a network that other blocks hold, too."""

    def __init__(self, common):
        super().__init__()
        self.common = common

    def forward(self, x, maps):
        return super().forward(x, maps) + self.common(x)


@pytest.mark.parametrize("overlap", [0, 1, 3])
def test_a_network_inside_all_blocks_learns_with_the_first_module(overlap):
    common = nn.Linear(5, 5)
    blocks = nn.ModuleList(Sharing(common) for _ in range(4))
    maps, target = real(5, seed=3), real(3, 5, seed=9)
    own = [weight for block in blocks for weight in block.linear.parameters()]

    alone = copy.deepcopy(blocks)  # each of whose blocks has its own copy of what is shared
    for block in alone:
        block.common = copy.deepcopy(common)
    plain_gradients_of = plain_gradients(alone, [1] * 4, real(3, 5), (maps,), target, overlap)
    of_alone = dict(zip(alone.parameters(), plain_gradients_of, strict=True))
    expected = [of_alone[w] for block in alone for w in block.linear.parameters()]
    expected_common = [of_alone[w] for w in alone[0].common.parameters()]

    modules = greedy(blocks, 4, optimizer=SGD, with_first=common)
    train_step(modules, real(3, 5), maps, target, squared, accumulate=True, overlap=overlap)
    assert_close([w.grad for w in own], expected)
    assert_close([w.grad for w in common.parameters()], expected_common)
    weights = copy.deepcopy([*blocks.parameters()])
    gradients = [weight.grad.clone() for weight in blocks.parameters()]
    for weight in blocks.parameters():
        weight.grad = None
    train_step(modules, real(3, 5), maps, target, squared, overlap=overlap)
    assert_close(
        blocks.parameters(), [w - 0.1 * g for w, g in zip(weights, gradients, strict=True)]
    )


@pytest.mark.parametrize("storage", ["store", "checkpoint"])
@pytest.mark.parametrize("overlap", [0, 1])
def test_a_network_before_all_blocks_learns_with_the_first_module(storage, overlap):
    before, blocks, target = nn.Linear(5, 5), chain(), real(3, 5, seed=9)
    x, calibration = real(3, 5), real(5, seed=3)
    maps = before(calibration)
    constant = maps.detach()
    expected = plain_gradients(blocks, [2, 2], x, (constant,), target, overlap)
    first = x
    for block in blocks[:2]:
        first = block(first, maps)
    losses = squared(first, target)
    if overlap:
        for block in blocks[2:]:
            first = block(first, constant)
        losses = losses + squared(first, target)
    of_before = torch.autograd.grad(losses, [*before.parameters()])

    modules = greedy(blocks, 2, optimizer=SGD, with_first=before, storage=storage)
    train_step(modules, x, before(calibration), target, squared, accumulate=True, overlap=overlap)
    assert_close([weight.grad for weight in blocks.parameters()], expected)
    assert_close([weight.grad for weight in before.parameters()], of_before)


def test_end_to_end_the_network_before_learns_as_ever():
    before, blocks, target = nn.Linear(5, 5), chain(), real(3, 5, seed=9)
    value = x = before(real(3, 5))
    for block in blocks:
        value = block(value)
    weights = [*blocks.parameters(), *before.parameters()]
    expected = torch.autograd.grad(squared(value, target), weights, retain_graph=True)
    (module,) = greedy(blocks, 1, optimizer=SGD, with_first=before)
    train_step([module], x, None, target, squared, accumulate=True)
    assert_close([weight.grad for weight in weights], expected)


def test_a_frozen_network_stays_as_it_is():
    common = nn.Linear(5, 5)
    blocks = nn.ModuleList(Sharing(common) for _ in range(4))
    before = copy.deepcopy(common)
    modules = greedy(blocks, 2, optimizer=SGD, frozen=common)
    train_step(modules, real(3, 5), common(real(5)), real(3, 5), squared)
    assert all(map(torch.equal, common.parameters(), before.parameters()))
    assert all(weight.grad is None for weight in common.parameters())


def test_weights_that_nobody_would_train_are_refused():
    maps, modules = nn.Linear(5, 5)(real(5)), greedy(chain(), 2, optimizer=SGD)
    with pytest.raises(BadInput, match=r"what all modules are given, \(float32 \(5,\)\), was comp"):
        train_step(modules, real(3, 5), maps, real(3, 5), squared)
    with pytest.raises(BadInput, match=r"the first state, float32 \(3, 5\), .* with_first=network"):
        train_step(modules, nn.Linear(5, 5)(real(3, 5)), None, real(3, 5), squared)


def test_weights_shared_by_accident_are_refused():
    common = nn.Linear(5, 5)
    blocks = nn.ModuleList(Sharing(common) for _ in range(4))
    with pytest.raises(
        BadInput, match=r"1 and 2 share a weight \(0.common.weight .*frozen=network"
    ):
        greedy(blocks, 2, optimizer=SGD)
    assert len(greedy(blocks, 1, optimizer=SGD)) == 1
    with pytest.raises(BadInput, match="modules 1 and 3 share"):
        greedy([blocks[0], Block(), blocks[1]], 3, optimizer=SGD)


def as_users_call_it(function):
    """Without the check of types that only tests make."""
    return inspect.unwrap(function)


WRONG = {
    "0 modules cannot be made of 4 blocks; give 1 to 4": {"modules": 0},
    "5 modules cannot be made of 4 blocks": {"modules": 5},
    r"modules of \[2, 1\] blocks do not make 4": {"modules": [2, 1]},
    "storage is not 'chekpoint'; did you mean checkpoint?": {"storage": "chekpoint"},
    "Block cannot undo what it does": {"storage": "invert"},
    "optimizer is a SGD, but every module has its own": {
        "optimizer": torch.optim.SGD(Block().parameters())
    },
    "optimizer makes a list; give": {"optimizer": list},
    "optimizer cannot be made of weights": {"optimizer": lambda: None},
    "optimizer makes a SGD of other weights than those of module 1 of 2": {
        "optimizer": lambda weights: SGD(Block().parameters())
    },
    r"optimizer makes a LBFGS, whose step asks for the loss again and again \(a closure\)": {
        "optimizer": torch.optim.LBFGS
    },
    "modules is '4'; give how many there are, or a list of the number": {"modules": "4"},
    r"modules is 2\.0; give": {"modules": 2.0},
    "clip is -1; the largest norm of a gradient is above 0": {"clip": -1},
    "blocks holds no module; an iterator": {"blocks": iter([])},
    "blocks is one Linear; give the sequence": {"blocks": nn.Linear(1, 1)},
    r"blocks\[1\] is a type; give nn.Modules": {"blocks": [Block(), Block]},
    "module 1 of 2, block 1: has no weight to learn": {"blocks": [nn.Tanh(), Block()]},
    "loss_weights are 1, but there are 2 modules": {"loss_weights": [1.0]},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_is_refused(message):
    with pytest.raises(BadInput, match=message):
        as_users_call_it(greedy)(
            **{"blocks": chain(), "modules": 2, "optimizer": SGD} | WRONG[message]
        )


def test_any_whole_number_counts_modules():
    whole = np.int64(2)
    for modules in (whole, [whole, whole], np.array([2, 2])):
        made = as_users_call_it(greedy)(chain(), modules, optimizer=SGD)
        assert [len(module.iterations) for module in made] == [2, 2]


@pytest.mark.parametrize(
    ("modules", "settings", "message"),
    [
        (chain(), {}, "modules is one ModuleList; give the list that gleam.greedy makes"),
        ([*chain()], {}, r"modules\[0\] is a Block; give the list that gleam.greedy makes"),
        ([], {}, "modules is empty; give the list"),
        (greedy(chain(), 2, optimizer=SGD), {"overlap": -1}, "overlap is -1; give 0, or how many"),
        (
            greedy(chain(), 2, optimizer=SGD, loss_weights=[0.0, 1.0]),
            {},
            "module 1 of 2, .* has weight 0 and, with an overlap of 0, no later loss reaches it",
        ),
    ],
    ids=["a network", "blocks", "nothing", "overlap", "never learns"],
)
def test_modules_that_cannot_be_trained_are_refused(modules, settings, message):
    with pytest.raises(BadInput, match=message):
        as_users_call_it(train_step)(modules, real(3, 5), None, real(3, 5), squared, **settings)


@dataclass
class Remembered:
    image: torch.Tensor


class InAnObject(Block):
    """Its state is an object that nobody here knows."""

    def forward(self, state):
        return [Remembered(super().forward(state[0].image))]


def test_states_in_which_no_tensor_is_found_are_refused():
    """They would travel with their graphs, and with the memory of all modules before."""
    modules = greedy(chain(InAnObject), 2, optimizer=SGD)
    with pytest.raises(BadInput, match="module 1 of 2, blocks 1-2: puts out a Remembered, whose"):
        train_step(modules, [Remembered(real(3, 5))], None, None, lambda x, t: x[0].image.mean())
    assert [*map(unseen, (real(3), "words", None, {"x": (1, real(2))}, [Block()]))] == [""] * 5


def test_a_scaler_that_was_not_updated_is_named():
    modules = greedy(chain(), 2, optimizer=SGD, scaler=torch.amp.GradScaler("cpu"))
    step = partial(train_step, modules, real(3, 5), None, real(3, 5), squared)
    step()
    with pytest.raises(RuntimeError, match="unscale_") as refused:
        step()
    assert "call scaler.update() once after every train_step" in refused.value.__notes__[0]


def test_invert_with_a_network_before_is_refused():
    with pytest.raises(BadInput, match="would learn nothing"):
        greedy(chain(Undone), 2, optimizer=SGD, storage="invert", with_first=Block())


def test_errors_say_which_module_and_what_it_was_called_with():
    modules = greedy(chain(), 2, optimizer=SGD)
    with pytest.raises(
        BadInput,
        match=r"module 1 of 2, blocks 1-2: Block was called with a state, float32 \(3, 5\), and "
        r"\(int, int, int\), but its forward\(x, bias=0.0, factor=1.0\) does not take that "
        r"\(too many positional arguments\); a state is one argument, and what blocks are given",
    ):
        train_step(modules, real(3, 5), (1, 2, 3), real(3, 5), squared)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as refused:
        train_step(modules, real(3, 4), None, real(3, 4), squared)
    (note,) = refused.value.__notes__
    assert note == "in module 1 of 2, blocks 1-2, called with a state, float32 (3, 4), and no more"
    with pytest.raises(TypeError) as within:  # from inside a block, as it is
        train_step(modules, real(3, 5), "words", real(3, 5), squared)
    assert "called with" in within.value.__notes__[0]


def test_errors_in_the_loss_say_what_it_was_called_with():
    modules = greedy(chain(), 2, optimizer=SGD)
    with pytest.raises(RuntimeError, match="must match the size") as refused:
        train_step(modules, real(3, 5), None, real(3, 4), lambda x, t: (x - t).abs().mean())
    (note,) = refused.value.__notes__
    assert note == (
        "in the loss of module 1 of 2, blocks 1-2, of a state, float32 (3, 5), and a target, "
        "float32 (3, 4)"
    )


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda x, t: (x - t).abs(), r"its loss is float32 \(3, 5\); it has to be one real number"),
        (lambda x, t: 0.5, "its loss is float; it"),
        (lambda x, t: t.mean(), "its loss depends on none of its weights"),
        (lambda x, t: x.mean() * 1j, r"its loss is complex64 \(\)"),
        ("l1", "loss is a str; give a function of a module's output and the target"),
    ],
)
def test_losses_that_are_none_are_refused(loss, message):
    modules = greedy(chain(), 2, optimizer=SGD)
    where = "module 1 of 2, blocks 1-2: " if callable(loss) else ""
    with pytest.raises(BadInput, match=where + message):
        as_users_call_it(train_step)(modules, real(3, 5), None, real(3, 5), loss)


def test_states_are_described_by_type_and_shape():
    _, start = STATES["dict"]
    assert described(start()) == (
        "{kspace: float32 (3, 5), hidden: (float32 (3, 5), float32 (3, 5)), count: int64 (1,), "
        "words: str}"
    )
    assert described(torch.empty(2, device="meta")) == "float32 (2,) on meta"
