"""The learning rate as a function of the step alone: nothing to save, nothing to restore."""

import math


def warmup_cosine(step: int, highest: float, warmup: int, steps: int) -> float:
    """Rise linearly to `highest` over `warmup` steps, then fall to zero along a half cosine."""
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    return highest * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
