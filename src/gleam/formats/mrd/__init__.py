"""MRD (ISMRMRD): files, and the rules by which acquisitions become scans, which twix follows too.

It imports what all formats share. Begin at `acquisitions`, where the rules stand; `file` reads
files, `image` writes images.
"""
