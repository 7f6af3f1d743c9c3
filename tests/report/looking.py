"""What a browser shows of a page, as numbers."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PIXELS = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [canvas.height, canvas.width, Array.from(data)];
}"""


def pixels(page: Any, figure: int = 0, frame: int = 0, layer: int = 0) -> NDArray[np.uint8]:
    """(row, column, 3) of a canvas of the stage."""
    frames = page.locator("#stage .view").nth(figure).locator(".frame:not(.sampling), .profile")
    height, width, data = frames.nth(frame).locator("canvas").nth(layer).evaluate(_PIXELS)
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3]


def drawn(page: Any, scan: int = 0, z: int = 0, y: int = 12, x: int = 12, frame: int = 0) -> None:
    """Wait until that is shown."""
    place = f"{scan} {z} {y} {x} {frame}"
    page.wait_for_selector(f'#stage[data-drawn="{place}"]', state="attached")


def until(page: Any, expression: str, timeout: float = 20.0) -> None:
    """Wait until an expression of JavaScript holds; the page itself may not."""
    end = time.monotonic() + timeout
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.02)


def settled(page: Any) -> None:
    """Wait until the last change is drawn."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame("
        "() => setTimeout(done, 30))))"
    )


def grey(magnitude: NDArray[np.floating], low: float, high: float) -> NDArray[np.float64]:
    """0 to 255."""
    return (256 * (magnitude - low) / (high - low)).clip(0, 255)
