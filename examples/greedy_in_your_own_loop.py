"""Train a network that knows nothing of GLEAM, in a loop that is not GLEAM's: five lines more.

    python examples/greedy_in_your_own_loop.py

A cascade of small CNNs learns to take noise off images. End-to-end, its activations lie in memory
twelve times over; in twelve greedy modules, once. torch's own schedulers stay in charge of the
learning rate, and the network is used and saved as ever.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

import gleam


class Cascade(nn.Module):
    """x ← x + CNN(x), and one more after the other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 1, 3, padding=1)
        )

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 1, y, x) → the same shape."""
        return image + self.cnn(image)


def batches(count: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Noisy images of boxes, and the images."""
    for _ in range(count):
        clean = (torch.rand(4, 1, 8, 8) > 0.5).float()
        clean = nn.functional.interpolate(clean, size=(size, size))
        yield clean + 0.5 * torch.randn_like(clean), clean


def main(cascades: int = 12, steps: int = 200, size: int = 64, width: int = 16) -> list[float]:
    """Print and return the last module's losses."""
    torch.manual_seed(0)
    net = nn.Sequential(*(Cascade(width) for _ in range(cascades)))
    modules = gleam.greedy(net, cascades, optimizer=partial(torch.optim.Adam, lr=2e-3))
    schedulers = [torch.optim.lr_scheduler.CosineAnnealingLR(m.optimizer, steps) for m in modules]
    history = []
    for noisy, clean in batches(steps, size):
        losses = gleam.train_step(modules, noisy, None, clean, nn.functional.mse_loss)
        for scheduler in schedulers:
            scheduler.step()
        history.append(float(losses[cascades - 1]))
    print(f"loss after the last cascade: {history[0]:.4f} at first, {history[-1]:.4f} at last")
    torch.save(net.state_dict(), "net.pt")
    return history


if __name__ == "__main__":
    main()
