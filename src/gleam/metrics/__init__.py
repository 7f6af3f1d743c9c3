"""Metrics of image quality: one file per metric, every definition said in full.

They import torch alone. Begin at `psnr`.
"""

from gleam.metrics.magnitude import magnitude
from gleam.metrics.nmse import nmse
from gleam.metrics.psnr import psnr_complex, psnr_magnitude, psnr_per_frame
from gleam.metrics.ssim import ssim

__all__ = ["magnitude", "nmse", "psnr_complex", "psnr_magnitude", "psnr_per_frame", "ssim"]
