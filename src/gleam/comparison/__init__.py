"""Training schemes side by side: at equal memory, equal steps and equal wall-clock."""
