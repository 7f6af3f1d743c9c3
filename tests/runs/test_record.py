"""What a run tells of itself while it trains."""

from pathlib import Path

import pytest
from tiny import example_files, tiny_recipe, trained_on

from gleam.errors import Diverged
from gleam.parallel.neighbours import Note
from gleam.runs import checkpoint, journal, record
from gleam.runs import folder as run_folder
from gleam.runs.events import Event, read_events
from gleam.runs.pace import in_words
from gleam.runs.stages import train_in_stages


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


def kinds(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.kind, event.step) for event in events]


def test_events_say_what_the_run_wrote(examples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_in_stages(tiny_recipe(examples), folder, quiet=True)
    events = read_events(folder)
    assert kinds([events[0], events[-1]]) == [("start", 0), ("end", 6)]
    assert dict(events[0].values) == {
        "device": "the CPU, 1 thread", "precision": "fp32", "graph": False, "threads": 1,
        "processes": 1, "steps": 6,
    }  # fmt: skip
    assert events[-1].values["reason"] == "finished"
    assert [step for kind, step in kinds(events) if kind == "validation"] == [3, 6]
    assert {2, 4, 6} <= {step for kind, step in kinds(events) if kind == "checkpoint"}
    rows = {
        (f"{row.metric}/{row.index}", row.step, row.value)
        for row in run_folder.read_metrics(folder)
    }
    told = [number for event in events for number in event.numbers()]
    assert {number for number in told if not number[0].startswith("speed/")} == rows
    speeds = {name for name, *_ in told if name.startswith("speed/")}
    assert {"speed/ms_per_step", "speed/slices_per_second", "speed/waiting"} <= speeds
    summary = run_folder.read_summary(folder)
    assert events[-1].values["ms_per_step"] == pytest.approx(1e3 * summary["seconds_per_step"])
    assert events[-1].values["slices_per_second"] == summary["slices_per_second"] > 0
    assert 0 <= summary["waiting"] < 1


def test_resumed_run_forgets_what_it_will_do_again(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, keep = tmp_path / "run", record.Record.keep

    def lost(self: record.Record) -> None:
        if self.progress.step > 4:
            raise RuntimeError("no more")
        keep(self)

    monkeypatch.setattr(record.Record, "keep", lost)
    recipe = tiny_recipe(examples)
    with pytest.raises(RuntimeError):
        train_in_stages(recipe, folder, quiet=True)
    before = read_events(folder)
    assert before[-1].values["reason"] == "failed"
    assert before[-1].values["text"] == "no more"
    assert before[-1].step > 4
    monkeypatch.undo()
    train_in_stages(recipe, folder, resume=True, quiet=True)
    after = read_events(folder)
    assert [e for e in before if e.step <= 4] == after[: sum(e.step <= 4 for e in before)]
    steps = [step for event in after for step, module, _ in event.losses if module == 0]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert after[-1].values["reason"] == "finished"


def test_the_best_is_the_first_that_no_later_one_beats(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path)
    run_folder.begin(tmp_path / "run", recipe, "", trained_on(recipe))
    place = record.Hardware("the CPU", "fp32", graph=False, threads=1, processes=1)
    kept = record.recorded(
        tmp_path / "run", recipe, 1, {}, 0, checkpoint.RunProgress(), place, quiet=True
    )
    with kept as one:
        best = [
            one.add(Note(losses={0: 1.0}, psnr={2: psnr} if psnr else {}), 0.5)
            for psnr in (30.0, 30.0, 29.0, None, 31.0, 31.0)
        ]
        assert best == [True, False, False, False, True, False]
        assert (one.progress.step, one.progress.seconds) == (6, 3.0)
        assert (one.progress.best_step, one.progress.best_psnr) == (5, 31.0)
        assert not one.add(Note(failure=("loss", 0), psnr={2: 40.0}), 0.5)
        assert one.progress.best_step == 5


def test_a_run_that_diverges_says_so_at_its_end(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(examples, learning_rate=1e30, steps=9)
    with pytest.raises(Diverged) as error:
        train_in_stages(recipe, tmp_path / "run", quiet=True)
    last = read_events(tmp_path / "run")[-1]
    assert (last.kind, last.values["reason"]) == ("end", "diverged")
    assert last.values["text"] == str(error.value)


def test_graphs_that_were_given_up_are_said_once(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = record.Hardware("a GPU", "tf32", graph=True, threads=1, processes=1)
    monkeypatch.setattr(journal, "_hardware", lambda _: place)
    train_in_stages(tiny_recipe(examples, steps=2), tmp_path / "run", quiet=True)
    events = read_events(tmp_path / "run")
    assert [event.kind for event in events].count("warning") == 1
    assert run_folder.read_summary(tmp_path / "run")["graph"] is False


def test_how_it_went_in_words() -> None:
    old = {"seconds_per_step": 0.0314, "peak_memory_bytes": 2**20}
    assert in_words(old) == "31.4 ms per step, 1 MiB at most"
    place = {"device": "a GPU (cuda:0)", "precision": "bf16", "graph": True}
    new = old | place | {"slices_per_second": 129.4, "waiting": 0.026}
    assert in_words(new) == (
        "on a GPU (cuda:0), in bf16, as CUDA graphs: 31.4 ms per step, 129 slices per second, "
        "3 % of the time waiting for data, 1 MiB at most"
    )
