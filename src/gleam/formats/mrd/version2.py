"""MRD version 2, which is not read: recognised, and refused with what converts it.

Sources: https://github.com/ismrmrd/mrd and https://github.com/microsoft/yardl. A stream begins with
the letters `yardl`; an HDF5 file has a dataset `$yardl_schema` in its group `Mrd`.
"""

from pathlib import Path

from gleam.errors import BadInput
from gleam.formats.hdf5 import file as hdf5

_STREAM, _HDF5 = b"yardl", b"\x89HDF\r\n\x1a\n"
_GROUP, _SCHEMA = "Mrd", "$yardl_schema"


def refuse(path: Path) -> None:
    """Refuse a file of version 2; others pass, whatever they are.

    Raises:
        BadInput: it is one.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_HDF5))
    except OSError:
        return  # said by whoever reads it
    convert = f"mrd_to_ismrmrd < {path.name}"
    if start == _HDF5:
        with hdf5.opened(path) as opened:
            if not hdf5.holds(opened, _GROUP) or not hdf5.lies_here(opened, _GROUP):
                return
            if not hdf5.holds(hdf5.group(opened, _GROUP), _SCHEMA):
                return
        convert = f"mrd_hdf5_to_stream {path.name} | mrd_to_ismrmrd"
    elif not start.startswith(_STREAM):
        return
    raise BadInput(
        f"{path}: is MRD version 2; convert it to version 1, with `{convert} | "
        "ismrmrd_stream_to_hdf5 --use-stdin -o scan.h5`, of the packages mrd and ismrmrd"
    )
