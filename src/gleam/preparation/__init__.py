"""From a scan to an example file: everything that is done once, so that training need not.

It reads scans and computes with physics; it knows no recipe and no network, so what it writes
serves every experiment. Begin at `prepare`; `jobs` does it for many scans.
"""
