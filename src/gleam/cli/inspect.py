"""gleam inspect: what a file holds, and what prepare would make of it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from gleam.amounts import rounded
from gleam.cli.options.inspect import Arguments
from gleam.cli.parts import part_of
from gleam.data.example import ExampleFile, is_example
from gleam.errors import BadInput
from gleam.face import pictures
from gleam.files import check_new
from gleam.formats import Scan, read_scans
from gleam.formats.parts import choose
from gleam.preparation.description import Facts, example_facts, scan_facts
from gleam.preparation.noise_file import checked_noise
from gleam.preparation.prepare import Prepared, Settings
from gleam.viewing.preview import Preview, of_example, of_scan
from gleam.words import counted, sized

_UNITS = {"flip_angle": "°", "field_strength": " T"}


def main(a: Arguments) -> None:
    """Run the verb."""
    if a.out is not None and a.out.suffix != ".png":
        raise BadInput(f"{a.out}: the picture is a .png file; give it that suffix")
    found: dict[str, tuple[Facts, Preview | None]]
    if a.file.suffix == ".h5" and is_example(a.file):
        example = ExampleFile(a.file)
        outs = _outs(a, [""])
        found = {"": ({"example": example_facts(example)}, of_example(example))}
    else:
        noise = checked_noise(a.noise, a.array.layout)
        settings = Settings(layout=a.array.layout, reference=a.reference, noise=noise)
        scans = read_scans(a.file, settings.layout, a.group)
        wanted = choose(str(a.file), scans, a.part)
        outs = _outs(a, list(wanted))
        found = {part: _of_scan(read, settings, len(wanted) > 1) for part, read in wanted.items()}
    for part, (facts, preview) in found.items():
        nothing = {"part": part, "scan": None, "example": None, "refused": None, "picture": None}
        _show({"file": str(a.file), **nothing, **facts}, preview, outs.get(part), a.json)


def _outs(a: Arguments, parts: list[str]) -> dict[str, Path]:
    """The picture of each part, where there are to be any.

    Raises:
        BadInput: one is there already.
    """
    if a.out is None:
        return {}
    outs = {part: part_of(a.out, part if len(parts) > 1 else "") for part in parts}
    for out in outs.values():
        check_new(out, a.force)
    return outs


def _of_scan(
    read: Callable[[], Scan], settings: Settings, one_of_several: bool
) -> tuple[Facts, Preview | None]:
    """Facts about a scan, and pictures of it; what is wrong with one of several is said."""
    example: Prepared | None = None
    facts: Facts = {}
    try:
        scan = read()
        facts["scan"] = scan_facts(scan)
    except BadInput as error:
        if not one_of_several:
            raise
        return {"refused": str(error)}, None
    try:
        example = Prepared(scan, settings)
        facts |= {"scan": scan_facts(example.scan), "example": example_facts(example)}
    except BadInput as error:
        facts["refused"] = str(error)
    return facts, of_scan(scan, example)


def _show(facts: Facts, preview: Preview | None, out: Path | None, as_json: bool) -> None:
    drawn = []
    if preview is not None:
        facts["picture"] = preview.method
        drawn = preview.pictures()
        if out is not None:
            pictures.save(drawn, out)
    if as_json:
        print(json.dumps(facts))
        return
    _print(facts, "" if preview is None else ", ".join(preview.images))
    if preview is not None and preview.caption:
        print(preview.caption)
    console = Console()
    if console.is_terminal and drawn:
        pictures.show(drawn, console)


def _print(facts: Facts, shown: str) -> None:
    print(facts["file"] + (f", part {facts['part']}" if facts["part"] else ""))
    if facts["scan"] is not None:
        _print_rows(_scan_rows(facts["scan"]))
        print("would be prepared to" if facts["example"] else "cannot be prepared")
    _print_rows(_example_rows(facts["example"]) if facts["example"] else {"why": facts["refused"]})
    for warning in (facts["example"] or facts["scan"] or {"warnings": ()})["warnings"]:
        print(f"warning: {warning}")
    if shown:
        print(f"{shown}, {facts['picture']}, and sampling of k-space")


def _print_rows(rows: dict[str, str]) -> None:
    for name, text in rows.items():
        print(f"  {name:<12}  {text}")


def _scan_rows(scan: Facts) -> dict[str, str]:
    axes, readout, samples = scan["axes"], scan["readout"], scan["noise_samples"]
    return {
        "format": scan["format"],
        "image": f"{sized(scan['matrix'])} ({' '.join(axes)}), "
        f"{counted(scan['slices'], 'slice')}, {counted(scan['frames'], 'frame')}",
        "k-space": f"{sized(scan['kspace'])}, {counted(scan['coils'], 'coil')}",
        "readout": f"{readout}, oversampled {scan['oversampling']:.3g}×"
        if readout
        else "not known",
        "acquired": f"{_ranges(axes, scan['acquired'])}, "
        f"{rounded(scan['acceleration'], 3)}× accelerated",
        "calibration": _calibration(scan),
        "noise scan": f"{samples} samples" if samples else "none",
        "voxel": _voxel(scan),
        "orientation": _orientation(scan["orientation"]),
        "contrast": ", ".join(map(_in_words, scan["contrast"].items())) or "not known",
    }


def _example_rows(example: Facts) -> dict[str, str]:
    return {
        "example": f"{sized(example['shape'])} (slice coil frame {' '.join(example['axes'])})",
        "Fourier axes": " ".join(example["fourier_axes"]),
        "calibration": sized(example["calibration"]),
        "map sets": str(example["sets"]),
        "target": "yes, fully sampled" if example["target"] else "none, undersampled",
    } | _partial_fourier(example["partial_fourier"])


def _partial_fourier(axes: list[str]) -> dict[str, str]:
    if not axes:
        return {}
    return {"partial": f"Fourier along {' '.join(axes)}: a phase constraint stands in for one side"}


def _calibration(scan: Facts) -> str:
    own, other = scan["calibration"], scan["reference"]
    text = _ranges(scan["axes"], own) if own else "none"
    return f"{text}; of another contrast {_ranges(scan['axes'], other)}" if other else text


def _voxel(scan: Facts) -> str:
    sizes, thickness = f"{sized(scan['voxel_mm'])} mm", scan["thickness_mm"]
    return sizes if thickness is None else f"{sizes}, slices {thickness:.4g} mm thick"


def _orientation(place: Facts | None) -> str:
    if place is None:
        return "not known"
    x, y, z = place["centre_mm"]
    tilt = f"{place['plane']}, tilted {place['tilt_degrees']:.3g}°"
    return f"{tilt}, centre at {x:.4g}, {y:.4g}, {z:.4g} mm (LPS)"


def _in_words(fact: tuple[str, str | float]) -> str:
    name, value = fact
    unit = _UNITS.get(name, " ms")
    return f"{name} {value}" if isinstance(value, str) else f"{name} {value:g}{unit}"


def _ranges(axes: Sequence[str], ranges: Sequence[Sequence[int]]) -> str:
    return ", ".join(
        f"{axis} {start} … {stop - 1}" for axis, (start, stop) in zip(axes, ranges, strict=True)
    )
