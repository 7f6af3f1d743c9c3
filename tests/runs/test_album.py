from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gleam.runs import album
from gleam.runs.album import Album, forget_pictures, pictures
from gleam.runs.events import Event


def told(folder: Path, *steps: int) -> Album:
    logger = Album(folder)
    for step in steps:
        logger.log(Event("image", step, {"image": np.full((4, 12), step % 256, np.uint8)}))
    return logger


def test_pictures_are_kept_by_their_steps(tmp_path: Path) -> None:
    told(tmp_path, 200, 50, 1_000_000).log(Event("validation", 60, {"psnr": {"0": 1.0}}))
    found = pictures(tmp_path)
    assert [*found] == [50, 200, 1_000_000]
    with Image.open(found[200]) as picture:
        assert (picture.size, np.asarray(picture).max()) == ((12, 4), 200)
    (tmp_path / "validation" / "step-.png").touch()
    assert len(pictures(tmp_path)) == 3


def test_of_many_every_other_one_goes_but_the_first_and_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(album, "MOST", 5)
    told(tmp_path, *range(10, 70, 10))
    assert [*pictures(tmp_path)] == [10, 30, 50, 60]


def test_what_came_later_is_forgotten(tmp_path: Path) -> None:
    told(tmp_path, 10, 20, 30)
    forget_pictures(tmp_path, 20)
    assert [*pictures(tmp_path)] == [10, 20]
    forget_pictures(tmp_path / "nothing", 0)
