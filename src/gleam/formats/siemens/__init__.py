"""Raw data of Siemens scanners (twix), read without trust in what the file says of itself.

It imports what all formats share, and MRD's rules. Begin at `twix`.
"""
