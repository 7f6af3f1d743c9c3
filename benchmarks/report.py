"""Time to the first picture of a report of 200 slices, in headless Chromium.

    python -m benchmarks.report --size 160 --methods 4

The page is made of random complex images, which pack worst. Printed are the bytes of its files, the
seconds from opening to the first picture, and those from a key to the next slice; medians of five.
Needs playwright (the extra `dev`) and Chromium.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from gleam.evaluation.examples import pictured
from gleam.evaluation.result import Evaluation
from gleam.evaluation.scores import Score
from gleam.report.evaluation import write_report

SCANS, SLICES = 20, 10  # 200 slices


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=64, help="rows and columns of a slice")
    parser.add_argument("--methods", type=int, default=4, help="beside the target")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        paths = write_report(Path(folder) / "report.html", noise(a.size, a.methods))
        written = time.perf_counter() - start
        sizes = ", ".join(f"{path.stat().st_size / 1e6:.1f}" for path in paths)
        print(f"{SCANS * SLICES} slices of {a.size}², {a.methods} methods: {sizes} MB")
        print(f"written in {written:.1f} s")
        first, following = opened(paths[0])
        print(f"first picture after {first:.2f} s, next slice after {following:.3f} s")


def noise(size: int, methods: int) -> Evaluation:
    """Noise as images, and scores."""
    names = [f"method {k}" for k in range(methods)]
    psnr = {name: [30.0] for name in names}
    found = Evaluation(names, [], [], [], psnr, dict.fromkeys(names, 0.1), [])
    for number in range(SCANS):
        scan = f"scan-{number:02}"
        made = {name: random(size) for name in names}
        found.pictures.append(pictured(scan, range(SLICES), random(size), made))
        for name in names:
            found.slices.extend(score(name, scan, z) for z in range(SLICES))
            found.scans.append(score(name, scan, None))
    return found


def random(size: int) -> torch.Tensor:
    return torch.randn(SLICES, 1, 1, size, size, dtype=torch.complex64)


def score(method: str, scan: str, slice: int | None) -> Score:
    return Score(method, scan, slice, 30.0, 31.0, 0.01, 0.9)


def opened(path: Path, turns: int = 5) -> tuple[float, float]:
    """Seconds to the first picture, and to the next slice."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    first, following = [], []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(turns):
            page = browser.new_page()
            first.append(
                drawn(page, lambda page=page: page.goto(path.as_uri(), wait_until="commit"))
            )
            page.wait_for_load_state()
            following.append(drawn(page, lambda page=page: page.keyboard.press("ArrowUp"), "0 4"))
            page.close()
        browser.close()
    return median(first), median(following)


def drawn(page: Any, act: Callable[[], object], place: str = "0") -> float:
    """Seconds from an act until a place is drawn."""
    start = time.perf_counter()
    act()
    page.wait_for_selector(f'#stage[data-drawn^="{place} "]', state="attached")
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
