"""Preparation of scans into example files: everything that is done once, so that training need not.

It imports formats, physics and data, but no recipe and no network: what it writes
serves every experiment. Begin at `prepare`; `jobs` does it for many scans.
"""
