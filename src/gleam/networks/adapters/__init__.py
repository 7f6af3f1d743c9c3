"""Adapters of networks that other packages have; each is imported only where a recipe names it.

| network.build | of | install |
| --- | --- | --- |
| gleam.networks.adapters.fastmri:varnet | E2E-VarNet of fastMRI | fastmri |
| gleam.networks.adapters.monai:varnet | E2E-VarNet of MONAI, 2D and 3D | monai |
| gleam.networks.adapters.direct:recurrent_varnet | RecurrentVarNet of DIRECT | direct-recon |
| gleam.networks.adapters.deepinv:proximal_gradient | unfolded PGD of DeepInverse | deepinv |

`kspace` and `history` are for your own adapters of networks that work on k-space, or that hand on
features of all cascades before.
"""
