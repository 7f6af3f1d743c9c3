"""Writing without leaving halves behind: to a temporary name beside the goal, then renamed."""

import glob
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gleam.errors import BadInput


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder; rename it to `path` on success, remove it if not.

    The temporary name keeps the suffixes, so writers that look at them (nibabel) still do. The
    writer may make a file or a folder; a folder replaces a folder. It is on the disk before it is
    renamed, and what a killed writer of the same path left behind is removed.

    Raises:
        BadInput: the folder cannot be made or written to, or the disk is full.
    """
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in path.parent.glob(f".{'[0-9a-f]' * 8}-{glob.escape(path.name)}"):
            _remove(leftover)
        yield temporary
        _sync(temporary)
        if temporary.is_dir() and path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be written ({error.strerror or error}); choose another place"
        ) from error
    finally:
        _remove(temporary)


def _sync(path: Path) -> None:
    """Have the disk hold a file, or the files of a folder, before anything says they are there."""
    for file in path.iterdir() if path.is_dir() else [path]:
        with file.open("rb") as written:
            os.fsync(written.fileno())


def _remove(path: Path) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.exists(path):  # unlike Path's, it says no where it may not look
        os.unlink(path)


def make_folder(out: Path) -> None:
    """Make a folder, or make sure that it can be written to.

    Raises:
        BadInput: it cannot be made or written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise BadInput(
            f"{out}: cannot be written ({error.strerror}); choose another folder"
        ) from error
