"""Lines and headers of Siemens files, as a scanner writes them."""

import struct
from itertools import product

import numpy as np
from scipy.spatial.transform import Rotation
from twixtools import mdh_def
from twixtools.mdb import Mdb_local

COILS, COLUMNS, LINES = 3, 16, 10
PROTOCOL = {
    "sKSpace.ucTrajectory": "0x1",
    "sKSpace.ucDimension": "0x2",
    "sKSpace.lBaseResolution": COLUMNS // 2,
    "sKSpace.lPhaseEncodingLines": LINES,
    "sKSpace.lPartitions": 16,  # there in 2D protocols, too
    "sKSpace.lImagesPerSlab": 16,
    "sSliceArray.asSlice[0].dReadoutFOV": 240.0,
    "sSliceArray.asSlice[0].dPhaseFOV": 200.0,
    "sSliceArray.asSlice[0].dThickness": 5.0,
    "alTR[0]": 10000,
    "alTE[0]": 3000,
    "alTE[1]": 15000,
    "alTI[0]": 300000,
    "sPrepPulses.ucInversion": "0x4",
    "adFlipAngleDegree[0]": 15.0,
    "sProtConsistencyInfo.flNominalB0": 2.89362001419,
    "tProtocolName": '"gre^of^Jane^Doe"',
}
MEAS = """<XProtocol> {{
  <ParamString."tPatientName"> {{ "Doe^Jane" }}
  <ParamDouble."flReadoutOSFactor"> {{ <Precision> 6  2.000000 }}
  <ParamLong."alRegridMode"> {{ {regrid} 1 }}
}}"""


def header(regrid=1, padding=0, **changes):
    """The buffers at the start of a measurement: a name, a length and text each."""
    lines = (PROTOCOL | {key.replace("__", "."): value for key, value in changes.items()}).items()
    ascconv = "".join(f"{key}\t = \t{value}\n" for key, value in lines if value is not None)
    texts = {
        "Meas": MEAS.format(regrid=regrid),
        "MeasYaps": f"### ASCCONV BEGIN ###\n{ascconv}\n### ASCCONV END ###\n",
    }
    body = struct.pack("<I", len(texts))
    for name, text in texts.items():
        body += name.encode() + b"\0" + struct.pack("<I", len(text)) + text.encode()
    size = max(padding, (len(body) + 4 + 31) // 32 * 32)
    return np.frombuffer((struct.pack("<I", size) + body).ljust(size, b"\0"), "S1")


def line(data, flags=(), axes=None, position=(0.0, 0.0, 0.0), **fields):
    """A line as the scanner writes it; counters by Siemens' names, as CenterLin=5 or Lin=3."""
    block = Mdb_local(np.asarray(data, np.complex64))
    block.mdh.CenterCol = data.shape[1] // 2
    block.mdh.CenterLin = LINES // 2
    for name, value in fields.items():
        where = block.mdh.Counter if hasattr(block.mdh.Counter, name) else block.mdh
        setattr(where, name, value)
    place = block.mdh.SliceData.SlicePos
    place.Sag, place.Cor, place.Tra = position
    rotation = Rotation.from_matrix(np.eye(3) if axes is None else np.stack(axes, axis=1))
    x, y, z, w = rotation.as_quat()
    block.mdh.SliceData.Quaternion[:] = w, x, y, z
    for flag in flags:
        block.add_flag(flag)
    return block


def vb(kspace):
    """By its description: a header, then a head for each channel of each line."""
    coils, columns, lines = kspace.shape
    content = header(padding=10000).tobytes()
    for n, channel in product(range(lines), range(coils)):
        head = mdh_def.VB17_header(
            FlagsAndDMALength=128 + 8 * columns,
            SamplesInScan=columns,
            UsedChannels=coils,
            CenterCol=columns // 2,
            CenterLin=lines // 2,
            ChannelId=channel,
        )
        head.Counter.Lin = n
        head.SliceData.Quaternion[:] = 1, 0, 0, 0
        content += bytes(head) + kspace[channel, :, n].tobytes()
    return content + bytes(mdh_def.VB17_header(EvalInfoMask=1, SamplesInScan=16)) + bytes(128)
