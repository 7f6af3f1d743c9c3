"""Writing without leaving halves behind: to a temporary name beside the goal, then renamed.

What goes wrong with a disk is said in one way, whoever writes: `unwritable`.
"""

import errno
import glob
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from gleam.errors import BadInput, Stopped, Unwritable

# What may be otherwise tomorrow; the rest is the user's choice of a place.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_GONE = {errno.ENOENT, errno.ESTALE, errno.EIO}

# Deflate (zlib, gzip) packs at most so many bytes into one: a file that claims more is damaged.
BEST_COMPRESSION = 1032
_BLOCK = 2**20  # bytes written at a time


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder; rename it to `path` on success, remove it if not.

    The temporary name keeps the suffixes, so writers that look at them (nibabel) still do. The
    writer may make a file or a folder; a folder replaces a folder. It is on the disk before it is
    renamed, and what a killed writer of the same path left behind is removed.

    Raises:
        BadInput: the folder cannot be made or written to.
        Unwritable: the disk is full, or the folder is gone.
    """
    make_folder(path.parent, path)
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        for leftover in path.parent.glob(f".{'[0-9a-f]' * 8}-{glob.escape(path.name)}"):
            _remove(leftover)
        yield temporary
        _sync(temporary)
        if temporary.is_dir() and path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except Exception as error:
        if failure_of_disk(error) is None:
            raise
        raise unwritable(path, error) from error
    finally:
        _remove(temporary)


def write_json(path: Path, content: object) -> None:
    """Write JSON as people can read it, in one go; see `finite`.

    Raises:
        BadInput, Unwritable: see `replacing`.
    """
    with replacing(path) as temporary:
        text = json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """The same with None for each number that is not finite, as JSON has no word for it."""
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make_folder(out: Path, wanted: Path | None = None) -> None:
    """Make a folder, or make sure that it can be written to.

    Args:
        out: the folder.
        wanted: what is to be written into it, for messages; by default the folder.

    Raises:
        BadInput: it cannot be made or written to.
        Unwritable: the disk is full.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        if disk_is_full(error):
            raise unwritable(wanted or out, error) from error
        raise BadInput(_said(wanted or out, error) + "; choose another place") from error


def check_new(
    path: Path,
    force: bool,
    what: str = "is there already",
    instead: str = "choose another place",
    beside: Iterable[Path] = (),
) -> None:
    """Have nothing replaced unless the user says so: every verb's rule for what it writes.

    Args:
        path: what is to be written, a file or a folder, empty perhaps; of BART's pair, the .cfl.
        force: whether what is there may be replaced.
        what: is wrong with it, for the message.
        instead: what else the user can do.
        beside: what is written with it; that is not replaced silently either.

    Raises:
        BadInput: it is there already.
    """
    pair = [path.with_suffix(".hdr")] if path.suffix == ".cfl" else []
    for one in (path, *pair, *beside):
        empty = one.is_dir() and not any(one.iterdir())
        if one.exists() and not empty and not force:
            raise BadInput(f"{one}: {what}; replace it with --force, or {instead}")


def check_exists(path: Path, advice: str) -> None:
    """Tell what is not there from what is there and holds nothing.

    Args:
        path: what is to be read, a file or a folder.
        advice: how to get one.

    Raises:
        BadInput: it does not exist.
    """
    if not path.exists():
        raise BadInput(f"{path}: does not exist; {advice}")


def unwritable(path: Path | str, error: Exception) -> BadInput | Unwritable:
    """The error to raise where something could not be written.

    Args:
        path: what was to be written, or a name for it.
        error: what the system, or a library, said.

    Returns:
        `Unwritable` where the disk is full or the folder gone, so that the same may go well later;
        else `BadInput`.
    """
    if disk_is_full(error):
        return Unwritable(_said(path, error))
    if failure_of_disk(error) in _GONE:
        return gone(_said(path, error))
    return BadInput(f"{_said(path, error)}; choose another place")


def gone(what: str) -> Unwritable:
    """The error to raise where a folder is not there any more."""
    failure = Unwritable(what)
    failure.advice = "was the folder deleted or moved? Put it back"
    return failure


def disk_is_full(error: Exception) -> bool:
    """Whether there was no room: on the disk, in the user's share of it, or under a limit."""
    return failure_of_disk(error) in _FULL


def failure_of_disk(error: Exception) -> int | None:
    """The system's number of what went wrong with a file; None where nothing of the kind did.

    Libraries hide it in their own errors: HDF5, safetensors, and NumPy, which tells a disk that
    took a part only in words of its own.
    """
    if isinstance(error, BadInput | Stopped):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    hidden = re.search(r"\b(?:errno = |os error )(\d+)", str(error))
    if hidden:
        return int(hidden[1])
    if isinstance(error, OSError):
        partly = re.fullmatch(r"\d+ requested and \d+ written", str(error))
        return errno.ENOSPC if partly else 0
    return None


def in_temporary(failure: BadInput | Unwritable) -> BadInput | Unwritable:
    """The same of a file that no user asked for, and so put nowhere."""
    if isinstance(failure, Unwritable):
        failure.advice = f"make room in {tempfile.gettempdir()} or name another folder with TMPDIR"
    return failure


def _said(path: Path | str, error: Exception) -> str:
    number = failure_of_disk(error)
    return f"{path}: cannot be written ({os.strerror(number) if number else error})"


def _sync(path: Path) -> None:
    """Have the disk hold a file, or the files of a folder, before anything says they are there.

    Files that a library keeps for their owner alone (safetensors) get the mode that others have.
    """
    mask = os.umask(0o077)
    os.umask(mask)
    for file in path.iterdir() if path.is_dir() else [path]:
        if file.stat().st_mode & 0o777 == 0o600:
            file.chmod(0o666 & ~mask)
        with file.open("rb") as written:
            os.fsync(written.fileno())


def _remove(path: Path) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.exists(path):  # unlike Path's, it says no where it may not look
        os.unlink(path)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reserve(file: IO[bytes], start: int, size: int) -> None:
    """Have the disk hold room for some bytes of an open file, which read as zeros.

    So that writing to mapped memory cannot meet a full disk, which would kill the process. Where
    the system cannot reserve (macOS, Windows), zeros are written.

    Args:
        file: open for reading and writing; its position is not looked at.
        start: the first byte.
        size: in bytes, at least 1; nothing is there yet.

    Raises:
        OSError: there is no room.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), start, size)
        return
    file.seek(start)
    for first in range(0, size, _BLOCK):
        file.write(bytes(min(_BLOCK, size - first)))
    file.flush()
