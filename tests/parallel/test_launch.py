"""Real processes: how they start, and what becomes of the others when one is stopped or killed."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ends import assert_same_end, last_step
from tiny import example_files, tiny_recipe
from torch.distributed import HashStore

from gleam import recipe as recipes
from gleam.errors import Stopped
from gleam.parallel import launch as launching
from gleam.recipe import Recipe
from gleam.runs.train import train


class Process(subprocess.Popen[str]):
    """One whose children can be told by their environment.

    Attributes:
        mark: the variable that they share.
    """

    mark: str


DEVICES = ["gleam", "train"]
TORCHRUN = ["torch.distributed.run", "--nproc-per-node"]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def recipe(examples: Path) -> Recipe:
    return tiny_recipe(
        examples, modules=3, steps=80, validate_every=20, checkpoint_every=10, keep=99
    )


@pytest.fixture(scope="module")
def undisturbed(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    train(recipe, folder)
    return folder


@pytest.fixture
def recipe_file(recipe: Recipe, tmp_path: Path) -> Path:
    recipes.save(recipe, tmp_path / "recipe.yaml")
    return tmp_path / "recipe.yaml"


@contextmanager
def started(*arguments: object) -> Iterator[Process]:
    """A module of Python's in a process; all that it starts must be gone when it ends."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, "-m", *map(str, arguments)]
    mark = f"TEST_MARK={random.getrandbits(64)}"
    environ["TEST_MARK"] = mark.partition("=")[2]
    with Process(command, stderr=subprocess.PIPE, text=True, env=environ) as process:
        process.mark = mark
        try:
            yield process
        finally:
            process.kill()
    assert not ranks(process)


def ranks(process: Process) -> dict[int, int]:
    """Process ids by rank, of those that train."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ = (folder / "environ").read_text().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        rank = next((word for word in environ if word.startswith("RANK=")), None)
        if rank and process.mark in environ:
            found[int(rank.removeprefix("RANK="))] = int(folder.name)
    return found


def wait_for(process: Process, folder: Path, step: int) -> None:
    """Until there is a checkpoint of this step or a later one."""
    while last_step(folder) < step:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)


def said(process: Process) -> list[str]:
    """What it wrote to stderr, without progress and warnings."""
    assert process.stderr is not None
    progress = ("step ", "train: at work", "training ", "gleam: warning: ")
    return [line for line in process.stderr.read().splitlines() if not line.startswith(progress)]


def test_killed_process_is_named(recipe_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with started(*DEVICES, recipe_file, "--out", folder, "--devices", 2) as process:
        wait_for(process, folder, 10)
        os.kill(ranks(process)[1], signal.SIGKILL)
        assert process.wait(60) == 1
        (line,) = said(process)
    killed = r"gleam: process 1 \(counted from 0\) was lost at step (\d+)"
    got = re.fullmatch(rf"{killed}; go on with: gleam train --resume {folder}", line)
    assert got
    assert 10 < int(got[1]) <= 80
    assert last_step(folder) < int(got[1])


def test_first_process_that_hangs_does_not_keep_the_launcher(tmp_path: Path) -> None:
    """It hangs for good; the others have failed, and are named."""
    hang = tmp_path / "hang.py"
    hang.write_text(
        "import os, signal, sys\n"
        "if os.environ['RANK'] == '0':\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
        "sys.exit(3)\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launching, "GRACE", 0.5)
        with pytest.raises(Stopped, match=r"process [12] .* ended with code 3"):
            launching.launch(3, [str(hang)])


@pytest.mark.parametrize(
    ("codes", "together"), [((0, 0), 0), ((1, 2), 2), ((2, 3), 2), ((3, 1), 3), ((0, -9), 1)]
)
def test_the_code_is_that_of_the_processes(
    codes: tuple[int, ...], together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad input (2) before all else; a process that died of a signal has no code of its own."""
    ended = tmp_path / "ended.py"
    ended.write_text(
        "import os\n"
        f"code = {codes}[int(os.environ['RANK'])]\n"
        "os._exit(code) if code >= 0 else os.kill(os.getpid(), -code)\n"
    )
    store = HashStore()
    store.set("reported", "1")
    monkeypatch.setattr(launching, "attempt_store", lambda _: store)
    monkeypatch.setattr(launching, "GRACE", 5.0)
    assert launching.launch(len(codes), [str(ended)]) == together


def test_signal_stops_all_at_one_step(recipe_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a run"
    with started(*DEVICES, recipe_file, "--out", folder, "--devices", 2) as process:
        wait_for(process, folder, 10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        (line,) = said(process)
    step = last_step(folder)
    assert 10 < step < 80
    assert line == f"gleam: stopped at step {step}; go on with: gleam train --resume '{folder}'"
    assert not list((folder / "checkpoints").glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_whichever_process_is_hit_nobody_hangs_and_the_checkpoint_is_whole(
    how: signal.Signals,
    rank: int,
    recipe: Recipe,
    recipe_file: Path,
    undisturbed: Path,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    arguments = [recipe_file, "--out", folder, "--devices", 3, "--timeout", 5]
    with started(*DEVICES, *arguments) as process:
        wait_for(process, folder, 10)
        os.kill(ranks(process)[rank], how)
        assert process.wait(60) == (143 if how == signal.SIGTERM else 1)
        (line,) = said(process)
    if how == signal.SIGTERM:
        assert line.startswith(f"gleam: stopped at step {last_step(folder)};")
    else:
        fate = "was lost" if how == signal.SIGKILL else "did not answer in time"
        assert line.startswith(f"gleam: process {rank} (counted from 0) {fate} at step ")
    train(recipe, folder, resume=True)
    assert_same_end(folder, undisturbed)


@pytest.mark.slow
def test_launcher_that_dies_takes_the_processes_with_it(
    recipe: Recipe, recipe_file: Path, undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with started(*DEVICES, recipe_file, "--out", folder, "--devices", 2) as process:
        wait_for(process, folder, 10)
        assert len(ranks(process)) == 2
        process.kill()
        process.wait()
        while ranks(process):  # for as long as a test may take
            time.sleep(0.1)
    train(recipe, folder, resume=True)
    assert_same_end(folder, undisturbed)


@pytest.mark.slow
def test_killed_twenty_times_with_restarts_it_ends_the_same(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        examples, modules=3, steps=260, validate_every=20, checkpoint_every=10, keep=99
    )
    recipes.save(recipe, tmp_path / "recipe.yaml")
    folder, chance = tmp_path / "run", random.Random(0)
    arguments = [3, "--standalone", "--max-restarts", 20, "-m", "gleam", "train"]
    with started(*TORCHRUN, *arguments, tmp_path / "recipe.yaml", "--out", folder) as process:
        for kill in range(20):
            wait_for(process, folder, 10 * kill + 10)
            time.sleep(chance.uniform(0, 0.1))
            while len(alive := ranks(process)) < 3:
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.01)
            os.kill(alive[chance.randrange(3)], signal.SIGKILL)
        assert process.wait(120) == 0
    train(recipe, tmp_path / "undisturbed")
    assert_same_end(folder, tmp_path / "undisturbed")
