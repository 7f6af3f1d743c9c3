"""Writing without leaving halves behind: to a temporary name beside the goal, then renamed."""

import os
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
    writer may make a file or a folder; a folder replaces a folder.

    Raises:
        BadInput: the folder cannot be made or written to, or the disk is full.
    """
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.is_dir() and path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be written ({error.strerror or error}); choose another place"
        ) from error
    finally:
        if os.path.isdir(temporary):
            shutil.rmtree(temporary, ignore_errors=True)
        elif os.path.exists(temporary):  # unlike Path's, it says no where it may not look
            os.unlink(temporary)


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
