"""Somebody else's network, as a recipe of family python names it: it knows nothing of GLEAM.

Its state is a dict: the image, and features that every block hands to the next.
"""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(2 + width, width, 3, padding=1),
            nn.BatchNorm2d(width, momentum=0.3),
            nn.ReLU(),
            nn.Conv2d(width, 2 + width, 3, padding=1),
        )
        self.step = nn.Parameter(torch.tensor(0.5))

    def forward(self, state, measurement):
        image, features = state["image"], state["features"]
        gradient = measurement.sense.normal(image) - measurement.adjoint
        image = image - self.step * gradient
        batch, _, frames, *_ = image.shape
        parts = torch.view_as_real(image).movedim(-1, 1)[:, :, 0].movedim(2, 1).flatten(0, 1)
        changes = self.cnn(torch.cat([parts, features], 1))
        change = changes[:, :2].unflatten(0, (batch, frames)).movedim(2, -1).contiguous()
        return {
            "image": image + 0.1 * torch.view_as_complex(change)[:, None],
            "features": torch.tanh(changes[:, 2:]),
        }


class MyNet:
    def __init__(self, iterations, width):
        self.width = width
        self.blocks = [Block(width) for _ in range(iterations)]

    def first(self, measurement):
        image = measurement.adjoint
        batch, _, frames, *space = image.shape
        return {
            "image": image,
            "features": image.real.new_zeros(batch * frames, self.width, *space),
        }

    def image(self, state):
        return state["image"]


def build(iterations, width=4):
    return MyNet(iterations, width)


class Plain(nn.Module):
    """A block whose state is the image, and which looks nowhere else."""

    def __init__(self):
        super().__init__()
        self.step = nn.Parameter(torch.tensor(0.5))

    def forward(self, state, measurement):
        return state - self.step * (measurement.sense.normal(state) - measurement.adjoint)


class Everything:
    """Says all that an adapter may say."""

    def __init__(self, iterations):
        self.blocks = [Plain() for _ in range(iterations)]

    def first(self, measurement):
        return measurement.adjoint

    def image(self, state):
        return state

    def shapes(self, image):
        return image

    def reach(self, axis):
        return 0


def shared(iterations):
    """All blocks are one."""
    net = Everything(1)
    net.blocks *= iterations
    return net


def broken(iterations):
    raise RuntimeError("no such luck")


def blockless(iterations):
    return object()


number = 3
