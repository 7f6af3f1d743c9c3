import torch

from gleam.viewing.cuts import cuts


def beating(size: int = 32, frames: int = 6) -> torch.Tensor:
    """(frame, y, x): a blob around y = 22 that grows and shrinks."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    width = 3 + torch.sin(2 * torch.pi * torch.arange(frames) / frames)
    return torch.exp(-((y - 22) ** 2 + (x - 12) ** 2) / (2 * width**2)[:, None, None])


def test_profile_is_the_line_through_what_moves_drawn_so_that_it_can_be_seen() -> None:
    series = beating()
    _, (name, cut) = cuts(series).items()
    row = int(name.removeprefix("x over time (down), y = "))
    assert abs(row - 22) <= 2
    assert torch.equal(cut(series), series[:, row].repeat_interleave(3, 0)[None])


def test_noise_at_the_edge_is_not_what_moves() -> None:
    series = beating()
    series[::2, 0, ::7] += 1
    assert series.var(0).amax(1).argmax() == 0
    *_, name = cuts(series)
    assert abs(int(name.removeprefix("x over time (down), y = ")) - 22) <= 2


def test_planes_of_a_volume_go_through_what_it_shows() -> None:
    volume = torch.zeros(1, 9, 12, 15)
    volume[:, 2:5, 6:11, 1:4] = 1
    found = cuts(volume)
    assert list(found) == ["z = 3", "y = 8", "x = 2"]
    shapes = [tuple(cut(volume).shape) for cut in found.values()]
    assert shapes == [(1, 12, 15), (1, 9, 15), (1, 9, 12)]


def test_an_empty_volume_has_planes_all_the_same() -> None:
    assert list(cuts(torch.zeros(1, 4, 5, 6))) == ["z = 0", "y = 0", "x = 0"]


def test_a_volume_whose_place_is_not_known_has_its_head_up() -> None:
    """Its axes are taken for those of LPS: z grows to the head, which is shown upwards."""
    volume = torch.arange(4.0 * 5 * 6).reshape(1, 4, 5, 6)
    z, y, x = (cut(volume)[0] for cut in cuts(volume).values())
    middle = [int(name[-1]) for name in cuts(volume)]
    assert torch.equal(z, volume[0, middle[0]])
    assert torch.equal(y, volume[0, :, middle[1]].flip(0))
    assert torch.equal(x, volume[0, :, :, middle[2]].flip(0))
