"""MONAI's end-to-end variational network, of slices and of volumes.

Source: Sriram et al., "End-to-end variational networks for accelerated MRI reconstruction", MICCAI
2020; https://github.com/Project-MONAI/MONAI, apps/reconstruction (`pip install monai`).
"""

from collections.abc import Sequence

from monai.apps.reconstruction.networks.blocks.varnetblock import VarNetBlock
from monai.apps.reconstruction.networks.nets.coil_sensitivity_model import CoilSensitivityModel
from monai.apps.reconstruction.networks.nets.complex_unet import ComplexUnet

from gleam.networks.adapters.kspace import Cascade, KSpace


def varnet(
    iterations: int,
    spatial_dims: int = 2,
    features: Sequence[int] = (18, 18, 36, 72, 144, 18),
    sens_features: Sequence[int] = (8, 8, 16, 32, 64, 8),
    sensitivities: bool = True,
) -> KSpace:
    """`VariationalNetworkModel` of so many cascades.

    Its own class makes cascades that transform two axes of a volume only; here they transform as
    many as there are.

    Args:
        iterations: cascades.
        spatial_dims: 3 of volumes, with network.dimensions: 3.
        features: of the cascades' U-Nets.
        sens_features: of the U-Net that estimates coil sensitivities.
        sensitivities: have it; it is trained with the first module. Else the scan's own are taken.
    """
    net = CoilSensitivityModel(spatial_dims, sens_features) if sensitivities else None
    return KSpace(
        Cascade(VarNetBlock(ComplexUnet(spatial_dims, features), spatial_dims), None if k else net)
        for k in range(iterations)
    )
