"""gleam check: how far images of a scan can be trusted, without the truth."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gleam.amounts import rounded
from gleam.cli.options.check import Arguments
from gleam.cli.parts import check_dicom, of_each, part_of
from gleam.device import described
from gleam.errors import BadInput
from gleam.files import check_new, make_folder, sha256_of
from gleam.formats import Scan, check_spares, image_writer, read_scans, scan_file
from gleam.formats.dicom import writer as dicom
from gleam.formats.parts import choose
from gleam.preparation.prepare import Prepared
from gleam.reconstruction.check import check, sets_of
from gleam.reconstruction.checked import MOST_DRAWS, Check, Plan, Prediction, Range, write
from gleam.reconstruction.disagreement import Disagreement
from gleam.reconstruction.named import reconstructor
from gleam.terminal import counted, say, warn


def main(a: Arguments) -> None:
    """Run the verb."""
    if not 1 <= a.draws <= MOST_DRAWS:
        raise BadInput(f"check: --draws is 1 to {MOST_DRAWS}, not {a.draws}")
    if not a.methods:
        raise BadInput("check: names no method; give runs or methods after the scan, wavelet say")
    if a.out.suffix != ".json":
        raise BadInput(f"{a.out}: what a check finds is JSON; give it the suffix .json")
    if a.map is not None and len({*a.methods}) < 2:
        raise BadInput("check: --map shows where methods disagree; name two of them or more")
    write_image = None if a.map is None else image_writer(a.map)
    is_dicom = write_image is dicom.write_image
    if is_dicom:
        write_image = partial(dicom.write_image, force=a.force)
    mask, settings = a.of_scan.mask_recipe("check"), a.of_scan.settings()
    plan = Plan(draws=a.draws, pattern=a.pattern)
    methods = {name: reconstructor(name, a.device, force=a.force) for name in a.methods}
    settings = replace(settings, sets=sets_of(methods))
    scans = read_scans(a.scan, settings.layout, settings.measurement)
    wanted, whole = choose(str(a.scan), scans, a.of_scan.part), len(scans) == 1
    check_new(a.out, a.force)
    maps = {}
    if a.map is not None:
        maps = {part: a.map if whole or not part else part_of(a.map, part) for part in wanted}
    for path in maps.values():
        check_spares(path, a.scan)
        check_new(path, a.force)
    for path in (a.out, *maps.values()):  # before the work, not after it
        make_folder(path.parent)
    sha256, found = sha256_of(scan_file(a.scan)), list[Check]()
    say_where = cache(lambda: say(f"checking on {described(next(iter(methods.values())).device)}"))

    def checked(part: str, read: Callable[[], Scan]) -> None:
        example = Prepared(read(), settings, sha256=sha256)
        warn(example.header.name, example.header.warnings)
        if is_dicom:
            check_dicom(maps[part], example.scan, a.force)
        say_where()
        disagreement = Disagreement(example)
        with counted("checking", plan.rounds(example.shape[0])) as done:
            one = check(methods, example, mask, plan, done, disagreement)
        for prediction in one.methods:
            warn(prediction.method, prediction.doubts)
        if write_image is not None:
            write_image(disagreement.volume(), maps[part])
            written.append(maps[part])
        found.append(one)
        write(a.out, found)  # what is found stays, whatever becomes of the rest
        if not a.json:
            _say(one)

    written = [a.out]
    of_each(a.scan, wanted, checked)
    if a.json:
        print(json.dumps([json.loads(one.model_dump_json()) for one in found]))
    else:
        print(f"written: {', '.join(map(str, written))}")


def _say(check: Check) -> None:
    table = Table(title=f"{check.scan}: held-out samples", title_justify="left", box=SIMPLE_HEAD)
    for name in ("method", "error", "95 % interval", "over noise", "seconds\nper image"):
        table.add_column(name, justify="left" if name == "method" else "right", overflow="fold")
    for one in check.methods:
        table.add_row(Text(one.method + " (not ranked)" * one.learnt), *_cells(one))
    console = Console()
    console.print(table)
    console.print(check.verdict, markup=False, highlight=False)


def _cells(one: Prediction) -> tuple[str, ...]:
    over = "unknown" if one.against_noise is None else f"{one.against_noise:.2f} ×"
    return f"{one.error.value:.3f}", _interval(one.error), over, rounded(one.seconds)


def _interval(error: Range) -> str:
    return "" if error.low is None else f"{error.low:.3f} to {error.high:.3f}"
