import torch

from gleam.evaluation.examples import sampling_picture


def test_lines_are_drawn_over_the_plane_with_the_centre_in_the_middle() -> None:
    mask = torch.zeros(1, 1, 7, dtype=torch.bool)
    mask[..., :2] = mask[..., -1:] = True
    picture = sampling_picture(mask, (4, 7))
    assert picture.shape == (4, 7)
    assert picture[0].tolist() == [False, False, True, True, True, False, False]
    turned = sampling_picture(mask.reshape(1, 7, 1), (7, 4))
    assert turned.equal(picture.T)


def test_a_series_is_drawn_over_frames() -> None:
    mask = torch.zeros(3, 8, 1, dtype=torch.bool)
    mask[1, 0] = True
    picture = sampling_picture(mask, (8, 5))
    assert picture.shape == (3, 8)
    assert picture.nonzero().tolist() == [[1, 4]]


def test_of_three_axes_the_middle_is_drawn() -> None:
    mask = torch.zeros(3, 4, 6, dtype=torch.bool)
    mask[1, 0, 0] = True
    assert sampling_picture(mask, (4, 6)).nonzero().tolist() == [[2, 3]]


def test_everything_sampled() -> None:
    assert sampling_picture(torch.ones(1, 1, 1, dtype=torch.bool), (4, 5)).shape == (4, 5)
