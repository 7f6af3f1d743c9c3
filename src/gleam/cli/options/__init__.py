"""Options of each verb: one file per verb.

They import little, as a help text is to appear at once. Begin at `train`.
"""
