"""The ISMRMRD header of one Cartesian encoding: XML to a few numbers, and back.

Source: the ISMRMRD schema, https://ismrmrd.readthedocs.io, `ismrmrd.xsd`. Matrix sizes and fields
of view (mm) are (x, y, z), x being the readout. A document type definition is refused, and with it
every entity. Only what a reconstruction needs is read: no subject, no study.

`ChopY` and `ChopZ` are user parameters of GE's scans on mridata.org, 0 where the sign of every
other line was left alternating (https://github.com/MRSRL/mridata-recon, `recon_2d_fse.py`).

Converters leave out what they do not know. Where there is no `reconSpace`, the image is all that
was encoded. A field of view of 0 along z is not known: that of the other space is taken, or 1 mm
for each partition. Warnings say so, and that a field of view below 1 mm is most likely in metres.
"""

import math
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from gleam.errors import BadInput

_NAMESPACE = "http://www.ismrm.org/ISMRMRD"
_MOST = 65535.0  # of what the schema counts; and of a length in mm
_PROTON_HZ_PER_TESLA = 42.577478518e6
SIEMENS_TICK = 2.5  # ms
_STEP_1 = "encoding/encodingLimits/kspace_encoding_step_1"
_STEP_2 = "encoding/encodingLimits/kspace_encoding_step_2"
_NOISE_BANDWIDTH = "acquisitionSystemInformation/relativeReceiverNoiseBandwidth"
_VENDOR = "acquisitionSystemInformation/systemVendor"
_ECHO_SPACING = "sequenceParameters/echo_spacing"
_CONTRAST = {
    "TR": "sequenceParameters/TR",
    "TE": "sequenceParameters/TE",
    "TI": "sequenceParameters/TI",
    "flip_angle": "sequenceParameters/flipAngle_deg",
    "field_strength": "acquisitionSystemInformation/systemFieldStrength_T",
}


@dataclass(frozen=True)
class Header:
    """One encoding.

    Attributes:
        encoded, recon: matrix sizes (x, y, z) of k-space and of the image asked for.
        encoded_fov, recon_fov: their fields of view in mm.
        limits: of the phase-encoding lines, (maximum, centre), counted from 0; None if not said.
        contrast: TR, TE, TI in ms, flip_angle in degrees, field_strength in tesla, where known.
        limits_2: as `limits`, of the second phase encoding of a 3D scan.
        calibration: "embedded", "interleaved", "separate", "external" or "other"; "" if not said.
        noise_bandwidth: of the receiver, as a fraction of the sampling bandwidth.
        alternating: whether the sign of every other line alternates, along (y, z).
        tick: of the lines' time stamps, in ms; None where the vendor is not known to have one.
        echo_spacing: in ms; 0 if not said.
        warnings: of what the header says, as in `Scan`.
    """

    encoded: tuple[int, int, int]
    encoded_fov: tuple[float, float, float]
    recon: tuple[int, int, int]
    recon_fov: tuple[float, float, float]
    limits: tuple[int, int] | None
    contrast: dict[str, str | float]
    limits_2: tuple[int, int] | None = None
    calibration: str = ""
    noise_bandwidth: float = 1.0
    alternating: tuple[bool, bool] = (False, False)
    tick: float | None = None
    echo_spacing: float = 0.0
    warnings: tuple[str, ...] = ()


class _NoDoctype(ET.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise BadInput("the header brings its own document type, which is not safe; remove it")


def parse(xml: bytes, encoding: int = 0) -> Header:
    """Read the header.

    Args:
        xml: all of it.
        encoding: which of its encodings, counted from 0.

    Raises:
        BadInput: not XML, not an ISMRMRD header, not Cartesian, or a number is missing or wrong.
            The message does not name the file: the caller knows it.
    """
    root = _root(xml)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]

    encodings = root.findall("encoding")
    if encoding >= max(1, len(encodings)):  # where there is none, a number will be missing
        raise BadInput(f"the header describes {len(encodings)} encodings, none of them {encoding}")
    for other in encodings[:encoding] + encodings[encoding + 1 :]:
        root.remove(other)

    trajectory = root.findtext("encoding/trajectory", "cartesian").strip()
    if trajectory.lower() != "cartesian":
        raise BadInput(f"the trajectory is {trajectory[:40]!r}; only Cartesian scans can be used")

    def number(field: str, least: float, most: float) -> float:
        text = root.findtext(field, "")
        value = _number(text)
        if value is None or not least <= value <= most:
            raise BadInput(
                f"the header's {field} is {text.strip()[:40]!r}, not a number from {least:g} to "
                f"{most:g}"
            )
        return value

    def sizes(field: str) -> tuple[int, int, int]:
        x, y, z = (int(number(f"encoding/{field}/{axis}", 1.0, _MOST)) for axis in "xyz")
        return x, y, z

    def lengths(field: str) -> tuple[float, float, float]:
        x, y = (number(f"encoding/{field}/{axis}", 1 / _MOST, _MOST) for axis in "xy")
        z = number(f"encoding/{field}/z", 0.0, _MOST)
        return x, y, z if z >= 1 / _MOST else 0.0

    def limits(field: str) -> tuple[int, int] | None:
        if root.find(field) is None:
            return None
        maximum, centre = (
            int(number(f"{field}/{one}", 0.0, _MOST)) for one in ("maximum", "center")
        )
        return maximum, centre

    user = {
        parameter.findtext("name", ""): parameter.findtext("value", "").strip()
        for parameter in root.iterfind("userParameters/userParameterLong")
    }
    contrast = {name: _number(root.findtext(field, "")) for name, field in _CONTRAST.items()}
    warnings = []
    spaces = ("encodedSpace", "reconSpace")
    if root.find("encoding") is not None and root.find("encoding/reconSpace") is None:
        spaces = ("encodedSpace", "encodedSpace")
        warnings.append(
            "its header has no reconSpace; all that was encoded is the image, and no oversampling "
            "is cropped"
        )
    encoded, recon = (sizes(f"{space}/matrixSize") for space in spaces)
    encoded_fov, recon_fov = (lengths(f"{space}/fieldOfView_mm") for space in spaces)
    if not (encoded_fov[2] or recon_fov[2]):
        warnings.append(
            "its header has a field of view of 0 mm along z; slices are taken to be 1 mm thick"
        )
    if max(encoded_fov[:2]) < 1:
        warnings.append(
            f"its header has a field of view of {encoded_fov[0]:g} × {encoded_fov[1]:g} mm: are "
            "these metres? Sizes in mm are taken from it"
        )
    return Header(
        encoded,
        (*encoded_fov[:2], encoded_fov[2] or recon_fov[2] or float(encoded[2])),
        recon,
        (*recon_fov[:2], recon_fov[2] or encoded_fov[2] or float(recon[2])),
        limits(_STEP_1),
        {name: value for name, value in contrast.items() if value is not None},
        limits(_STEP_2),
        root.findtext("encoding/parallelImaging/calibrationMode", "").strip(),
        _number(root.findtext(_NOISE_BANDWIDTH, "")) or 1.0,
        (user.get("ChopY") == "0", user.get("ChopZ") == "0"),
        SIEMENS_TICK if "siemens" in root.findtext(_VENDOR, "").lower() else None,
        _number(root.findtext(_ECHO_SPACING, "")) or 0.0,
        tuple(warnings),
    )


def _root(xml: bytes) -> ET.Element:
    """The XML's outermost element.

    Scanners have names in Latin-1, and not all converters say so or bring them to UTF-8.
    """
    texts: list[bytes | str] = [xml]
    try:
        xml.decode()
    except UnicodeDecodeError:
        texts.append(xml.decode("latin-1"))
    for text in texts:
        try:
            return ET.fromstring(text, ET.XMLParser(target=_NoDoctype()))
        except (ET.ParseError, ValueError, LookupError) as error:  # the latter: unknown encodings
            wrong = error
    raise BadInput("the header is not well-formed XML") from wrong


def _number(text: str) -> float | None:
    """A finite number ≥ 0, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None


def serialise(header: Header) -> bytes:
    """Write the header of a static 2D scan, valid by the schema; `parse` reads the same back.

    What follows `contrast` in a `Header` is not written.
    """
    root = ET.Element("ismrmrdHeader", xmlns=_NAMESPACE)

    def put(field: str, value: object) -> None:
        """Set the element at a path below the root, making what is missing on the way."""
        node = root
        for tag in field.split("/"):
            child = node.find(tag)
            node = ET.SubElement(node, tag) if child is None else child
        node.text = str(value)

    def put_triple(field: str, values: tuple[int, ...] | tuple[float, ...]) -> None:
        for axis, value in zip("xyz", values, strict=True):
            put(f"encoding/{field}/{axis}", value)

    # In the schema's order, which is part of validity.
    known = {k: v for k, v in header.contrast.items() if k in _CONTRAST and not isinstance(v, str)}
    tesla = known.pop("field_strength", 0.0)
    if tesla:
        put(_CONTRAST["field_strength"], tesla)
    put("experimentalConditions/H1resonanceFrequency_Hz", round(tesla * _PROTON_HZ_PER_TESLA))
    put_triple("encodedSpace/matrixSize", header.encoded)
    put_triple("encodedSpace/fieldOfView_mm", header.encoded_fov)
    put_triple("reconSpace/matrixSize", header.recon)
    put_triple("reconSpace/fieldOfView_mm", header.recon_fov)
    if header.limits:
        maximum, centre = header.limits
        for name, value in (("minimum", 0), ("maximum", maximum), ("center", centre)):
            put(f"{_STEP_1}/{name}", value)
    put("encoding/trajectory", "cartesian")
    for name in sorted(known, key=list(_CONTRAST).index):
        put(_CONTRAST[name], known[name])
    return b'<?xml version="1.0"?>\n' + bytes(ET.tostring(root))
