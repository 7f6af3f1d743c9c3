"""Writing without leaving halves behind: to a temporary name beside the goal, then renamed."""

import os
import shutil
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
        BadInput: the folder cannot be made or written to.
    """
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.is_dir() and path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise BadInput(
            f"{path}: cannot be written ({error.strerror}); choose another place"
        ) from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        elif temporary.exists():
            temporary.unlink()
