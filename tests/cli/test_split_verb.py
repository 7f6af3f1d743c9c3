import json
from pathlib import Path

import pytest
from tiny import tiny_scan

from gleam.cli import main
from gleam.data.example import find
from gleam.formats import write_scan


def test_prepare_divides_scans_by_subject(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    for subject in range(3):
        for visit in range(2):
            scan = tiny_scan(slices=1, seed=2 * subject + visit)
            write_scan(scan, scans / f"s{subject}" / f"s{subject}-{visit}.h5")
    command = ["prepare", str(scans), str(out), "--split", "60/0/40"]
    assert main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(" in ")[1] for line in said] == [str(out / "train"), str(out / "test")]
    sides = {side: {one.header.name for one in find(out / side, 1)} for side in ("train", "test")}
    assert sides["train"] | sides["test"] == {f"s{s}-{v}" for s in range(3) for v in range(2)}
    subjects = [{name[:2] for name in names} for names in sides.values()]
    assert not subjects[0] & subjects[1]
    assert not (out / "validation").exists()
    assert main([*command, "--json"]) == 0
    assert {one["status"] for one in json.loads(capsys.readouterr().out)} == {"kept"}


def test_what_does_not_divide_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scan(tiny_scan(slices=1), tmp_path / "scan.h5")
    for options, said in (
        (["--split", "80/20"], "--split is like 80/10/10"),
        (["--split", "80/10/10"], "would get none of the 1 subjects"),
        (["--subject", "x"], "--subject and --seed are for --split"),
    ):
        assert main(["prepare", str(tmp_path / "scan.h5"), str(tmp_path / "out"), *options]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
