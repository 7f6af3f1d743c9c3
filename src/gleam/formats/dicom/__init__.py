"""DICOM images, written with a place in space and read as series.

It imports what all formats share. Begin at `writer`; `reader` reads what any scanner wrote.
"""
