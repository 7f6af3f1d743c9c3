"""Commands of a page: what a shell makes of them, made small, and run in this process."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import pairwise, takewhile
from pathlib import Path

from gleam.cli import main, options
from gleam.comparison import plan

ROOT = Path(__file__).parents[2]
KNOWN = ("gleam", "pip", "python", "python3", "make", "torchrun", "tensorboard", "pre-commit")
SYSTEM = ("cat", "cp", "head", "ls", "mkdir", "mv", "seq")
RECORD = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["RECORD"], "a") as out:
    print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]), file=out)
"""
SLOW = {"compare", "demo", "evaluate", "export", "plan", "report", "serve", "watch"}
FEW_STEPS = ["--training.steps", "2", "--training.warmup", "1", "--training.validate-every", "2"]
NARROW = ["--network.regulariser.width", "4", "--network.regulariser.blocks", "1"]
FEWER = ["--network.cg-steps", "2", "--mask.acceleration", "2"]


def typed(script: str, folder: Path) -> list[list[str]]:
    """The commands that a script runs, as bash expands them; none of them is run.

    Loops, variables and continued lines are bash's. Of other programs there are those of `SYSTEM`
    alone: a script that needs more fails.
    """
    programs, record = folder / ".venv" / "bin", folder / ".record"
    if not programs.is_dir():
        programs.mkdir(parents=True)
        (programs / "activate").touch()
        for name in KNOWN:
            (programs / name).write_text(RECORD, encoding="utf-8")
            (programs / name).chmod(0o755)
        for name in SYSTEM:
            (programs / name).symlink_to(shutil.which(name) or name)
    record.write_text("")
    subprocess.run(
        [shutil.which("bash") or "bash", "-euc", script],
        cwd=folder,
        env={"PATH": str(programs), "RECORD": str(record)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]


def parse(script: str) -> None:
    """See that the commands of a script that is not run could be: their verbs and options exist."""
    for line in script.replace("\\\n", " ").splitlines():
        found = re.search(r"\bgleam ([a-z]+)([^;|>&]*)", line)
        if found and not line.startswith("#"):
            words = [re.sub(r"\$\w+", "1", word) for word in shlex.split(found[2], comments=True)]
            options.read(found[1], words)


def perform(command: Sequence[str], slow: bool, unmade: set[str]) -> None:
    """Run a command, small; or see that it can be run.

    Args:
        command: its words.
        slow: run also what takes long.
        unmade: what earlier commands would have made, had they been run; what needs that is not
            run either.
    """
    program, *words = command
    if program == "torchrun":
        *_, words = words, words[words.index("gleam") + 1 :]
        program, words = "gleam", [*words, "--devices", "2"]
    if program == "gleam":
        _gleam(words, slow, unmade)
    elif program == "pip":
        _installs(words)
    elif program == "make":
        assert re.search(
            rf"^(?:.* )?{words[0]}(?: .*)?:(?!=)", (ROOT / "Makefile").read_text(), re.M
        )
    elif program in ("python", "python3"):
        assert words[0] == "-m" or (ROOT / words[0]).is_file(), words
        if words[:1] == ["-m"] and words[1].startswith("benchmarks"):
            name = ROOT / words[1].replace(".", "/")
            assert name.with_suffix(".py").exists() or (name / "__main__.py").exists()


def _gleam(words: list[str], slow: bool, unmade: set[str]) -> None:
    verb, *rest = words
    several = "--devices" in rest
    if several:
        at = rest.index("--devices") + 1
        rest[at] = "2"
    rest = [*small(verb, rest)]
    lacks_onnx = find_spec("onnxscript") is None and any(w.endswith(".onnx") for w in rest)
    if lacks_onnx or unmade & {*rest} or (not slow and (verb in SLOW or several)):
        unmade.update(_made(verb, rest))
        if "--json" not in rest and "--help" not in rest:
            options.read(verb, rest)
        return
    if verb == "serve":
        _serves(rest)
        return
    if verb == "compare" and not _has_data(rest[0]):
        rest = [*takewhile(lambda word: word != "--out", rest), "--dry-run"]
    code = main([verb, *rest, *_replacing(verb, rest)])
    assert code == 0, " ".join(["gleam", verb, *rest])


def _has_data(recipe: str) -> bool:
    """Whether a comparison finds its data; of a study's, the recipe says how to get them."""
    base, schemes = plan.read(Path(recipe))
    return all(path.exists() for path in (base.data.train, *schemes.test.values()))


def _serves(words: Sequence[str]) -> None:
    """A server listens, wherever there is room, until it is told to stop."""
    server = [sys.executable, "-m", "gleam", "serve", *words, "--port", "0"]
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert any("listening" in line for line in running.stdout)
        running.send_signal(signal.SIGINT)
        assert running.wait() == 130


def small(verb: str, words: Sequence[str]) -> Iterator[str]:
    """A verb's words for data, and training, of a size for tests."""
    words = [*words]
    yield from _capped(words)
    if "--dry-run" in words or "--help" in words:
        return
    if verb == "simulate" and "--from" not in words:
        yield from () if "--scans" in words else ("--scans", "2")
        yield from () if "--shape" in words else ("--shape", "32", "48")
        if "--slices" not in words and "--frames" not in words and _axes(words) == 2:
            yield from ("--slices", "1")
        yield from ("--coils", "3", "3")
    if verb == "train" and "--resume" not in words:
        yield from () if "--training.minutes" in words else FEW_STEPS
        yield from () if "--start" in words else (*NARROW, *FEWER)
    if verb == "adapt" or "--adapt" in words:
        yield from () if "--minutes" in words else ("--steps", "2")
    if verb == "compare":
        yield from (*FEW_STEPS, *NARROW, *FEWER)


_CAPS = {"--scans": 2, "--slices": 2, "--frames": 8, "--workers": 1, "--training.minutes": 0.002}
_CAPS |= {"--minutes": 0.002}
_CAPS |= {"--acceleration": 2, "--mask.acceleration": 2, "--replicas": 2}
_SHAPES = {2: (32, 48), 3: (24, 20, 16)}


def _capped(words: list[str]) -> Iterator[str]:
    numbers = iter(())
    for option, word in zip([None, *words], words, strict=False):
        if word == "--shape":
            numbers = iter(_SHAPES.get(_axes(words), ()))
        if option in _CAPS:
            word = str(min(float(word), _CAPS[option])).removesuffix(".0")
        elif word.isdecimal() and option is not None and (smaller := next(numbers, None)):
            word = str(min(int(word), smaller))
        elif not word.isdecimal() and word != "--shape":
            numbers = iter(())
        yield word


def _axes(words: Sequence[str]) -> int:
    """How many sizes `--shape` has."""
    if "--shape" not in words:
        return 2
    sizes = 0
    for word in words[words.index("--shape") + 1 :]:
        if not word.isdecimal():
            break
        sizes += 1
    return sizes


def _replacing(verb: str, words: Sequence[str]) -> Sequence[str]:
    """A page may show several ways to the same file."""
    there = any(Path(path).exists() for path in _made(verb, words))
    return ["--force"] if there and "--force" not in words and "--resume" not in words else []


def _made(verb: str, words: Sequence[str]) -> list[str]:
    """Where a command writes to."""
    out = [b for a, b in pairwise(words) if a in ("-o", "--out", "--to")]
    if verb in ("prepare", "simulate"):  # the last of the words before options
        out += [*takewhile(lambda word: not word.startswith("-"), words)][-1:]
    return out


def _installs(words: Sequence[str]) -> None:
    """Extras that are asked for are there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words:
        if found := re.fullmatch(r"\.\[([\w,]+)\]", word):
            assert set(found[1].split(",")) <= project["optional-dependencies"].keys(), word
