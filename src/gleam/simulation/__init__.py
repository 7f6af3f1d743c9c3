"""Scans made up from procedural anatomy, or from an image, for training without data.

It writes scan files as formats do, and imports nothing above them. Begin at `anatomy`.
"""

from gleam.simulation.from_image import simulate_from_image
from gleam.simulation.scan import simulate_scan
from gleam.simulation.simulate import simulate

__all__ = ["simulate", "simulate_from_image", "simulate_scan"]
