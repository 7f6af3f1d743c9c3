"""Scores of reconstructions: methods run over a test set, scored, with statistics.

It imports reconstruction, viewing and metrics; it draws and publishes nothing, which `report` does.
Begin at `evaluate`.
"""
