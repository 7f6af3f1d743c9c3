"""A reconstruction server for scanners: k-space in, images out, over the MRD streaming protocol.

It imports reconstruction and formats. Begin at `server`; `session` is one scan's.
"""
