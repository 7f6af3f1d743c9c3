import pytest
import torch
from torch import nn

from gleam.networks.weights import fill, interpolated, weights_of


class Tied(nn.Module):
    """One layer in two places, and buffers that are saved and that are not."""

    def __init__(self):
        super().__init__()
        self.one = self.other = nn.Linear(2, 2)
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("scratch", torch.zeros(1), persistent=False)


def test_each_weight_and_each_saved_buffer_has_one_name() -> None:
    assert weights_of(Tied()).keys() == {
        "one.weight", "one.bias", "norm.weight", "norm.bias",
        "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
    }  # fmt: skip


def test_filled_with_anothers_weights_it_is_the_other() -> None:
    one, other = Tied(), Tied()
    other.norm(other.one(torch.randn(8, 2)))
    fill(one, weights_of(other))
    for mine, theirs in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)
    assert one.norm.num_batches_tracked == 1


def test_other_names_and_shapes_are_refused() -> None:
    weights = weights_of(Tied())
    with pytest.raises(ValueError, match="other names"):
        fill(Tied(), weights | {"more": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"one.bias has shape \(3,\)"):
        fill(Tied(), weights | {"one.bias": torch.zeros(3)})


def test_weights_in_between() -> None:
    start = {"w": torch.tensor([0.0, 2.0], dtype=torch.float16), "n": torch.tensor(1)}
    end = {"w": torch.tensor([4.0, 4.0]), "n": torch.tensor(5), "new": torch.ones(1)}
    found = interpolated(start, end, 0.25)
    assert torch.equal(found["w"], torch.tensor([1.0, 2.5]))
    assert found["w"].dtype == torch.float32
    assert found["n"] == 5  # batches that were seen, say, are whole numbers
    assert found["new"] is end["new"]
    assert torch.equal(interpolated(start, end, 1.0)["w"], end["w"])
