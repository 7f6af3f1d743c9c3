"""A run that is watched while it trains."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looking import until
from tiny import tiny_recipe

from gleam import recipe as recipes
from gleam.errors import BadInput
from gleam.report.served import Served
from gleam.report.watch import answers
from gleam.runs.album import Album
from gleam.runs.events import Event, EventLog


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder whose training has come to step 20 of 40."""
    recipes.save(tiny_recipe(tmp_path, steps=40), tmp_path / "recipe.yaml")
    log = EventLog(tmp_path)
    log.log(Event("start", 0, {"device": "the CPU", "precision": "fp32", "steps": 40}))
    losses = {str(module): [1.0 / (step + 1) for step in range(20)] for module in (0, 1)}
    pace = {"ms_per_step": 3000.0, "slices_per_second": 2.0, "waiting": 0.25}
    log.log(Event("steps", 20, {"losses": losses, "peak_memory_bytes": 3 * 2**20} | pace))
    return tmp_path


def validated(run: Path, step: int, psnr: float) -> None:
    EventLog(run).log(Event("validation", step, {"psnr": {"0": psnr - 1, "1": psnr}}))
    Album(run).log(Event("image", step, {"image": np.full((8, 24), 100, np.uint8)}))


def events(run: Path, start: int) -> dict[str, Any]:
    found = answers(run)["events"]({"from": str(start)})
    assert found is not None
    return json.loads(found[1])


def test_lines_come_as_they_are_written(run: Path) -> None:
    first = events(run, 0)
    assert [line["event"] for line in first["lines"]] == ["start", "steps"]
    assert events(run, first["next"])["lines"] == []
    with (run / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "warning", "step": 20, "time"')
    assert events(run, first["next"])["lines"] == []  # not whole yet
    with (run / "events.jsonl").open("ab") as file:
        file.write(b': 1, "text": "hm"}\n')
    (line,) = events(run, first["next"])["lines"]
    assert line["text"] == "hm"


def test_a_log_that_was_written_anew_is_read_from_its_beginning(run: Path) -> None:
    before = events(run, 0)["next"]
    (run / "events.jsonl").write_text('{"event": "start", "step": 0, "time": 1}\n')
    again = events(run, before)
    assert again["from"] == 0
    assert [line["event"] for line in again["lines"]] == ["start"]


def test_only_pictures_of_the_run_are_given(run: Path) -> None:
    validated(run, 20, 30.0)
    answer = answers(run)["picture"]
    found = answer({"step": "20"})
    assert found is not None
    assert found[0] == "image/png"
    for other in ("21", "-1", "../recipe.yaml", ""):
        assert answer({"step": other}) is None
    assert answers(run)["events"]({"from": "-5"}) is None


def test_a_folder_that_is_no_run_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a run"):
        answers(tmp_path)


def test_the_page_goes_on_with_the_run(run: Path, show: Any) -> None:
    validated(run, 10, 28.0)
    with Served(answers(run)) as served:
        page = show(served.url, pictured=False)
        until(
            page, "document.getElementById('now').textContent.includes('Step 20 of 40, 60 s left')"
        )
        facts = page.inner_text("#facts")
        assert "3 MiB" in facts
        assert "25 %" in facts
        assert page.locator("#losses [aria-label=line]").count() == 2
        until(page, "document.getElementById('picture').naturalWidth === 24")
        validated(run, 20, 29.5)
        flat = {"module": 1, "text": "module 1 learns no more"}
        EventLog(run).log(Event("plateau", 20, flat))
        EventLog(run).log(Event("end", 20, {"reason": "stopped", "text": "by hand"}))
        until(page, "document.getElementById('now').textContent.includes('stopped (by hand)')")
        assert "29.50 dB" in page.inner_text("#facts")
        assert page.inner_text("#lines") == "step 20: module 1 learns no more"
        assert page.inner_text("#validation output") == "20, 29.50 dB"
        page.locator("#when").focus()
        page.keyboard.press("Home")
        until(page, "document.querySelector('#validation output').textContent === '10, 28.00 dB'")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440
        page.close()  # before the server: an image that is still on its way would fail
