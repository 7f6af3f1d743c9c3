"""gleam view: images, or a scan, in the report's viewer."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gleam.cli.options.view import Arguments
from gleam.cli.pages import attend
from gleam.cli.parts import of_each
from gleam.data.example import Example, ExampleFile, is_example
from gleam.device import described
from gleam.errors import BadInput
from gleam.evaluation.examples import Pictured
from gleam.files import check_exists, check_new, make_folder
from gleam.formats import Scan, read_scans
from gleam.formats.parts import choose
from gleam.preparation.prepare import Prepared
from gleam.recipe import MaskRecipe
from gleam.reconstruction.check import sets_of
from gleam.reconstruction.named import reconstructor
from gleam.reconstruction.reconstruct import reconstruct
from gleam.reconstruction.reconstructor import Reconstructor
from gleam.report.opened import is_image, page_of, read_images, scan_pictured
from gleam.report.page import check_libraries, write_page
from gleam.report.served import answers
from gleam.terminal import counted, say, warn


def main(a: Arguments) -> None:
    """Run the verb."""
    if not a.files:
        raise BadInput("view: name an image, or a scan")
    if a.out is not None:
        if a.out.suffix != ".html":
            raise BadInput(f"{a.out}: the page is a .html file; give it that suffix")
        check_new(a.out, a.force)
    check_libraries()
    for path in a.files:
        check_exists(path, "name a file that is there")
    images = [is_image(path, a.of_scan.array.layout) for path in a.files]
    if all(images):
        scans, device = read_images(a.files, a.of_scan.array.layout), ""
    elif len(a.files) > 1:
        scan = a.files[images.index(False)]
        raise BadInput(f"{scan}: is a scan, which is looked at alone; name one scan, or images")
    else:
        scans, device = _scans(a, a.files[0])
    page = page_of(scans, ", ".join(path.name for path in a.files), device)
    if a.out is not None:
        make_folder(a.out.parent)
        for path in write_page(a.out, page, a.force):
            print(path)
        return
    attend(answers(page), a.port, a.browser)


def _scans(a: Arguments, path: Path) -> tuple[list[Pictured], str]:
    """Those of a file, reconstructed; and where."""
    methods = {name: reconstructor(name, a.device, force=a.force) for name in a.method}
    mask, settings = a.of_scan.mask_recipe("view"), a.of_scan.settings()
    settings = replace(settings, sets=sets_of(methods))
    device = described(next(iter(methods.values())).device)
    say(f"reconstructing on {device}")
    if path.suffix == ".h5" and is_example(path):
        return [_reconstructed(ExampleFile(path), methods, mask)], device
    found = read_scans(path, settings.layout, settings.measurement)
    wanted = choose(str(path), found, a.of_scan.part)
    pictured = list[Pictured]()

    def made(part: str, read: Callable[[], Scan]) -> None:
        pictured.append(_reconstructed(Prepared(read(), settings), methods, mask))

    of_each(path, wanted, made)
    return pictured, device


def _reconstructed(
    example: Example, methods: dict[str, Reconstructor], mask: MaskRecipe | None
) -> Pictured:
    warn(example.header.name, example.header.warnings)
    images = {}
    for name, method in methods.items():
        method.check(example, mask)
        with counted("reconstructing", example.shape[0]) as done:
            images[name] = reconstruct(method, example, mask, done)
        warn(name, images[name].doubts)
    return scan_pictured(example, images)
