"""MATLAB's files, read without trust in them: bare arrays, and CMRxRecon's scans.

It imports what all formats share, and HDF5, which version 7.3 is. Begin at `file`.
"""
