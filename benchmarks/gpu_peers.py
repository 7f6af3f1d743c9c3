"""Other people's networks on the same layers, to be timed beside ours.

The CNN of every iteration is ours, so what differs is how it is unrolled, how data consistency is
computed and how gradients are taken: DeepInverse's `PGD` and `HQS` (which is MoDL) unfolded, with
its multi-coil operator; and the operator and the conjugate gradients of GLEAM's official code
(github.com/batuozt/GLEAM), looped over as there. All are trained end-to-end.

They are imported from a folder of unpacked wheels and sources, as machines with a GPU may be
offline: `deepinv` and what it needs; `ss_recon`.
"""

import importlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu_cases import Case
from gleam.networks import ResNet
from gleam.training.timing import settled

Step = Callable[[], None]


def peers(case: Case, folder: Path, device: torch.device) -> dict[str, Step]:
    """A training step of each peer that can be imported; what cannot is said."""
    sys.path.insert(0, str(folder))
    found: dict[str, Step] = {}
    for name, make in {"deepinv": _deepinv, "official": _official}.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found[name] = make(case, folder, device)
        except (ImportError, RuntimeError) as error:  # torchvision of another torch: RuntimeError
            print(f"{name}: cannot be used ({error})", flush=True)
    return found


class _Residual(nn.Module):
    """x + CNN(x) on real and imaginary parts, (batch, 2, y, x)."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        cnn = ResNet(2, case.width, blocks=2, kernel=3, dimensions=2)
        self.cnn = cnn.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor, *_: Any) -> Tensor:
        change: Tensor = self.cnn(x.contiguous(memory_format=torch.channels_last))
        return x + change


def _step(parameters: Any, loss: Callable[[], Tensor], device: torch.device) -> Step:
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)

    def step() -> None:
        loss().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        settled(device)

    return step


def _problem(case: Case, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Maps and k-space (batch, coil, y, x), mask and target (batch, y, x)."""
    sense, target = case.forward_model()
    kspace = sense.forward(target)[:, :, 0]
    mask = sense.mask[:, 0, 0].expand(-1, *case.space).float()
    tensors = sense.maps[:, 0, :, 0], kspace, mask, target[:, 0, 0]
    maps, kspace, mask, target = (x.to(device) for x in tensors)
    return maps, kspace, mask, target


def _deepinv(case: Case, folder: Path, device: torch.device) -> Step:
    deepinv = importlib.import_module("deepinv")
    maps, kspace, mask, target = _problem(case, device)
    physics = deepinv.physics.MultiCoilMRI(
        mask=mask[:, None],
        coil_maps=maps,
        img_size=(2, *case.space),
        device=device,
        max_iter=case.cg_steps,
        tol=0.0,
        solver="CG",
    )
    kind = deepinv.optim.HQS if case.family == "modl" else deepinv.optim.PGD
    network = kind(
        data_fidelity=deepinv.optim.L2(),
        prior=[deepinv.optim.PnP(_Residual(case).to(device)) for _ in range(case.iterations)],
        stepsize=[1.0] * case.iterations,
        max_iter=case.iterations,
        unfold=True,
        early_stop=False,
        trainable_params=["stepsize"],
    ).to(device)
    y = torch.view_as_real(kspace).movedim(-1, 1).contiguous()  # (batch, 2, coil, y, x)
    parts = torch.view_as_real(target).movedim(-1, 1)
    return _step(network.parameters(), lambda: (network(y, physics) - parts).abs().mean(), device)


def _official(case: Case, folder: Path, device: torch.device) -> Step:
    # It cannot read a version such as 2.13.0+cu130.
    vars(_alone("ss_recon.utils.env", folder))["_PT_VERSION"] = torch.__version__.split("+")[0]
    transforms = _alone("ss_recon.utils.transforms", folder)
    algorithms = _alone("ss_recon.modeling.meta_arch.algorithms", folder)
    maps, kspace, mask, target = _problem(case, device)
    A = transforms.SenseModel(maps.movedim(1, -1)[..., None], weights=mask[..., None])
    y = kspace.movedim(1, -1).contiguous()  # (batch, y, x, coil)
    cnns = nn.ModuleList(_Residual(case) for _ in range(case.iterations)).to(device)
    weight = 0.05
    solve = algorithms.ConjugateGradient(
        lambda x: A(A(x), adjoint=True) + weight * x, case.cg_steps
    )

    def regularised(cnn: nn.Module, image: Tensor) -> Tensor:
        parts = torch.view_as_real(image[..., 0]).permute(0, 3, 1, 2)
        parts = cnn(parts).permute(0, 2, 3, 1).contiguous()
        return torch.view_as_complex(parts)[..., None]

    def loss() -> Tensor:
        first = image = A(y, adjoint=True)
        for cnn in cnns:
            if case.family == "modl":
                image = solve(image, first + weight * regularised(cnn, image))
            else:
                image = image - 2 * (A(A(image), adjoint=True) - first)
                image = regularised(cnn, image)
        error: Tensor = (image[..., 0] - target).abs().mean()
        return error

    return _step(cnns.parameters(), loss, device)


def _alone(name: str, folder: Path) -> ModuleType:
    """A module without what the packages around it would import besides."""
    *packages, _ = name.split(".")
    for count in range(1, len(packages) + 1):
        package = ".".join(packages[:count])
        if package not in sys.modules:
            place = folder.joinpath(*packages[:count])
            if not place.is_dir():
                raise ImportError(f"no {package} in {folder}")
            sys.modules[package] = ModuleType(package)
            sys.modules[package].__path__ = [str(place)]
    return importlib.import_module(name)
