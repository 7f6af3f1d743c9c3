import json
from pathlib import Path

import pytest

from gleam.errors import BadInput
from gleam.preparation.split import SIDES, divide, shares, subjects

THIRDS = (1 / 3, 1 / 3, 1 / 3)


def files(folder: Path, *names: str) -> list[Path]:
    """Files, each with a content of its own, but all of one size."""
    made = [folder / name for name in names]
    for file in made:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(str(file.relative_to(folder)).ljust(64).encode())
    return made


def many(folder: Path, count: int = 60) -> list[Path]:
    return files(folder, *(f"s{i:02d}/scan-{i:02d}-{j}.h5" for i in range(count) for j in (0, 1)))


def sides(divided: dict[str, list[Path]]) -> dict[str, str]:
    """The side of each file, by name."""
    return {file.name: side for side, own in divided.items() for file in own}


@pytest.mark.parametrize(
    "said", ["80/10", "80/10/10/0", "0/0/0", "a/b/c", "80-10-10", "-1/1/1", ""]
)
def test_shares_are_three_numbers(said: str) -> None:
    with pytest.raises(BadInput, match="like 80/10/10"):
        shares(said)


def test_shares_add_up_to_one() -> None:
    assert shares("80/10/10") == (0.8, 0.1, 0.1)
    assert shares("3/1/0") == (0.75, 0.25, 0)


def test_a_subject_is_the_folder_below_the_one_given_or_the_file(tmp_path: Path) -> None:
    made = files(tmp_path / "in", "anna/a.h5", "anna/late/b.h5", "ben/c.h5", "dora.h5")
    files(tmp_path / "in", "anna/.d.h5", "anna/notes.txt", "out/train/a.h5")
    found = subjects([tmp_path / "in"], tmp_path / "in" / "out")
    assert found == dict(zip(made, ["anna", "anna", "ben", "dora"], strict=True))
    assert subjects([made[0]], tmp_path) == {made[0]: "a"}


def test_a_subject_is_what_the_pattern_finds(tmp_path: Path) -> None:
    made = files(tmp_path, "x/sub-1_run-1.h5", "y/sub-1_run-2.h5", "y/sub-2.h5")
    grouped = subjects([tmp_path], tmp_path / "out", r"sub-(\d+)")
    assert grouped == dict(zip(made, "112", strict=True))
    whole = subjects([tmp_path], tmp_path / "out", r"sub-\d")
    assert [*whole.values()] == ["sub-1", "sub-1", "sub-2"]
    with pytest.raises(BadInput, match=r"x/sub-1_run-1\.h5: --subject ses-.* finds no subject"):
        subjects([tmp_path], tmp_path / "out", r"ses-\d")
    with pytest.raises(BadInput, match="no regular expression"):
        subjects([tmp_path], tmp_path / "out", "(")


def test_scans_of_a_subject_stay_together_and_shares_are_about_right(tmp_path: Path) -> None:
    many(tmp_path)
    scans = subjects([tmp_path], tmp_path / "out")
    divided = divide(scans, (0.8, 0.1, 0.1), 0, tmp_path / "out")
    assert sorted(file for own in divided.values() for file in own) == sorted(scans)
    where = {side: {scans[file] for file in own} for side, own in divided.items()}
    assert sum(map(len, where.values())) == len(set(scans.values())) == 60
    assert 38 <= len(where["train"]) <= 56
    other = divide(scans, (0.8, 0.1, 0.1), 1, tmp_path / "out")
    assert sides(other) != sides(divided)


def test_scans_that_are_added_move_no_other(tmp_path: Path) -> None:
    some = subjects(many(tmp_path)[:80], tmp_path / "out", r"-(\d+)-")
    before = sides(divide(some, THIRDS, 0, tmp_path / "out"))
    after = sides(divide(subjects([tmp_path], tmp_path / "out", r"-(\d+)-"), THIRDS, 0, tmp_path))
    assert len(after) > len(before)
    assert after | before == after


def test_copies_of_a_scan_are_never_on_two_sides(tmp_path: Path) -> None:
    made = many(tmp_path)
    scans = subjects([tmp_path], tmp_path / "out")
    for first, second in zip(made[::4], made[2::4], strict=True):  # of another subject
        second.write_bytes(first.read_bytes())
    where = sides(divide(scans, THIRDS, 0, tmp_path / "out"))
    for first, second, of_first, of_second in zip(*(made[i::4] for i in (0, 2, 1, 3)), strict=True):
        four = {where[file.name] for file in (first, second, of_first, of_second)}
        assert len(four) == 1


def test_a_side_without_scans_is_refused_and_one_without_a_share_gets_none(tmp_path: Path) -> None:
    one = subjects(files(tmp_path, "a.h5"), tmp_path)
    with pytest.raises(BadInput, match="would get none of the 1 subjects; give another --seed"):
        divide(one, THIRDS, 0, tmp_path)
    assert divide(one, (0.0, 0.0, 1.0), 0, tmp_path) == {"test": [tmp_path / "a.h5"]}


def test_what_lies_on_another_side_from_before_is_refused(tmp_path: Path) -> None:
    scans, out = subjects(many(tmp_path / "in"), tmp_path / "out"), tmp_path / "out"
    divided = divide(scans, THIRDS, 0, out)
    for side in SIDES:
        (out / side).mkdir(parents=True)
        lines = [json.dumps({"source": f.name, "status": "prepared"}) for f in divided[side]]
        (out / side / "manifest.jsonl").write_text("\n".join(lines))
    assert divide(scans, THIRDS, 0, out) == divided
    with pytest.raises(BadInput, match=r"belongs to .* now, but was prepared into .* before; give"):
        divide(scans, THIRDS, 1, out)
