"""Arrays in MATLAB files of each version."""

import h5py
import numpy as np
import scipy.io


def save73(path, **arrays):
    """Version 7.3 by its description: 512 bytes of header, axes reversed, complex as pairs."""
    pair = np.dtype([("real", "<f8"), ("imag", "<f8")])
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            if np.iscomplexobj(array):
                stored = np.empty(array.shape[::-1], pair)
                stored["real"], stored["imag"] = array.T.real, array.T.imag
            else:
                stored = array.T
            file.create_dataset(name, data=stored, chunks=True, compression="gzip")
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")


def save7(path, **arrays):
    scipy.io.savemat(path, arrays, do_compression=True)


def save6(path, **arrays):
    scipy.io.savemat(path, arrays)
