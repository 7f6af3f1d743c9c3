import pytest
import torch

from gleam.metrics import nmse


def test_by_hand_real_and_complex() -> None:
    reference = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    image = torch.tensor([[3.0, 5.0], [1.0, 2.0]])
    assert nmse(image, reference).tolist() == pytest.approx([1 / 25, 1 / 4])
    assert nmse(1j * image, 1j * reference).tolist() == pytest.approx([1 / 25, 1 / 4])


def test_an_empty_reference_has_none() -> None:
    assert nmse(torch.ones(1, 4), torch.zeros(1, 4)).isnan().all()
