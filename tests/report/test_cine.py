"""Series in the viewer: played, and their profile over time."""

from pathlib import Path
from typing import Any

import numpy as np
from looking import drawn, grey, pixels, settled, until
from toy_pages import SIZE, evaluation, images

SCAN = evaluation(scans=1, slices=2, frames=5).pictures[0]


def profile_of(page: Any, figure: int = 0) -> Any:
    frames = page.locator("#stage .view").nth(figure).locator(".frame:not(.sampling), .profile")
    return pixels(page, figure, frames.count() - 1)


def test_frames_by_key_slider_and_playing(series_page: Path, show: Any) -> None:
    page = show(series_page)
    drawn(page, z=1)
    page.keyboard.press("ArrowRight")
    drawn(page, z=1, frame=1)
    expected = grey(images(2, 5)["greedy"][1, 0, 1].abs().numpy(), 0, SCAN.white)
    assert np.abs(pixels(page, 2)[..., 0] - expected).max() <= 1.5
    assert "27.10 dB this frame" in page.inner_text("#stage .view:nth-child(3)")
    page.keyboard.press(" ")
    until(page, "document.querySelector('[name=frame]').value === '4'")
    until(page, "document.querySelector('[name=frame]').value === '0'")
    page.click("[data-part=play]")
    settled(page)
    assert page.inner_text("[data-part=play]") == "Play"
    page.locator("[name=frame]").focus()
    page.keyboard.press("End")
    drawn(page, z=1, frame=4)


def test_the_profile_is_the_line_that_is_drawn_over_time(series_page: Path, show: Any) -> None:
    page = show(series_page)
    drawn(page, z=1)
    series = images(2, 5)["target"][1, 0].abs().numpy()
    row = int(page.locator(".over .track").first.get_attribute("y1").partition(".")[0])
    expected = grey(series[:, row].T, 0, SCAN.white)
    assert np.abs(profile_of(page)[..., 0] - expected).max() <= 1.5
    page.check("[name=tool][value=line]", force=True)
    box = page.locator("#stage .frame").first.bounding_box()
    x = box["x"] + box["width"] * 8.5 / SIZE
    page.mouse.move(x, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] / 2)
    page.mouse.move(x, box["y"] + box["height"] - 2)
    page.mouse.up()
    settled(page)
    expected = grey(series[:, :, 8].T, 0, SCAN.white)
    assert np.abs(profile_of(page)[..., 0] - expected).max() <= 1.5
    greedy = grey(images(2, 5)["greedy"][1, 0, :, :, 8].abs().numpy().T, 0, SCAN.white)
    assert np.abs(profile_of(page, 2)[..., 0] - greedy).max() <= 1.5
