"""Training: how gradients flow, what is stored, and the loop around it."""
