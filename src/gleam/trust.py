"""Modules that a recipe, or a run, may have imported: those that the user named, and no others.

A recipe that names a network of its own (`network.build`) names code, and whoever sends a run sends
its recipe. So nothing is imported for one before the user has said --trust MODULE (in Python, an
argument), and then only what was defined in such a module. The adapters that come with this program
need no trust. What a user trusts is kept in the environment, where the processes that a verb starts
find it.
"""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gleam.errors import BadInput

ADAPTERS = "gleam.networks.adapters"
_VARIABLE = "GLEAM_TRUSTED"
_FIELD = "network.build"
_FILE = ".pt2"


@contextmanager
def trusting(modules: str | Iterable[str]) -> Iterator[None]:
    """Trust modules, and those inside them, beside the ones that are trusted already.

    Args:
        modules: the name of one or of several, such as mypackage or mypackage.networks; or .pt2
            files.

    Raises:
        BadInput: one is no name of a module, is Python's own, or this program's.
    """
    modules = [modules] if isinstance(modules, str) else [*modules]
    modules = [os.path.realpath(one) if one.endswith(_FILE) else one for one in modules]
    for module in (one for one in modules if not one.endswith(_FILE)):
        if not all(word.isidentifier() and word.isascii() for word in module.split(".")):
            raise BadInput(f"--trust {module!r}: is no name of a module, such as mypackage")
        root = module.partition(".")[0]
        if root in sys.stdlib_module_names or root in ("gleam", "builtins"):
            raise BadInput(f"--trust {module}: holds no networks of yours; name your own package")
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = os.linesep.join([*_trusted(), *modules])
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


def check(reference: str | None) -> None:
    """Make sure that what a recipe names may be imported; nothing is.

    Args:
        reference: package.module:function; None where the recipe names nothing.

    Raises:
        BadInput: its module is not trusted.
    """
    module = "" if reference is None else reference.partition(":")[0]
    if module and not _may(module):
        raise BadInput(
            f"{_FIELD}: {reference}: would run code of {module}, which you have not said that you "
            f"trust; if you do, say --trust {module.partition('.')[0]}"
        )


def check_file(path: Path) -> None:
    """Make sure that a file may be loaded of which the loader runs code.

    Raises:
        BadInput: the user did not say so.
    """
    if os.path.realpath(path) not in _trusted():
        raise BadInput(
            f"{path}: is loaded by torch through pickle, which runs whatever code is in it; if you "
            f"trust who made it, say --trust {path}. Folders and .onnx files need no trust"
        )


def imported(reference: str) -> Callable[..., Any]:
    """The function, or class, that a recipe names.

    It is looked for where packages are installed, and in PYTHONPATH; not in the working directory,
    where a file may lie that somebody sent along with a run.

    Raises:
        BadInput: its module is not trusted, is not there or cannot be imported, has no such
            function, or has it from a module that is not trusted.
    """
    check(reference)
    module, _, name = reference.partition(":")
    with _without_working_directory():
        try:
            found = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            own = error.name is not None and f"{module}.".startswith(f"{error.name}.")
            what = "is not installed" if own else f"needs {error.name}, which is not installed"
            raise BadInput(f"{_FIELD}: {module}: {what} (where {sys.executable} looks)") from error
        except AttributeError as error:
            raise BadInput(f"{_FIELD}: {module}: has no {name}") from error
        except Exception as error:  # whatever a module does while it is imported
            raise BadInput(f"{_FIELD}: {module}: cannot be imported ({told(error)})") from error
    if not inspect.isfunction(found) and not inspect.isclass(found):
        raise BadInput(f"{_FIELD}: {reference}: is no function or class written in Python")
    if not _may(found.__module__):
        raise BadInput(
            f"{_FIELD}: {reference}: comes from {found.__module__}, which is not trusted; name it "
            "where it is defined"
        )
    made: Callable[..., Any] = found
    return made


def told(error: Exception) -> str:
    """The error inside somebody's code, and where, in one line."""
    frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
    where = f", {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{where}"


def _trusted() -> list[str]:
    return os.environ.get(_VARIABLE, "").splitlines()


def _may(module: str) -> bool:
    return any(f"{module}.".startswith(f"{one}.") for one in (ADAPTERS, *_trusted()))


@contextmanager
def _without_working_directory() -> Iterator[None]:
    """Python puts it first for -m, -c and notebooks; a user who wants it there names it himself."""
    before = list(sys.path)
    first_is_here = bool(before) and before[0] == os.getcwd() and not sys.flags.safe_path
    sys.path[:] = [path for path in before[first_is_here:] if path]
    try:
        yield
    finally:
        added = [path for path in sys.path if path not in before]
        sys.path[:] = before + added
