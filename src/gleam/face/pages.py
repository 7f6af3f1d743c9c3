"""`view`, `watch`, `write_report`: images, trainings and runs as pages in the browser."""

import os
from collections.abc import Sequence
from pathlib import Path

from gleam.errors import BadInput
from gleam.evaluation.examples import Pictured
from gleam.face.evaluations import Folder, folders_of, mask_of, trust_of
from gleam.face.methods import Data, Method, reconstruct
from gleam.face.words import in_python
from gleam.files import check_new, make_folder
from gleam.formats import Volume
from gleam.recipe import MaskRecipe
from gleam.report import watch as watching
from gleam.report.made import make_report
from gleam.report.opened import images_pictured, is_image, page_of, read_images
from gleam.report.page import write_page
from gleam.report.served import Served, answers
from gleam.trust import trusting


@in_python()
def view(
    *things: Data | Volume,
    to: str | Path | None = None,
    method: Method = "cg-sense",
    mask: MaskRecipe | None = None,
    browser: bool = True,
    force: bool = False,
) -> Served | None:
    """Look at images, or scans, in the browser: windows, planes, movies, swiped and flickered.

    >>> image = gleam.reconstruct(data, "zero-filled")
    >>> page = gleam.view(image, data, browser=False)
    >>> page
    <Served http://127.0.0.1:.../>
    >>> page.close()
    >>> gleam.view(image, to="image.html", force=True)

    Args:
        things: images, or files of images (NIfTI, DICOM); or data as `reconstruct` takes it, which
            is reconstructed first. Those of one size can be compared.
        to: a file to write, which needs no network; by default the page is served on this machine
            alone until it is closed, or Python ends.
        method, mask: of what is reconstructed; see `reconstruct`.
        browser: open the browser.
        force: replace the file that is there.

    Returns:
        What serves the page, with its `url` and `close()`; None where a file was written.

    Raises:
        BadInput: a thing is no image and no scan, or the file is there already.
    """
    groups: dict[tuple[int, ...], dict[str, Volume]] = {}
    scans: list[Pictured] = []
    for thing in things:
        if isinstance(thing, str | os.PathLike) and is_image(Path(thing), None):
            scans += read_images([Path(thing)])
            continue
        volume = thing if isinstance(thing, Volume) else reconstruct(thing, method, mask)
        group = groups.setdefault(volume.image.shape, {})
        name = volume.method or volume.name or "image"
        group[name if name not in group else f"{name} {len(group) + 1}"] = volume
    scans += [images_pictured(group) for group in groups.values()]
    page = page_of(scans, ", ".join(dict.fromkeys(scan.scan for scan in scans)))
    if to is None:
        return _shown(Served(answers(page)), browser)
    check_new(Path(to), force)
    make_folder(Path(to).parent)
    write_page(Path(to), page, force)
    return None


@in_python()
def watch(run: Folder, *, browser: bool = True) -> Served:
    """Watch a run in the browser: losses of modules, images of validation, memory, time left.

    >>> page = gleam.watch("runs/greedy", browser=False)
    >>> page.close()

    Args:
        run: its folder, whether it still trains or has ended.
        browser: open the browser.

    Returns:
        What serves the page, with its `url` and `close()`.

    Raises:
        BadInput: the folder is no run.
    """
    return _shown(Served(watching.answers(Path(run))), browser)


@in_python(out="to")
def write_report(
    runs: Folder | Sequence[Folder],
    to: str | Path = "report",
    data: str | Path | None = None,
    mask: MaskRecipe | None = None,
    *,
    scans: Sequence[str] = (),
    device: str | None = None,
    force: bool = False,
    trust: Sequence[str] = (),
) -> list[Path]:
    """Write a report of runs that needs no network; what is there is not computed again.

    >>> gleam.write_report("runs/greedy", "report", force=True)
    [PosixPath('report/report.html')]
    >>> gleam.write_report("runs/greedy", "report", "examples", force=True)
    [PosixPath('report/report.html')]

    Args:
        runs: folders of runs, one or several.
        to: folder of the report, where results are kept.
        data: examples to score on; by default the report tells of the training alone.
        mask: of the scans; by default the one that the runs learnt with.
        scans: names of those to show; by default all.
        device: where to compute.
        force: replace a report; and score on scans that were learnt from.
        trust: modules that may be imported for a run's network, by name.

    Returns:
        The pages, the first of which leads to the others.

    Raises:
        BadInput: a folder is no run, or the data are no test of it.
    """
    folders = folders_of(runs)
    if not folders:
        raise BadInput("report: names no run; give one or several")
    chosen = mask_of(folders, mask, "report")
    where = None if data is None else Path(data)
    with trusting(trust or trust_of(runs)):
        return make_report(folders, Path(to), where, chosen, device or "auto", force, scans)


def _shown(served: Served, browser: bool) -> Served:
    if browser:
        served.open()
    return served
