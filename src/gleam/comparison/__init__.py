"""Training schemes side by side: at equal memory, equal steps and equal wall-clock.

It imports evaluation and all below; its page is in `report`. Begin at `plan`, what is compared,
and `compare`, which measures, fits, trains and scores.
"""
