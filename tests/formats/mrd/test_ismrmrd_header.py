from dataclasses import replace

import ismrmrd
import pytest

from gleam.errors import BadInput
from gleam.formats.mrd.header import Header, parse, serialise

HEADER = Header(
    encoded=(640, 372, 1),
    encoded_fov=(280.0, 162.8125, 4.5),
    recon=(320, 320, 1),
    recon_fov=(140.0, 140.0, 3.0),
    limits=(331, 166),
    contrast={"TR": 2750.0, "TE": 27.0, "TI": 100.0, "flip_angle": 140.0, "field_strength": 2.893},
)


def test_the_ismrmrd_package_reads_what_we_write():
    read = ismrmrd.xsd.CreateFromDocument(serialise(HEADER))
    encoding = read.encoding[0]
    matrix, fov = encoding.encodedSpace.matrixSize, encoding.encodedSpace.fieldOfView_mm
    assert (matrix.x, matrix.y, matrix.z) == HEADER.encoded
    assert (fov.x, fov.y, fov.z) == HEADER.encoded_fov
    matrix, fov = encoding.reconSpace.matrixSize, encoding.reconSpace.fieldOfView_mm
    assert (matrix.x, matrix.y, matrix.z) == HEADER.recon
    assert (fov.x, fov.y, fov.z) == HEADER.recon_fov
    limits = encoding.encodingLimits.kspace_encoding_step_1
    assert (limits.minimum, limits.maximum, limits.center) == (0, 331, 166)
    assert encoding.trajectory == ismrmrd.xsd.trajectoryType.CARTESIAN
    assert read.sequenceParameters.TR == [2750]
    assert read.sequenceParameters.TE == [27]
    assert read.sequenceParameters.TI == [100]
    assert read.sequenceParameters.flipAngle_deg == [140]
    assert read.acquisitionSystemInformation.systemFieldStrength_T == pytest.approx(2.893)
    assert read.experimentalConditions.H1resonanceFrequency_Hz == pytest.approx(
        123.1766e6, rel=1e-6
    )
    assert read.subjectInformation is None


@pytest.mark.parametrize("header", [HEADER, replace(HEADER, limits=None, contrast={})])
def test_round_trip(header):
    assert parse(serialise(header)) == header


def test_we_read_what_the_ismrmrd_package_writes():
    xml = ismrmrd.xsd.ToXML(ismrmrd.xsd.CreateFromDocument(serialise(HEADER)))
    assert parse(xml.encode()) == HEADER


def test_a_scanner_header(shared_data):
    with ismrmrd.Dataset(shared_data / "ismrmrd_Skyra_R3acs_14ch.h5", create_if_needed=False) as d:
        header = parse(d.read_xml_header())
    assert header.encoded == (384, 144, 1)
    assert header.recon_fov == (280, 210, 8)
    assert header.limits == (105, 54)
    assert header.contrast["TE"] == 1.62
    assert set(header.contrast) == {"TR", "TE", "TI", "flip_angle", "field_strength"}


def test_a_header_without_an_image_asked_for():
    whole = serialise(HEADER)
    start, end = (whole.index(tag) for tag in (b"<reconSpace>", b"<encodingLimits>"))
    header = parse(whole[:start] + whole[end:])
    assert header.recon == HEADER.encoded
    assert header.recon_fov == HEADER.encoded_fov
    (warning,) = header.warnings
    assert "no reconSpace" in warning


@pytest.mark.parametrize(
    ("given", "taken", "warned"),
    [((0.0, 3.0), (3.0, 3.0), 0), ((4.5, 0.0), (4.5, 4.5), 0), ((0.0, 0.0), (1.0, 1.0), 1)],
)
def test_a_field_of_view_of_0_along_z_is_not_known(given, taken, warned):
    x, y, _ = HEADER.encoded_fov
    u, v, _ = HEADER.recon_fov
    said = replace(HEADER, encoded_fov=(x, y, given[0]), recon_fov=(u, v, given[1]))
    header = parse(serialise(said))
    assert (header.encoded_fov, header.recon_fov) == ((x, y, taken[0]), (u, v, taken[1]))
    assert len(header.warnings) == warned
    assert all("0 mm along z; slices are taken to be 1 mm thick" in w for w in header.warnings)


def test_a_field_of_view_in_metres():
    metres = tuple(length / 1000 for length in HEADER.encoded_fov)
    header = parse(serialise(replace(HEADER, encoded_fov=metres)))
    assert header.encoded_fov == metres
    assert "0.28 × 0.162812 mm: are these metres?" in header.warnings[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"cartesian", b"spiral", "'spiral'; only Cartesian"),
        (b"cartesian", b"a" * 10**6, f"'{'a' * 40}'; only Cartesian"),
        (b"<x>640</x>", b"<x>many</x>", "encodedSpace/matrixSize/x is 'many'"),
        (b"<x>640</x>", b"", "encodedSpace/matrixSize/x is ''"),
        (b"<x>640</x>", b"<x>-640</x>", "'-640'"),
        (b"<x>280.0</x>", b"<x>inf</x>", "'inf'"),
        (b"<x>280.0</x>", b"<x>nan</x>", "'nan'"),
        (b"<x>280.0</x>", b"<x>0</x>", "fieldOfView_mm/x is '0', not a number from"),
        (b"<z>4.5</z>", b"<z>-1</z>", "fieldOfView_mm/z is '-1', not a number from 0"),
        (b"<x>320</x>", b"", "reconSpace/matrixSize/x is ''"),
        (b"<x>640</x>", b"<x>0.5</x>", "'0.5', not a number from 1 to 65535"),
        (b"<x>640</x>", b"<x>65536</x>", "'65536', not a number from 1 to 65535"),
        (b"<maximum>331</maximum>", b"<maximum>1e9</maximum>", "'1e9', not a number from 0"),
        (b"<maximum>331</maximum>", b"<maximum>\n?\n</maximum>", "maximum is '?'"),
        (b"</ismrmrdHeader>", b"", "well-formed"),
        (b"<?xml", b"\x00<?xml", "well-formed"),
        (b'"1.0"?', b'"1.0" encoding="klingon"?', "well-formed"),
    ],
)
def test_broken_headers_are_refused(old, new, message):
    xml = serialise(HEADER)
    assert old in xml
    with pytest.raises(BadInput) as caught:
        parse(xml.replace(old, new, 1))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE h [<!ENTITY n "640">]>',
        '<!DOCTYPE h [<!ENTITY n SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE h SYSTEM "http://127.0.0.1/h.dtd">',
        '<!DOCTYPE h [<!ENTITY a "aa"><!ENTITY n "&a;&a;&a;">]>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_and_their_entities_are_refused(declaration, encoding):
    body = serialise(HEADER).decode().partition("\n")[2].replace("<x>640</x>", "<x>&n;</x>")
    xml = f'<?xml version="1.0" encoding="{encoding}"?>{declaration}{body}'.encode(encoding)
    with pytest.raises(BadInput, match="document type"):
        parse(xml)


def test_names_in_latin_1_that_do_not_say_so():
    vendor = b"<systemVendor>H\xe4ndler</systemVendor><systemFieldStrength_T>"
    xml = serialise(HEADER).replace(b"<systemFieldStrength_T>", vendor)
    assert b"H\xe4ndler" in xml
    assert parse(xml) == parse(serialise(HEADER))
