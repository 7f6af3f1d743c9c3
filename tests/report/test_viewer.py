"""The controls of the viewer, with mouse, touch and keyboard, in a browser."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from browser import PHONE
from looking import drawn, grey, pixels, settled, until
from toy_pages import evaluation, images

from gleam.report.evaluation import write_report

SCAN = evaluation(scans=1).pictures[0]


def centre(page: Any, selector: str = "#stage .frame canvas") -> tuple[float, float]:
    box = page.locator(selector).first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Any, dx: float, dy: float, selector: str = "#stage .frame canvas") -> None:
    x, y = centre(page, selector)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 2)
    page.mouse.move(x + dx, y + dy)
    page.mouse.up()
    settled(page)


def transforms(page: Any) -> set[str]:
    found = page.locator("#stage .frame canvas").evaluate_all(
        "(all) => all.map((one) => one.style.transform)"
    )
    return set(found)


def test_pictures_are_the_images_in_one_window(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    drawn(page, z=2)
    made = images(4)
    for figure, name in enumerate(("target", "zero-filled", "greedy")):
        expected = grey(made[name][2, 0, 0].abs().numpy(), 0, SCAN.white)
        assert np.abs(pixels(page, figure)[..., 0] - expected).max() <= 1.5


def test_errors_are_complex_and_at_the_gain_that_is_said(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    page.select_option("[name=gain]", "5")
    settled(page)
    assert "error, 5× as bright as the images" in page.inner_text("[data-part=scale]")
    assert "20 % of white" in page.inner_text("[data-part=scale]")
    made = images(4)
    error = (made["zero-filled"] - made["target"])[2, 0, 0].abs().numpy()
    colours = matplotlib.colormaps["inferno"]((grey(error, 0, SCAN.white / 5) / 255).clip(0, 1))
    assert np.abs(pixels(page, 1, 1) / 255 - colours[..., :3]).mean() < 0.01
    page.keyboard.press("]")
    settled(page)
    assert page.input_value("[name=gain]") == "10"


def test_phase_is_shown_as_a_colour_around_the_circle(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    page.check("[name=what][value=phase]", force=True)
    settled(page)
    found = pixels(page)
    assert (found[0, 2] == found[20, 2]).all()  # the toys' phase is that of x alone
    assert np.abs(found[0, 2].astype(int) - found[0, 20]).max() > 60


def test_slices_by_wheel_key_and_slider(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    drawn(page, z=2)
    page.mouse.move(*centre(page))
    page.mouse.wheel(0, 100)
    drawn(page, z=3)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    drawn(page, z=1)
    page.keyboard.press("Home")
    drawn(page, z=0)
    assert "2 of 4" not in page.inner_text("[data-part=slice]")
    page.locator("[name=slice]").focus()
    page.keyboard.press("ArrowRight")
    drawn(page, z=1)
    assert "1 (2 of 4)" in page.inner_text("[data-part=slice]")
    assert "28.10 dB · SSIM 0.7025" in page.inner_text("#stage .view:nth-child(3)")
    until(page, "document.querySelector('[role=status]').textContent.includes('scan-0, slice 1')")


def test_the_last_slice_lets_the_wheel_scroll_the_page(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    page.keyboard.press("End")
    drawn(page, z=3)
    page.mouse.move(*centre(page))
    page.mouse.wheel(0, 200)
    until(page, "scrollY > 100")


def test_keys_mean_the_pictures_after_a_control_was_clicked(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    page.locator("label", has_text="Error").first.click()
    page.keyboard.press("ArrowUp")
    drawn(page, z=1)
    assert page.is_checked("[name=what][value=error]")
    page.locator("[name=what][value=error]").focus()
    page.keyboard.press("ArrowLeft")
    settled(page)
    assert page.is_checked("[name=what][value=image]")  # by keys, the control is used


def test_every_scan_can_be_opened(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    page.select_option("[name=scan]", label="scan-2")
    drawn(page, scan=2, z=2)
    expected = images(4, seed=2)["greedy"][2, 0, 0].abs().numpy()
    white = evaluation().pictures[2].white
    assert np.abs(pixels(page, 2)[..., 0] - grey(expected, 0, white)).max() <= 1.5
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("n")
    drawn(page, scan=0, z=2)
    page.keyboard.press("p")
    drawn(page, scan=2, z=2)


def test_the_window_is_dragged_and_is_one_for_all(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    drag(page, 60, 0)
    width = float(page.input_value("[name=white]")) - float(page.input_value("[name=black]"))
    assert width > 110
    drag(page, 0, 60)
    assert float(page.input_value("[name=black]")) > 0
    low, high = (float(page.input_value(f"[name={name}]")) / 100 for name in ("black", "white"))
    made = images(4)
    for figure, name in enumerate(("target", "zero-filled", "greedy")):
        expected = grey(made[name][2, 0, 0].abs().numpy(), low * SCAN.white, high * SCAN.white)
        assert np.abs(pixels(page, figure)[..., 0] - expected).max() <= 4
    page.click("text=Reset")
    settled(page)
    assert page.input_value("[name=white]") == "100"
    page.keyboard.press("c")
    settled(page)
    assert float(page.input_value("[name=white]")) == 105


def test_a_window_can_be_typed(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    page.fill("[name=white]", "50")
    settled(page)
    expected = grey(images(4)["target"][2, 0, 0].abs().numpy(), 0, SCAN.white / 2)
    assert np.abs(pixels(page)[..., 0] - expected).max() <= 2


def test_zoom_is_linked_and_stays_under_the_pointer(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    x, y = centre(page)
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    settled(page)
    (one,) = transforms(page)
    assert "scale(1.9" in one
    assert page.locator("[name=slice]").input_value() == "2"  # only zoomed
    box = page.locator("#stage .frame canvas").first.bounding_box()
    assert box["x"] + box["width"] / 2 == pytest.approx(x, abs=1)
    page.check("[name=tool][value=move]", force=True)
    drag(page, 50, 30, "#stage .frame")
    (moved,) = transforms(page)
    assert moved != one
    page.keyboard.press("0")
    settled(page)
    assert transforms(page) == {"translate(0%, 0%) scale(1)"}


def test_two_methods_are_swiped(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    page.keyboard.press("s")
    settled(page)
    assert page.locator("#stage .view").count() == 1
    page.select_option("[name=a]", label="zero-filled")
    settled(page)
    assert page.locator("#stage .name").all_inner_texts()[0].startswith("A: zero-filled")
    clip = page.locator("#stage .layer").nth(1)
    assert "50%" in clip.evaluate("(one) => one.style.clipPath")
    drag(page, 100, 0, "#stage .frame")
    share = float(page.input_value("[name=split]"))
    assert 60 < share < 75
    page.locator("[name=split]").focus()
    page.keyboard.press("Home")
    settled(page)
    assert "inset(0" in clip.evaluate("(one) => one.style.clipPath")
    assert page.input_value("[name=split]") == "0"
    page.keyboard.press("g")
    settled(page)
    assert page.locator("#stage .view").count() == 3


def test_two_methods_flicker_on_a_key(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    seen = "(all) => all.map((one) => one.style.visibility)"
    for expected in (["", "hidden"], ["hidden", ""], ["", "hidden"]):
        page.keyboard.press("f")
        settled(page)
        layers = page.locator("#stage .frame").first.locator(".layer")
        assert layers.evaluate_all(seen) == expected
    page.keyboard.press("2")
    settled(page)
    assert page.locator("#stage .name").nth(1).inner_text().startswith("B: zero-filled")
    page.check("[name=flicker]")
    layers = page.locator("#stage .frame").first.locator(".layer")
    visible = "document.querySelector('#stage .layer').style.visibility"
    was = page.evaluate(visible)
    until(page, f"{visible} !== '{was}'")
    page.keyboard.press("g")
    settled(page)
    page.wait_for_timeout(700)  # longer than a turn
    assert page.locator("#stage .view").count() == 3
    assert not page.is_checked("[name=flicker]")


def test_a_phone_scrolls_slices_by_a_finger_and_zooms_by_two(slices_page: Path, show: Any) -> None:
    page = show(slices_page, PHONE, touch=True)
    x, y = centre(page)
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": px, "y": py, "id": k} for k, (px, py) in enumerate(points)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (x, y))
    for step in range(1, 6):
        touch("touchMove", (x - 10 * step, y))
    touch("touchEnd")
    drawn(page, z=3)
    touch("touchStart", (x - 20, y), (x + 20, y))
    touch("touchMove", (x - 40, y), (x + 40, y))
    touch("touchEnd")
    settled(page)
    (zoomed,) = transforms(page)
    assert "scale(2)" in zoomed


def test_the_plot_leads_to_the_slice_and_to_the_scan(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    plot = page.locator("[data-plot=slices] svg").first
    plot.scroll_into_view_if_needed()
    dots = plot.locator("[aria-label=dot] circle")
    assert dots.count() == 2 * 4
    box = dots.nth(0).bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.mouse.click(box["x"] + 3, box["y"] + 3)
    drawn(page, z=0)
    page.select_option("[name=metric]", "ssim")
    assert "SSIM" in plot.text_content()
    plot = page.locator("[data-plot=scans] svg").first
    plot.scroll_into_view_if_needed()
    dots = plot.locator("[aria-label=dot] circle")
    assert dots.count() == 2 * 3
    box = dots.nth(2).bounding_box()  # of the first method, the second scan
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.mouse.click(box["x"] + 3, box["y"] + 3)
    drawn(page, scan=1, z=2)


def test_keys_are_listed_and_light_and_dark_can_be_chosen(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("ArrowDown")  # nothing happens behind the list
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    drawn(page, z=2)
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    page.click("#theme")
    assert page.evaluate(colour) == "rgb(20, 24, 28)"


def test_keys_do_not_work_where_something_is_typed(slices_page: Path, show: Any) -> None:
    page = show(slices_page)
    page.locator("[name=white]").focus()
    page.keyboard.press("0")
    page.keyboard.press("ArrowUp")
    settled(page)
    assert page.locator("[name=slice]").input_value() == "2"


def test_a_page_without_pictures_has_its_plots(tmp_path: Path, show: Any) -> None:
    found = evaluation()
    found.pictures.clear()
    write_report(tmp_path / "r.html", found)
    page = show(tmp_path / "r.html", pictured=False)
    for kind in ("scans", "curves"):
        page.wait_for_selector(f"[data-plot={kind}] svg", state="attached")
    paths = page.locator("[data-plot=curves] svg [aria-label=line] path")
    box = paths.first.bounding_box()
    assert box["width"] > 300  # from the first iteration to the last
    assert box["height"] > 50
