import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gleam.errors import BadInput
from gleam.preparation.jobs import Outcome
from gleam.preparation.manifest import recorded

FOLDER = Path("/data/MUSTERMANN_ERIKA")
PREPARED = Outcome(FOLDER / "b.h5", "prepared", None, (2, 3, 1, 24, 20), "b0", ("odd",))
KEPT = Outcome(FOLDER / "b.h5", "kept", None, (2, 3, 1, 24, 20), "b0", ("odd",))
SKIPPED = Outcome(FOLDER / "a.cfl", "skipped", "too bad", None, "a0")

LINES = [
    {"source": "a.cfl", "part": "", "status": "skipped", "reason": "too bad", "shape": None,
     "sha256": "a0", "warnings": []},
    {"source": "b.h5", "part": "", "status": "prepared", "reason": None, "shape": [2, 3, 1, 24, 20],
     "sha256": "b0", "warnings": ["odd"]},
]  # fmt: skip


def manifest(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def record(out: Path, *outcomes: Outcome) -> None:
    assert list(recorded(outcomes, out)) == list(outcomes)


def test_one_line_for_every_scan_in_the_order_of_their_names(tmp_path: Path) -> None:
    record(tmp_path, PREPARED, SKIPPED)
    assert manifest(tmp_path) == LINES
    assert "ERIKA" not in (tmp_path / "manifest.jsonl").read_text()
    record(tmp_path, KEPT)
    assert manifest(tmp_path) == LINES
    repaired = Outcome(SKIPPED.source, "prepared", None, (1, 1, 1, 4, 4), "a1")
    record(tmp_path, repaired)
    assert [line["status"] for line in manifest(tmp_path)] == ["prepared", "prepared"]


def test_line_is_there_before_its_outcome_is_passed_on(tmp_path: Path) -> None:
    for count, _ in enumerate(recorded([PREPARED, SKIPPED, KEPT], tmp_path), 1):
        assert len(manifest(tmp_path)) == count
    assert manifest(tmp_path) == LINES


def test_what_a_killed_run_leaves_is_tidied(tmp_path: Path) -> None:
    def killed() -> Iterator[Outcome]:
        yield SKIPPED
        yield PREPARED
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(recorded(killed(), tmp_path))
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write('{"source": "c.h5", "sta')
    record(tmp_path, KEPT)
    assert manifest(tmp_path) == LINES


@pytest.mark.parametrize("content", [b"mine\n", b"3\n", b"{}\n", b"[]\n", b"\xff\n", b"\n"])
def test_what_is_no_manifest_is_not_overwritten(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_bytes(content)
    with pytest.raises(BadInput, match="is no manifest"):
        record(tmp_path, PREPARED)
    assert (tmp_path / "manifest.jsonl").read_bytes() == content


def test_names_that_are_not_text_are_written(tmp_path: Path) -> None:
    name = b"caf\xe9.h5".decode(errors="surrogateescape")
    record(tmp_path, Outcome(tmp_path / name, "skipped", f"{name}: broken"))
    assert manifest(tmp_path)[0]["source"] == name


def test_parts_have_a_line_each_until_there_are_others(tmp_path: Path) -> None:
    coronal, sagittal = (replace(PREPARED, part=part) for part in ("coronal", "sagittal"))
    record(tmp_path, SKIPPED, sagittal, coronal)
    assert [line["part"] for line in manifest(tmp_path)] == ["", "coronal", "sagittal"]
    record(tmp_path, KEPT)
    assert manifest(tmp_path) == LINES
