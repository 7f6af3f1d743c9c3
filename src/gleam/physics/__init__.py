"""The forward model y = M F S x + n and what is needed to build it and to solve it."""
