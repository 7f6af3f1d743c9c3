"""Cascades that hand on features of all cascades before them, as those of PromptMR+ do.

A cascade is called as its `PromptMRBlock` is, and gives k-space, a latent image, and the history:

    cascade(k-space, measured k-space, mask, maps, history, buffer) → k-space, latent, history

The buffer is what the next cascade's U-Net is shown beside the image: AᴴA of the k-space, the
latent image, the zero-filled image, and the difference of the first and the last. Its code is no
installable package; your own `build` imports it and gives `History(net.cascades, net.sens_net)`.

Source: Xin et al., "Rethinking deep unrolled model for accelerated MRI reconstruction", ECCV 2024.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gleam.arrays import AnyTensor
from gleam.networks.adapters.kspace import Cascade, KSpace, Pairs, State, centred_ifft


class Remembering(Cascade):
    """A cascade with history."""

    def step(self, state: State, *inputs: AnyTensor) -> tuple[Pairs, *tuple[State, ...]]:
        """See `Cascade`."""
        kspace, measured, mask, maps = inputs
        zero_filled = reduced(measured, maps)
        buffer = None
        if "latent" in state:
            normal = reduced(torch.where(mask, kspace, 0), maps)
            buffer = torch.cat([normal, state["latent"], zero_filled, normal - zero_filled], 1)
        kspace, latent, history = self.cascade(*inputs, state.get("history"), buffer)
        return kspace, {"latent": latent, "history": history}


class History(KSpace):
    """The adapter.

    Args:
        cascades: as said above.
        sensitivities: estimates maps before the first, see `Cascade`.
    """

    def __init__(self, cascades: Iterable[nn.Module], sensitivities: nn.Module | None = None):
        super().__init__(
            Remembering(one, None if k else sensitivities) for k, one in enumerate(cascades)
        )


def reduced(kspace: Pairs, maps: Pairs) -> Float[Tensor, "images 1 *space 2"]:
    """Σ_coil conj(maps) · F⁻¹ k-space, (images, 1, *space, 2) as real pairs."""
    axes = tuple(range(3 - kspace.ndim, 0))
    coils = centred_ifft(torch.view_as_complex(kspace), axes)
    combined = (torch.view_as_complex(maps).conj() * coils).sum(1, keepdim=True)
    return torch.view_as_real(combined)
