"""The forward model y = M F S x + n, what is needed to build it, and its classical solvers.

It imports torch and a few plain helpers, no file format, recipe or network. Begin at `sense`, the
operator; `measurement` is what a network reconstructs from.
"""
