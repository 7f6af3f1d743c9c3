"""DIRECT's recurrent variational network, whose cascades hand on a hidden state.

Source: Yiasemis et al., "Recurrent variational network: a deep learning inverse problem solver
applied to the task of accelerated MRI reconstruction", CVPR 2022; https://github.com/NKI-AI/direct
(`pip install direct-recon`).
"""

from typing import Any

from direct.data.transforms import fft2, ifft2
from direct.nn.recurrentvarnet.recurrentvarnet import RecurrentVarNet

from gleam.arrays import AnyTensor
from gleam.networks.adapters.kspace import Cascade, KSpace, Pairs, State


class Recurrent(Cascade):
    """A cascade that also takes, and gives, the hidden state; the first begins without one."""

    def step(self, state: State, *inputs: AnyTensor) -> tuple[Pairs, *tuple[State, ...]]:
        """See `Cascade`."""
        kspace, hidden = self.cascade(*inputs, state.get("hidden"))
        return kspace, {"hidden": hidden}


def recurrent_varnet(
    iterations: int, hidden: int = 64, layers: int = 4, normalized: bool = False
) -> KSpace:
    """`RecurrentVarNet` of so many blocks, which share no parameters.

    Args:
        iterations: blocks.
        hidden: channels of the hidden state.
        layers: of the recurrent unit.
        normalized: normalise its input.
    """
    fields: dict[str, Any] = {
        "num_steps": iterations,
        "recurrent_hidden_channels": hidden,
        "recurrent_num_layers": layers,
        "normalized": normalized,
    }
    net = RecurrentVarNet(fft2, ifft2, **fields)
    return KSpace(map(Recurrent, net.block_list))
