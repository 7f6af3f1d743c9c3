import numpy as np
import torch
from toy_test_set import FRAMES, toy_series
from toys import noise

from gleam.formats.upright import upright
from gleam.viewing.views import views


def test_a_slice_is_one_plane_as_it_is() -> None:
    target, image = noise(1, 2, 1, 6, 7), noise(1, 2, 1, 6, 7, seed=1)
    (view,) = views(target, {"a": image})
    assert view.name == ""
    torch.testing.assert_close(view.target, target[0].abs().square().sum(0).sqrt())
    torch.testing.assert_close(view.errors["a"], (image - target)[0].abs().square().sum(0).sqrt())


def test_a_volume_is_three_planes_through_its_middle() -> None:
    target = torch.zeros(1, 1, 1, 9, 12, 15, dtype=torch.complex64)
    target[..., 2:5, 6:11, 1:4] = 1
    image = target + noise(*target.shape)
    z, y, x = views(target, {"a": image})
    assert [view.name for view in (z, y, x)] == ["z = 3", "y = 8", "x = 2"]
    volume, error = image[0, 0].abs(), (image - target)[0, 0].abs()
    torch.testing.assert_close(z.images["a"], volume[:, 3])
    torch.testing.assert_close(y.images["a"], volume[:, :, 8])
    torch.testing.assert_close(x.errors["a"], error[:, :, :, 2])


def test_planes_of_a_volume_in_the_patient_are_upright() -> None:
    target = noise(1, 1, 1, 5, 6, 7)
    affine = np.eye(4)[:, [2, 0, 1, 3]]  # x to the head, y to the left, z to the back
    seen = upright(affine, (5, 6, 7), (1.0, 1.0, 1.0), 1)
    z, y, x = views(target, {}, seen)
    assert [view.name.partition(",")[0] for view in (z, y, x)] == [
        "coronal", "sagittal", "transverse"
    ]  # fmt: skip
    volume = target[0, 0].abs()
    at = [int(view.name.rpartition("= ")[2]) for view in (z, y, x)]
    torch.testing.assert_close(z.target, volume[:, at[0]].mT.flip(-2))
    torch.testing.assert_close(y.target, volume[:, :, at[1]].mT.flip(-2))
    torch.testing.assert_close(x.target, volume[:, :, :, at[2]])


def test_a_series_moves_and_has_a_profile_through_what_moves() -> None:
    target = toy_series().target[:1]
    image = target + 0.1 * noise(*target.shape)
    movie, profile = views(target, {"a": image})
    torch.testing.assert_close(movie.images["a"], image[0, 0].abs())
    torch.testing.assert_close(movie.errors["a"], (image - target)[0, 0].abs())
    assert profile.name == "x over time (down), y = 11"
    assert len(profile.target) == 1
    rows = profile.errors["a"][0]
    line = (image - target)[0, 0, :, 11].abs()
    torch.testing.assert_close(rows, line.repeat_interleave(len(rows) // FRAMES, 0))


def test_a_moving_volume_has_planes_that_move_and_one_profile() -> None:
    series = toy_series().target[:1, :, :, None].expand(-1, -1, -1, 4, -1, -1)
    found = views(series, {})
    assert [tuple(view.target.shape[:1]) for view in found] == [(FRAMES,)] * 3 + [(1,)]


def test_methods_can_be_picked_by_new_names() -> None:
    target = noise(1, 1, 1, 6, 7)
    (view,) = views(target, {"a": target, "b": 2 * target})
    picked = view.of({"new": "b"})
    assert list(picked.images) == list(picked.errors) == ["new"]
    assert torch.equal(picked.images["new"], view.images["b"])
