"""Unfolded algorithms of DeepInverse: each iteration with its own prior and step.

Source: Tachella et al., "DeepInverse: a Python package for solving imaging inverse problems with
deep learning", arXiv 2505.20160; https://github.com/deepinv/deepinv (`pip install deepinv`, which
wants the torchvision that goes with your torch).
"""

from typing import Any

import torch
from deepinv.models import DnCNN
from deepinv.optim import PGD, BaseOptim
from deepinv.optim.data_fidelity import L2
from deepinv.optim.prior import PnP
from deepinv.physics import LinearPhysics
from jaxtyping import Float
from torch import Tensor, nn

from gleam.arrays import Image
from gleam.physics.measurement import Measurement

State = dict[str, Any]


class Iteration(nn.Module):
    """One iteration of an unfolded algorithm, with what it alone learns."""

    def __init__(self, model: BaseOptim, k: int) -> None:
        super().__init__()
        self.prior = model.update_prior_fn(k)
        self.data_fidelity = model.update_data_fidelity_fn(k)
        self.iterator = model.fixed_point.iterator
        chosen = model.update_params_fn(k)
        self.learnt = nn.ParameterDict(
            {name: value for name, value in chosen.items() if isinstance(value, nn.Parameter)}
        )
        self.fixed = {n: value for n, value in chosen.items() if n not in self.learnt}

    def forward(self, state: State, measurement: Measurement) -> State:
        """One iteration; the measured k-space travels along."""
        *_, frames, height, width = measurement.adjoint.shape
        sense = measurement.sense

        def image(channels: Tensor) -> Image:
            return to_image(channels, frames)

        physics = LinearPhysics(
            img_size=(2, height, width),
            A=lambda x, **_: sense.forward(image(x)),
            A_adjoint=lambda y, **_: to_channels(sense.adjoint(y)),
        )
        parameters = self.fixed | dict(self.learnt.items())
        iterate = {name: value for name, value in state.items() if name not in _OURS}
        given = self.data_fidelity, self.prior, parameters, state["measured"], physics
        after: State = self.iterator(iterate, *given)
        return {name: state[name] for name in _OURS} | after


_OURS = ("measured", "frames")  # of a state, beside what the algorithm has in it


class Unfolded:
    """The adapter of such a model.

    Args:
        model: as `deepinv.optim` makes it with `unfold=True`, on images of two channels, and with a
            prior (and what else learns) for every iteration.
    """

    def __init__(self, model: BaseOptim) -> None:
        self.blocks = [Iteration(model, k) for k in range(model.max_iter)]

    def first(self, measurement: Measurement) -> State:
        """The first state: both iterates at Aᴴy, as by default there."""
        channels = to_channels(measurement.adjoint)
        return {
            "est": (channels, channels),
            "cost": None,
            "measured": measurement.kspace(),
            "frames": measurement.adjoint.shape[2],
        }

    def image(self, state: State) -> Image:
        """(batch, 1, frame, y, x)."""
        return to_image(state["est"][0], state["frames"])


def proximal_gradient(
    iterations: int, width: int = 64, depth: int = 8, step: float = 1.0
) -> Unfolded:
    """Unfolded proximal gradient, with a DnCNN as the denoiser of each iteration.

    Args:
        iterations: of the algorithm.
        width, depth: features and convolutions of the denoisers.
        step: the gradient's, learnt for each.
    """
    denoisers = [DnCNN(2, 2, depth=depth, nf=width, pretrained=None) for _ in range(iterations)]
    model = PGD(
        data_fidelity=L2(),
        prior=[PnP(denoiser) for denoiser in denoisers],
        stepsize=[step] * iterations,
        max_iter=iterations,
        unfold=True,
        trainable_params=["stepsize"],
        early_stop=False,
    )
    return Unfolded(model)


def to_channels(image: Image) -> Float[Tensor, "images 2 y x"]:
    """Real and imaginary parts; frames are images of their own."""
    return torch.view_as_real(image[:, 0].flatten(0, 1)).movedim(-1, 1)


def to_image(channels: Float[Tensor, "images 2 y x"], frames: int) -> Image:
    """The inverse of `to_channels`."""
    image = torch.view_as_complex(channels.movedim(1, -1).contiguous())
    return image.reshape(-1, 1, frames, *image.shape[1:])
