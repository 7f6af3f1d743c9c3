"""Example files, and batches of them: what a network is given, step by step.

It imports the recipe, formats and physics, and nothing that learns. Begin at `example`, the file's
contract; `loader` says which examples make which batch, `collate` makes it.
"""
