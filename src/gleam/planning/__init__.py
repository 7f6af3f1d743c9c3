"""The needs of a training, without running it: its memory, its time, and what fits.

It imports what makes a training step of a recipe, and starts none. Begin at `footprint`; `trace` is
what all of it rests on, and `plan` chooses among schemes by it.
"""
