"""fastMRI's end-to-end variational network.

Source: Sriram et al., "End-to-end variational networks for accelerated MRI reconstruction", MICCAI
2020; https://github.com/facebookresearch/fastMRI (`pip install fastmri`).
"""

from fastmri.models.varnet import VarNet

from gleam.networks.adapters.kspace import Cascade, KSpace


def varnet(
    iterations: int,
    chans: int = 18,
    pools: int = 4,
    sens_chans: int = 8,
    sens_pools: int = 4,
    sensitivities: bool = True,
) -> KSpace:
    """`VarNet` of so many cascades.

    Args:
        iterations: cascades.
        chans, pools: of the cascades' U-Nets.
        sens_chans, sens_pools: of the U-Net that estimates coil sensitivities.
        sensitivities: have it; it is trained with the first module. Else the scan's own are taken.
    """
    net = VarNet(iterations, sens_chans, sens_pools, chans, pools)
    first = net.sens_net if sensitivities else None
    return KSpace(Cascade(cascade, None if k else first) for k, cascade in enumerate(net.cascades))
