"""Activations that travel beside the computation: every wait is there, and is needed."""

import pytest
import torch
from streams import Stream, install
from test_storage import FITTING, toy_problem, value_and_gradients
from toys import noise

from gleam.training.offload import ActivationStore
from gleam.training.storage import offload, store

CASES = [case for case in FITTING if case[1] == "offload"]


@pytest.fixture
def streams(monkeypatch):
    return install(monkeypatch)


@pytest.mark.parametrize(("shape", "storage", "family", "fields"), CASES, ids=str)
def test_gradients_are_those_of_what_is_stored(shape, storage, family, fields, streams):
    problem = toy_problem(family, 3, shape=shape, **fields)
    expected = value_and_gradients(store, *problem)
    with streams:
        found = value_and_gradients(offload, *problem)
    assert len(streams.sent) > 3
    assert streams.sent <= streams.told[streams.aside]  # or its memory would be given away
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_who_does_not_wait_is_seen(streams, monkeypatch):
    problem = toy_problem("pgd", 3)
    waits = Stream.wait_stream

    def forgetful(stream, other):
        if stream is not streams.computing:
            waits(stream, other)

    monkeypatch.setattr(Stream, "wait_stream", forgetful)
    with streams:
        found = value_and_gradients(offload, *problem)
    assert any(one.isnan().any() for one in found)


def test_who_sends_before_it_is_computed_is_seen(streams, monkeypatch):
    monkeypatch.setattr(Stream, "wait_stream", lambda *_: None)
    with streams, pytest.raises(AssertionError, match="sent before it is computed"):
        value_and_gradients(offload, *toy_problem("pgd", 3))


VIEWS = {
    "dense": lambda x: x,
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "moved": lambda x: x.movedim(1, -1),
    "every other": lambda x: x[..., ::2],
    "every other, moved": lambda x: x[..., ::2].movedim(1, -1),
    "expanded": lambda x: x[:, :1].expand(-1, 7, -1, -1),
    "conjugate": lambda x: x.conj(),
    "conjugate, moved": lambda x: x.conj().movedim(1, -1),
    "negative": lambda x: x.conj().imag,
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_what_comes_back_is_what_went(view, streams):
    one, other = view(noise(2, 3, 20, 40)), view(noise(2, 3, 20, 40, seed=1))
    shelf = ActivationStore([])
    with streams:
        kept = [shelf.put(one), shelf.put(other)]
        back = [shelf.get(kept[1]), shelf.get(kept[0])]
    assert torch.equal(back[1], one)
    assert torch.equal(back[0], other)
    assert back[0].stride() == torch.empty_like(other).stride()
    assert {tensor.data_ptr() for tensor in back} <= streams.told[streams.computing]


def test_what_is_fetched_ahead_waits_until_it_is_wanted(streams):
    """In any order, and more than once: the graph may be gone through again."""
    tensors = [noise(40, 40, seed=seed) for seed in range(4)]
    shelf = ActivationStore([])
    with streams:
        kept = [shelf.put(tensor) for tensor in tensors]
        for number in (3, 2, 2, 0, 1, 3):
            assert torch.equal(shelf.get(kept[number]), tensors[number])
            assert sorted(shelf.back) == [*range(max(0, number - 1), number + 1)]


def test_what_was_sent_may_change_afterwards(streams):
    """On the stream that computes, once that is told to wait: autograd refuses it before."""
    tensor = noise(40, 40)
    before, shelf = tensor.clone(), ActivationStore([])
    with streams:
        kept = shelf.put(tensor)
        streams.computing.wait_stream(streams.aside)
        tensor.zero_()
        assert torch.equal(shelf.get(kept), before)
