"""Publications of runs, evaluations and comparisons: pages, pictures, tables and words.

It imports what it tells of, and computes no score itself. Begin at `evaluation` and `comparison`,
which put a page together.
"""
