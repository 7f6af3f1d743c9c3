"""Pages made of templates: one HTML file that needs nothing else and no network.

Its security policy allows the scripts that are in it and no others. Pictures that do not fit on one
page go to further ones beside it, each of which says where the rest is.
"""

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from gleam.errors import BadInput
from gleam.evaluation.scores import METRICS
from gleam.evaluation.statistics import CONFIDENCE
from gleam.files import check_new, replacing
from gleam.report import scripts
from gleam.report.scans import Shown, blocks, common_gain, facts, shared_out
from gleam.words import not_installed


@dataclass(frozen=True)
class Page:
    """The content of a page.

    Attributes:
        template: its name among this package's templates.
        title: its heading.
        extent: how much there is, a few words each.
        sentences: the outcome.
        colours: of methods, by name.
        scans: pictured ones.
        device: what the images were computed on, in words; empty where nothing was.
        plots: by name, see `gleam.report.plots`.
        tests: what `gleam.report.quality.distribution` says of each test set.
        parts: whatever else the template needs.
    """

    template: str
    title: str
    extent: Sequence[str] = ()
    sentences: Sequence[str] = ()
    colours: dict[str, str] = field(default_factory=dict)
    scans: Sequence[Shown] = ()
    device: str = ""
    plots: dict[str, dict[str, Any]] = field(default_factory=dict)
    tests: Sequence[dict[str, Any]] = ()
    parts: dict[str, Any] = field(default_factory=dict)


def check_libraries() -> None:
    """Say early that a report cannot be written.

    Raises:
        BadInput: jinja2 is not installed.
    """
    if find_spec("jinja2") is None:
        raise BadInput(f"the report {not_installed('jinja2', 'report')}")


def write_page(path: Path, page: Page, force: bool = True) -> list[Path]:
    """Write a page to `path`, in one go, and its further ones beside it.

    All text that comes from elsewhere (names of methods, scans, runs) is escaped.

    Args:
        path: of the first.
        page: what it shows.
        force: replace what is there; how many pages it takes is not known before.

    Returns:
        The files, `path` first.

    Raises:
        BadInput: jinja2 is not installed; a file is there, or cannot be written.
    """
    texts = rendered(page, path.name)
    paths = [path.with_name(name) for name in texts]
    check_new(path, force, beside=paths[1:])
    for goal, text in reversed([*zip(paths, texts.values(), strict=True)]):
        with replacing(goal) as temporary:  # the first comes last, as it names the others
            temporary.write_text(text, encoding="utf-8")
    return paths


def rendered(page: Page, name: str) -> dict[str, str]:
    """A page and its further ones as HTML, by the names of their files.

    Args:
        page: what it shows.
        name: of the first.

    Raises:
        BadInput: jinja2 is not installed.
    """
    check_libraries()
    sets, gain = shared_out(page.scans), common_gain(page.scans)
    first = Path(name)
    names = [name, *(str(first.with_stem(f"{first.stem}-{n}")) for n in range(2, len(sets) + 1))]
    every = [
        (file, [one.scan.scan for one in scans]) for file, scans in zip(names, sets, strict=True)
    ]
    return {
        file: _rendered(page, scans, gain, [one for one in every if one[0] != file], file == name)
        for file, scans in zip(names, sets, strict=True)
    }


def _rendered(
    page: Page,
    scans: Sequence[Shown],
    gain: int,
    others: Sequence[tuple[str, list[str]]],
    first: bool,
) -> str:
    content = {
        "scans": [facts(number, one, page.colours) for number, one in enumerate(scans)],
        "gain": gain,
        "colours": page.colours,
        "plots": page.plots if first else {},
        "tests": page.tests if first else [],
        "metrics": {key: vars(metric) for key, metric in METRICS.items()},
    }
    # `<` of a name could end the element that holds it.
    payload = json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    viewer = scripts.joined(scripts.VIEWER if scans else scripts.PLAIN)
    libraries = [scripts.library(name) for name in scripts.LIBRARIES]
    packed = [blocks(number, one) for number, one in enumerate(scans)]
    template = page.template if first else "pictures.html"
    return render(
        template,
        (*libraries, viewer),
        **page.parts,
        title=page.title,
        extent=page.extent,
        sentences=page.sentences,
        colours=page.colours,
        plots=page.plots,
        pictured=bool(scans),
        others=others,
        first_blocks=packed[0] if packed else [],
        other_blocks=[block for one in packed[1:] for block in one],
        content=payload,
        libraries=libraries,
        viewer=viewer,
        metrics=METRICS,
        confidence=f"{CONFIDENCE:.0%}",
        environment=_environment(page.device),
    )


def render(template: str, run: tuple[str, ...], **content: Any) -> str:
    """A template as HTML.

    Args:
        template: its name among this package's.
        run: the scripts that may run.
        content: what it shows; text is escaped.

    Raises:
        BadInput: jinja2 is not installed.
    """
    check_libraries()
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gleam.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    allowed, style = scripts.allowed(run), scripts.style()
    return environment.get_template(template).render(content, allowed=allowed, style=style)


def _environment(device: str) -> list[tuple[str, str]]:
    return [
        ("GLEAM", version("gleam-mri")),
        ("Python", platform.python_version()),
        ("PyTorch", torch.__version__),
        ("NumPy", version("numpy")),
        ("System", f"{platform.system()} {platform.machine()}"),
    ] + [("Computed on", device)] * bool(device)
