"""Reconstructing many scans into a folder: resumable, and none stops the rest.

What was reconstructed before is kept as long as the scan, the method and the settings are the same,
by what the manifest says (`gleam.preparation.manifest`).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gleam.errors import Stopped
from gleam.files import check_new, sha256_of
from gleam.formats import Scan, image_name, read_scans
from gleam.formats.parts import named
from gleam.formats.volume import Volume
from gleam.preparation import manifest
from gleam.preparation.jobs import MADE_OTHERWISE, Outcome, fingerprint, reason
from gleam.preparation.prepare import Settings
from gleam.recipe import MaskRecipe
from gleam.reconstruction.checked import beside
from gleam.reconstruction.reconstructor import Reconstructor

ROOM = "needs more memory than there is; see --coils and --device"


@dataclass(frozen=True)
class ReconstructionJob:
    """The work to do on each scan.

    Attributes:
        settings: how it is prepared.
        format: of the images, one of `gleam.formats.FORMATS`.
        image: makes the image of a scan that is prepared so, of whose file the sha256 is given; and
            warnings, see `Scan`.
        write: writes it in that format.
        force: replace what is there and was made otherwise.
        identity: what the image depends on beside the scan and the settings.
        checks: whether images are checked; `write` puts what is found beside them.
    """

    settings: Settings
    format: str
    image: Callable[[Scan, Settings, str], tuple[Volume, Sequence[str]]]
    write: Callable[[Volume, Path], None]
    force: bool
    identity: str
    checks: bool = False

    def check_new(self, goal: Path) -> None:
        """Refuse to replace an image, or the check of one, that is there; see `files.check_new`."""
        checks = [beside(goal)] if self.checks else []
        check_new(goal, self.force, MADE_OTHERWISE, "choose another folder", checks)


def reconstruct_many(
    sources: Sequence[Path], out: Path, job: ReconstructionJob
) -> Iterator[Outcome]:
    """Reconstruct each scan into `out`, as NAME.SUFFIX, or NAME-PART.SUFFIX of several in a file.

    Args:
        sources: scan files, no two of one name.
        out: a folder that is there; its manifest is read.
        job: what to do.

    Raises:
        BadInput: what is there under the manifest's name is none.
        Stopped: the disk is full, or the folder is gone; other scans would fare no better.
    """
    recorded = manifest.entries(out)
    for source in sources:
        try:
            mark = fingerprint(source, job.settings, job.format, job.identity)
            kept = _kept(source, out, job, mark, recorded.get(source.name, []))
            if kept:
                yield from kept
                continue
            sha256 = sha256_of(source)
            scans = read_scans(source, job.settings.layout, job.settings.measurement)
        except Exception as error:  # whatever a file does to a reader must not stop the rest
            yield Outcome(source, "skipped", reason(error, source, out, job.settings, ROOM))
            continue
        for part, read in scans.items():
            yield _one(source, part, read, out, job, mark, sha256)


def _one(
    source: Path,
    part: str,
    read: Callable[[], Scan],
    out: Path,
    job: ReconstructionJob,
    mark: str,
    sha256: str,
) -> Outcome:
    goal = out / image_name(named(source.stem, part), job.format)
    try:
        job.check_new(goal)
        volume, warnings = job.image(read(), job.settings, sha256)
        job.write(volume, goal)
    except Stopped:
        raise
    except Exception as error:
        why = reason(error, source, out, job.settings, ROOM)
        return Outcome(source, "skipped", why, None, sha256, part=part)
    shape = volume.image.shape
    return Outcome(source, "reconstructed", None, shape, sha256, tuple(warnings), part, mark)


def _kept(
    source: Path, out: Path, job: ReconstructionJob, mark: str, before: Sequence[manifest.Entry]
) -> list[Outcome]:
    """The outcome of a file before, if all of it is there and would come out the same."""
    for entry in before:
        goal = out / image_name(named(source.stem, entry["part"]), job.format)
        if entry.get("fingerprint") != mark or not goal.exists():
            return []
    return [
        Outcome(
            source,
            "kept",
            None,
            tuple(entry["shape"]),
            entry["sha256"],
            tuple(entry["warnings"]),
            entry["part"],
            mark,
        )
        for entry in before
    ]


def identity(method: Reconstructor, mask: MaskRecipe | None) -> str:
    """Changes with what a method does: with a network's weights, say."""
    digest = hashlib.sha256(repr((method.words, mask)).encode())
    for part in method.content():
        digest.update(part)
    return digest.hexdigest()
