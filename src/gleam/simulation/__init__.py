"""Scans made up from procedural anatomy, for training without data and for trying things out."""

from gleam.simulation.scan import simulate_scan
from gleam.simulation.simulate import simulate

__all__ = ["simulate", "simulate_scan"]
