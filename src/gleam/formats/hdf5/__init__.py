"""HDF5 that others wrote, read without trust in it, and how ours is written.

It imports what all formats share. Begin at `file`; `array` reads scans that are bare arrays.
"""
