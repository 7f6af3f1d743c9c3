"""What runs the pages notices what is wrong on one."""

import subprocess
from pathlib import Path

import pytest
from blocks import blocks
from shell import parse, perform, small, typed

from gleam.errors import BadInput

PAGE = """
```sh
gleam inspect scan.h5
```

<!-- not run: needs a cluster -->
```sh
srun gleam train recipe.yaml
```

```console
$ gleam inspect a.h5
a.h5
```
"""


def test_a_page_is_taken_apart(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    run, marked, shown = blocks(page)
    assert (run.where, run.script, run.why) == ("page.md:3", "gleam inspect scan.h5\n", None)
    assert (marked.why, marked.language) == ("needs a cluster", "sh")
    assert shown.script == "gleam inspect a.h5"


def test_bash_expands_what_is_typed(tmp_path: Path) -> None:
    script = 'for s in a "b c"; do gleam prepare scans/$s \\\n  prepared; done # all of them'
    assert typed(script, tmp_path) == [
        ["gleam", "prepare", "scans/a", "prepared"],
        ["gleam", "prepare", "scans/b", "c", "prepared"],
    ]


@pytest.mark.parametrize("script", ["curl example.org", "ssh there", "git clone x", "if"])
def test_other_programs_are_not_run(script: str, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        typed(script, tmp_path)


def test_a_command_that_fails_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match=r"gleam inspect nowhere\.h5"):
        perform(["gleam", "inspect", "nowhere.h5"], slow=False, unmade=set())
    perform(["gleam", "inspect", "nowhere.h5"], slow=False, unmade={"nowhere.h5"})
    with pytest.raises(AssertionError):
        perform(["pip", "install", "-e", ".[nothing]"], slow=False, unmade=set())
    with pytest.raises(AssertionError):
        perform(["make", "coffee"], slow=False, unmade=set())


def test_what_is_not_run_is_parsed() -> None:
    parse("#SBATCH --job-name=gleam train\nexec gleam train --seed $SLURM_ARRAY_TASK_ID --out x")
    with pytest.raises(BadInput, match="--sed: no such option"):
        parse("then exec gleam train --sed 3 --out x")
    with pytest.raises(ModuleNotFoundError):
        parse("srun gleam learn recipe.yaml")


def test_sizes_are_for_tests() -> None:
    said = ["volumes", "--scans", "40", "--shape", "96", "96", "8", "--seed", "71"]
    assert [*small("simulate", said)] == [
        "volumes", "--scans", "2", "--shape", "24", "20", "8", "--seed", "71", "--coils", "3", "3",
    ]  # fmt: skip
    assert [*small("train", ["recipe.yaml", "--dry-run"])] == ["recipe.yaml", "--dry-run"]
