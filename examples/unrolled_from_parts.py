"""An unrolled network from GLEAM's physics and a CNN of your own, trained greedily on a scan.

    python examples/unrolled_from_parts.py

Each iteration regularises by the CNN, then solves for data consistency by conjugate gradients
(MoDL). The loop is yours; masks are drawn afresh in every step.
"""

from functools import partial

import torch
from torch import Tensor, nn

import gleam


class YourCNN(nn.Module):
    """Real and imaginary part in, their change out; zero at first, so that physics begins."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, width, 3, padding=1)
        self.last = nn.Conv2d(width, 2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(images, 2, y, x) → the same shape."""
        return self.last(torch.relu(self.first(x)))


def loss(image: Tensor, target: Tensor) -> Tensor:
    """Mean |image − target| of complex images (batch, set, frame, y, x)."""
    return (image - target).abs().mean()


def main(iterations: int = 6, steps: int = 100, size: int = 96, width: int = 16) -> list[float]:
    """Print and return the error of zero filling, and that of the network before and after."""
    torch.manual_seed(0)
    data = gleam.prepare(gleam.simulate((size, size), slices=4))
    mask = gleam.mask("random", acceleration=4)
    regularisers = [gleam.Regulariser(YourCNN(width), dimensions=2) for _ in range(iterations)]
    net = gleam.Unrolled(gleam.ModelBased(r, weight=0.05, steps=5) for r in regularisers)

    modules = gleam.greedy(net.iterations, 2, optimizer=partial(torch.optim.Adam, lr=1e-3))

    unseen, target = data.measure(mask, slices=3, seed=0)  # the fourth slice is not learnt from
    with torch.no_grad():
        errors = [float(loss(image, target)) for image in (unseen.adjoint, net(unseen))]
    for step in range(steps):
        A, seen = data.measure(mask, slices=step % 3, seed=step)
        gleam.train_step(modules, net.first(A), A, seen, loss)
    with torch.no_grad():
        errors.append(float(loss(net(unseen), target)))
    print("zero-filled {:.4f}, untrained {:.4f}, trained {:.4f}".format(*errors))
    return errors


if __name__ == "__main__":
    main()
