"""The algorithm alone: how gradients flow, what is stored for them, losses, optimizers, memory.

It imports torch, networks, metrics and physics, and knows neither files, nor processes, nor a loop.
Begin at `flow`; `storage` says what a module keeps for its backward pass.
"""
