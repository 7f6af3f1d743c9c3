"""What a message advises can be typed where it is read.

A room below `cli` does not know which verb was typed. An option that it names is one of every verb
that its messages may come from (`HEARD`), or of a verb that it names as well: "gleam check takes
fewer --draws".
"""

import ast
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from gleam.cli import ROOM, VERBS
from gleam.cli.arguments import parse
from gleam.recipe import Recipe

SOURCE = Path(__file__).parents[1] / "src" / "gleam"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")

SCANS = {"inspect", "prepare", "adapt", "view", "reconstruct", "check"}  # read files of scans
NETWORKS = {"plan", "train", "adapt", "evaluate", "compare", "report", "view", "reconstruct"}
NETWORKS |= {"check", "export", "serve"}
WRITERS = VERBS.keys() - {"serve", "watch", "cite"}
HEARD = {  # by file or folder: the verbs that say what it says
    "cli/pages.py": {"view", "watch"},
    "comparison": {"compare"},
    "data/trained_on.py": NETWORKS - {"plan", "export"},
    "device.py": NETWORKS - {"export"},
    "exporting": {"export"},
    "face/checks.py": {"check"},
    "face/images.py": {"reconstruct"},
    "face/methods.py": {"reconstruct"},
    "face/plans.py": {"plan"},
    "files.py": WRITERS,
    "formats": SCANS,  # `read_image`'s of simulate, too
    "formats/dicom/writer.py": {"reconstruct"},
    "formats/submission.py": {"reconstruct"},
    "planning/adapting.py": {"reconstruct"},
    "planning/inference.py": {"reconstruct"},
    "planning/said.py": {"plan"},
    "planning/scans.py": {"plan"},
    "preparation/calibration.py": SCANS,  # of --calibration 0
    "preparation/cluster.py": {"prepare"},
    "preparation/jobs.py": {"prepare", "adapt"},
    "preparation/noise_file.py": SCANS,
    "preparation/split.py": {"prepare"},
    "reconstruction/exported.py": {"export"},
    "reconstruction/many.py": {"reconstruct"},
    "reconstruction/reconstructor.py": {"reconstruct"},
    "reconstruction/uncalibrated.py": {"reconstruct"},
    "report/made.py": {"evaluate", "report"},
    "report/opened.py": {"view"},
    "report/scored.py": {"evaluate", "report"},
    "runs/adaptation.py": {"adapt", "reconstruct"},
    "runs/folder.py": {"train"},
    "serving": {"serve"},
    "simulation": {"simulate"},
    "trust.py": NETWORKS,
}
GIVEN = {  # said of an option that was given
    "formats/__init__.py": {"--format"},
    "formats/parts.py": {"--part"},  # in Python, to `gleam.load`
    "preparation/jobs.py": {"--workers", "--memory"},  # there are no workers without them
    "report/scored.py": {"--scans"},
}
OTHERS = {"runs/environment.py", "formats/mrd/version2.py", "face/words.py"}  # git's, MRD's; none


@cache
def options(verb: str) -> set[str]:
    """The options that a verb's help names."""
    kind = import_module(f"gleam.cli.options.{verb}").Arguments
    default = {"evaluate": lambda: kind(), "train": lambda: kind(recipe=Recipe())}
    default["compare"] = default["train"]
    help = io.StringIO()
    with redirect_stdout(help), pytest.raises(SystemExit):
        parse(kind, verb, ["--help"], default.get(verb, lambda: None)())
    return set(OPTION.findall(help.getvalue()))


def texts(node: ast.AST) -> Iterator[str]:
    """All texts but docstrings; … stands for what is put into them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if text := _text(child):
            yield text
        else:
            yield from texts(child)


def _text(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) or "…" for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right) if _text(left) or _text(right):
            return (_text(left) or "…") + (_text(right) or "…")
    return ""


def unknown(text: str, heard: set[str]) -> list[str]:
    """The options of a text that are none of all verbs that say it, nor of one that it names."""
    found = []
    for clause in text.split(";"):
        named = VERBS.keys() & set(re.findall(r"gleam (\w+)", clause))
        for option in OPTION.findall(clause):
            of_all = bool(heard) and all(option in options(verb) for verb in heard)
            if not of_all and not any(option in options(verb) for verb in named):
                found.append(option)
    return found


def heard(path: str) -> set[str]:
    """The verbs that a file's messages come from; none where that is not known."""
    room, _, file = path.partition("/")
    verb = {Path(file).stem} & VERBS.keys() if room == "cli" else set()
    return HEARD.get(path, HEARD.get(room, verb))


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for file in SOURCE.rglob("*.py")
        if OPTION.search(file.read_text("utf-8"))
        and (path := str(file.relative_to(SOURCE))) not in OTHERS
        and path not in ("cli/__init__.py", "cli/arguments.py", "cli/demo.py")
        and not path.startswith("cli/options/")
    ),
)
def test_options_that_a_message_names_are_there(path: str) -> None:
    tree = ast.parse((SOURCE / path).read_text("utf-8"))
    wrong = {text: unknown(text, heard(path)) for text in texts(tree)}
    given = GIVEN.get(path, set())
    assert {text: names for text, names in wrong.items() if set(names) - given} == {}


def test_no_room_speaks_in_the_name_of_another_verb() -> None:
    rooms = [path for path in SOURCE.rglob("*.py") if path.parent.name not in ("face", "options")]
    for file in rooms:
        path = str(file.relative_to(SOURCE))
        for text in texts(ast.parse(file.read_text("utf-8"))):
            named = re.match(r"(\w+): \w", text)
            assert not (named and named[1] in VERBS) or heard(path) == {named[1]}, text


@pytest.mark.parametrize("verb", ROOM)
def test_what_takes_less_memory_can_be_said(verb: str) -> None:
    assert unknown(ROOM[verb], {verb}) == []


def test_the_texts_are_read() -> None:
    assert [*texts(ast.parse('"""--doc"""\nf(f"a {b}: --c" + " d")\ng("--e")'))] == [
        "a …: --c d", "--e",
    ]  # fmt: skip
    assert unknown("say --pattern", {"check"}) == []
    assert unknown("say --pattern", {"check", "reconstruct"}) == ["--pattern"]
    assert unknown("gleam check takes another --pattern", {"reconstruct"}) == []
    assert unknown("gleam check; say --pattern", {"reconstruct"}) == ["--pattern"]
