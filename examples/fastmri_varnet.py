"""fastMRI's end-to-end VarNet, as it is, trained in the memory of one cascade.

    pip install --no-deps fastmri && pip install pandas requests
    python examples/fastmri_varnet.py

Its data are multi-coil k-space (batch, coil, y, x, 2) in real pairs, its blocks are called with
k-space, what was measured of it, the mask, and sensitivities, which a network of its own estimates
and which learns with the first module. `python -m benchmarks.adapters` measures it.
"""

from functools import partial

import fastmri
import torch
from fastmri.models.varnet import VarNet
from torch import Tensor, nn

import gleam


def loss(kspace: Tensor, target: Tensor) -> Tensor:
    """Of the root-sum-of-squares image, (batch, y, x)."""
    image = fastmri.rss(fastmri.complex_abs(fastmri.ifft2c(kspace)), dim=1)
    return nn.functional.l1_loss(image, target)


def batch(size: int, coils: int) -> tuple[Tensor, Tensor, Tensor]:
    """Undersampled k-space, its mask, and the image of it all: put your data loader here."""
    image = nn.functional.interpolate(torch.rand(1, 1, 8, 8), size=(size, size))
    maps = torch.randn(1, coils, 1, 1, 2)
    kspace = fastmri.fft2c(image[..., None] * maps)
    mask = torch.rand(1, 1, 1, size, 1) < 0.25
    mask[..., size // 2 - 4 : size // 2 + 4, :] = True
    target = fastmri.rss(fastmri.complex_abs(fastmri.ifft2c(kspace)), dim=1)
    return kspace * mask, mask, target


def main(cascades: int = 12, steps: int = 10, size: int = 128, coils: int = 4) -> list[float]:
    """Print and return the last cascade's losses."""
    torch.manual_seed(0)
    net = VarNet(cascades)
    optimizer = partial(torch.optim.Adam, lr=1e-3)
    modules = gleam.greedy(net.cascades, cascades, optimizer=optimizer, with_first=net.sens_net)
    history = []
    for _ in range(steps):
        kspace, mask, target = batch(size, coils)
        given = kspace, mask, net.sens_net(kspace, mask)
        losses = gleam.train_step(modules, kspace, given, target, loss)
        history.append(float(losses[cascades - 1]))
        print(f"loss {history[-1]:.4f}", flush=True)
    return history


if __name__ == "__main__":
    main()
