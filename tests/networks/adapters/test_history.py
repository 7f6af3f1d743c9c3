"""Cascades with history, of which no package can be installed: ours are called as theirs are."""

import torch
from packages import measured
from torch import nn

from gleam.networks.adapters.history import History, reduced
from gleam.networks.unrolled import Unrolled


class Prompted(nn.Module):
    """K-space, a latent image and the history of features: each is seen in what comes out."""

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.rand(3))
        self.width = width

    def forward(self, kspace, measured, mask, maps, history, buffer):
        image = reduced(kspace, maps)
        shown = image if buffer is None else image + buffer.mean(1, keepdim=True)
        latent = self.weights[0] * shown
        history = latent if history is None else torch.cat([history, latent], 1)
        change = torch.where(mask, kspace - measured, 0)
        grown = self.weights[1] * history.mean(1, keepdim=True)
        expanded = torch.fft.fftn(torch.view_as_complex(grown + latent), dim=(-2, -1))
        new = kspace - self.weights[2] * change + 0.01 * torch.view_as_real(expanded)
        return new, latent, history


def test_history_and_buffer_are_those_of_the_networks_own_loop() -> None:
    torch.manual_seed(0)
    cascades = [Prompted() for _ in range(3)]
    network = History(cascades)
    measurement, _ = measured(10, 12, batch=2)
    state = network.first(measurement)
    kspace = measured_kspace = state["kspace"][:, 0]
    maps = state["maps"][:, 0]
    mask = torch.fft.fftshift(measurement.mask[:, :, 0], dim=(-1,))[..., None]
    zero_filled = reduced(measured_kspace, maps)
    history = buffer = None
    for block, cascade in zip(network.blocks, cascades, strict=True):
        state = block(state, measurement)
        kspace, latent, history = cascade(kspace, measured_kspace, mask, maps, history, buffer)
        normal = reduced(torch.where(mask, kspace, 0), maps)
        buffer = torch.cat([normal, latent, zero_filled, normal - zero_filled], 1)
        torch.testing.assert_close(state["kspace"][:, 0], kspace)
        torch.testing.assert_close(state["history"], history)
    assert state["history"].shape[1] == 3
    image = Unrolled(network.blocks, network_state(network)).image(state)
    assert image.shape == measurement.adjoint.shape


def network_state(network: History):
    from gleam.networks.foreign import Foreign

    return Foreign(network, "History")
