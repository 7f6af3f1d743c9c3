import pytest
import torch

from gleam.metrics import nmse


def test_by_hand_real_and_complex() -> None:
    reference = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    image = torch.tensor([[3.0, 5.0], [1.0, 2.0]])
    assert nmse(image, reference).tolist() == pytest.approx([1 / 25, 1 / 4])
    assert nmse(1j * image, 1j * reference).tolist() == pytest.approx([1 / 25, 1 / 4])


@pytest.mark.parametrize("shape", [(1, 1, 6, 5), (2, 4, 6, 5), (1, 1, 3, 6, 5)], ids=str)
def test_every_axis_but_the_batch_is_summed(shape: tuple[int, ...]) -> None:
    """Of slices, cines and volumes alike."""
    reference = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    error = torch.tensor([0.1, 0.2, 0.3])
    image = reference * (1 + error.reshape(-1, *[1] * len(shape)))
    torch.testing.assert_close(nmse(image, reference), error**2)


def test_an_empty_reference_has_none() -> None:
    assert nmse(torch.ones(1, 4), torch.zeros(1, 4)).isnan().all()
