"""Other packages' networks, small, beside our adapters of them."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import noise, toy_image, toy_kspace, toy_sense

from gleam.networks import Unrolled, build
from gleam.physics.measurement import Measurement
from gleam.physics.sense import Sense
from gleam.recipe import NetworkRecipe

ADAPTERS = "gleam.networks.adapters"


def installed(package: str, install: str) -> Any:
    """A module of another package, or the test is skipped with what to install."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(package)
    except (ImportError, RuntimeError) as error:  # torchvision of another torch is a RuntimeError
        pytest.skip(f"needs {install}: pip install {install} ({error})")


def network(reference: str, iterations: int, **arguments: object) -> Unrolled:
    dimensions = arguments.get("spatial_dims", 2)
    return build(
        NetworkRecipe(
            family="python", build=f"{ADAPTERS}.{reference}", iterations=iterations,
            arguments=arguments, dimensions=dimensions,
        )
    )  # fmt: skip


def measured(*space: int, axes: tuple[int, ...] = (-1,), batch: int = 2, frames: int = 1):
    """A measurement that knows its k-space, and its target.

    Its masks keep the centre, and leave out the edges, which some networks take for granted.
    """
    sense = toy_sense(space=space, axes=axes, batch=batch, frames=frames)
    centre, edge = torch.zeros(2, *space, dtype=torch.bool)
    for axis in axes:
        where = torch.arange(space[axis]) - space[axis] // 2
        shape = [-1 if a == axis else 1 for a in range(-len(space), 0)]
        centre = centre | (where.abs() <= 2).reshape(shape)
        edge = edge | (where.abs() >= (space[axis] - 1) // 2).reshape(shape)
    sizes = [slice(None) if a in axes else slice(1) for a in range(-len(space), 0)]
    kept, left = (torch.fft.ifftshift(x, dim=axes)[*sizes] for x in (centre, edge))
    sense = replace(sense, mask=(sense.mask | kept) & ~left)
    target = toy_image(sense, frames)
    kspace = (sense.forward(target) + 0.1 * toy_kspace(sense, frames)) * sense.mask
    levels = torch.full((batch,), 0.1)
    return replace(Measurement.of(sense, kspace, levels), read=lambda: kspace), target


def given_to_others(measurement: Measurement) -> tuple[Tensor, Tensor, Tensor]:
    """K-space, mask and maps as other packages want them, written a second time to check against.

    K-space and maps are (batch, coil, *space, 2), centred along all space axes; one frame.
    """
    sense: Sense = measurement.sense
    space = tuple(range(3 - sense.maps.ndim + 1, 0))
    coil_images = torch.fft.ifftn(measurement.kspace()[:, :, 0], dim=sense.axes, norm="ortho")
    shifted = torch.fft.ifftshift(coil_images, dim=space)
    kspace = torch.fft.fftshift(torch.fft.fftn(shifted, dim=space, norm="ortho"), dim=space)
    mask = torch.fft.fftshift(sense.mask[:, :, 0], dim=sense.axes)[..., None]
    return torch.view_as_real(kspace), mask, torch.view_as_real(sense.maps[:, 0, :, 0])


@dataclass(frozen=True)
class Theirs:
    """A network of another package, made anew, beside ours.

    Attributes:
        ours: as a recipe builds it.
        theirs: with the weights of ours.
        cascades: of theirs, the parts that ours has as blocks.
        image: what theirs makes of the measurement, by its own forward pass.
        same: ours, of the state after the last block: what is to equal it.
        measurement, target: a small problem.
    """

    ours: Unrolled
    theirs: nn.Module
    image: Callable[[], Tensor]
    same: Callable[[dict[str, Any]], Tensor]
    measurement: Measurement
    target: Tensor


def _rss(state: dict[str, Any]) -> Tensor:
    kspace = torch.view_as_complex(state["kspace"][:, 0])
    space = tuple(range(2 - kspace.ndim, 0))
    coils = torch.fft.ifftn(torch.fft.ifftshift(kspace, dim=space), dim=space, norm="ortho")
    return torch.fft.fftshift(coils, dim=space).abs().square().sum(1).sqrt()


def _alike(theirs: nn.Module, ours: nn.Module) -> None:
    theirs.load_state_dict(ours.state_dict())


def fastmri_varnet(iterations: int = 3, **size: int) -> Theirs:
    varnet = installed("fastmri.models.varnet", "fastmri")
    small = {"chans": 4, "pools": 2, "sens_chans": 2, "sens_pools": 2} | size
    ours = network("fastmri:varnet", iterations, **small)
    theirs = varnet.VarNet(
        iterations, small["sens_chans"], small["sens_pools"], small["chans"], small["pools"]
    )
    _alike(theirs.sens_net, ours.iterations[0].sensitivities)
    for block, cascade in zip(ours.iterations, theirs.cascades, strict=True):
        _alike(cascade, block.cascade)
    measurement, target = measured(20, 18)
    kspace, mask, _ = given_to_others(measurement)
    return Theirs(ours, theirs, lambda: theirs(kspace, mask), _rss, measurement, target)


def monai_varnet(spatial_dims: int = 2, iterations: int = 3, width: int = 4) -> Theirs:
    where = "monai.apps.reconstruction.networks.nets"
    varnet = installed(f"{where}.varnet", "monai")
    unet = import_module(f"{where}.complex_unet").ComplexUnet
    maps = import_module(f"{where}.coil_sensitivity_model").CoilSensitivityModel
    features = (width,) * 6
    ours = network(
        "monai:varnet", iterations, spatial_dims=spatial_dims,
        features=[*features], sens_features=[*features],
    )  # fmt: skip
    theirs = varnet.VariationalNetworkModel(
        maps(spatial_dims, features), unet(spatial_dims, features), iterations, spatial_dims
    )
    _alike(theirs.coil_sensitivity_model, ours.iterations[0].sensitivities)
    for k, block in enumerate(ours.iterations):
        theirs.cascades[k] = type(theirs.cascades[k])(
            unet(spatial_dims, features), spatial_dims
        )  # its own class leaves this at 2
        _alike(theirs.cascades[k], block.cascade)
    space = (6, 10, 20) if spatial_dims == 3 else (20, 18)
    measurement, target = measured(*space, batch=1)
    kspace, mask, _ = given_to_others(measurement)
    return Theirs(ours, theirs, lambda: theirs(kspace, mask), _rss, measurement, target)


def direct_recurrent_varnet(iterations: int = 3, hidden: int = 4) -> Theirs:
    varnet = installed("direct.nn.recurrentvarnet.recurrentvarnet", "direct-recon")
    transforms = import_module("direct.data.transforms")
    ours = network("direct:recurrent_varnet", iterations, hidden=hidden, layers=2)
    theirs = varnet.RecurrentVarNet(
        transforms.fft2, transforms.ifft2, num_steps=iterations,
        recurrent_hidden_channels=hidden, recurrent_num_layers=2,
    )  # fmt: skip
    for block, cascade in zip(ours.iterations, theirs.block_list, strict=True):
        _alike(cascade, block.cascade)
    measurement, target = measured(20, 18, axes=(-2, -1))
    kspace, mask, maps = given_to_others(measurement)
    return Theirs(
        ours,
        theirs,
        lambda: theirs(kspace, mask, maps),
        lambda state: state["kspace"][:, 0],
        measurement,
        target,
    )


def deepinv_pgd(iterations: int = 3, width: int = 4) -> Theirs:
    deepinv = installed("deepinv", "deepinv")
    ours = network("deepinv:proximal_gradient", iterations, width=width, depth=3)
    denoisers = [
        deepinv.models.DnCNN(2, 2, depth=3, nf=width, pretrained=None) for _ in range(iterations)
    ]
    theirs = deepinv.optim.PGD(
        data_fidelity=deepinv.optim.L2(),
        prior=[deepinv.optim.PnP(one) for one in denoisers],
        stepsize=[1.0] * iterations, max_iter=iterations, unfold=True, early_stop=False,
        trainable_params=["stepsize"],
    )  # fmt: skip
    for block, denoiser in zip(ours.iterations, denoisers, strict=True):
        _alike(denoiser, block.prior.denoiser)
    measurement, target = measured(20, 18)
    kspace, mask, maps = given_to_others(measurement)
    physics = deepinv.physics.MultiCoilMRI(
        mask=mask[..., 0].expand(-1, -1, 20, 18).float(),
        coil_maps=torch.view_as_complex(maps.contiguous()), img_size=(2, 20, 18),
    )  # fmt: skip
    theirs_kspace = kspace.movedim(-1, 1)  # (batch, 2, coil, y, x)
    return Theirs(
        ours,
        theirs,
        lambda: theirs(theirs_kspace, physics),
        lambda state: state["est"][0],
        measurement,
        target,
    )


PACKAGES: dict[str, Callable[[], Theirs]] = {
    "fastmri": fastmri_varnet,
    "monai 2D": monai_varnet,
    "monai 3D": partial(monai_varnet, 3),
    "direct": direct_recurrent_varnet,
    "deepinv": deepinv_pgd,
}

__all__ = ["PACKAGES", "Theirs", "installed", "measured", "network", "noise"]
