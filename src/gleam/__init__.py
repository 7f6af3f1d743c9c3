"""GLEAM: greedy learning for accelerated MRI (arXiv 2207.08393)."""

from importlib.metadata import version

__version__ = version("gleam-mri")
