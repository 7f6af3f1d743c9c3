"""How wrong gradients are when iterations are inverted instead of their activations kept.

Relative error of the gradient of all weights against stored activations, single precision, with
and without anchors. Simulated anatomy, 64 × 64, 4 coils, 4× equispaced lines; the last convolution
of every CNN, zero in an untrained network, is random and changes the image by some percent, as in
a trained one. Solves run to 1e-6. Run alone, it prints tables.
"""

from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks.measure import Figures, figure, show
from gleam.networks import InvertibleProximalGradient, ResNet, Unrolled, build
from gleam.networks.invertible import HIGHEST_STEP
from gleam.physics.measurement import Measurement
from gleam.physics.sampling import draw
from gleam.physics.sense import Sense
from gleam.recipe import NetworkRecipe
from gleam.simulation.anatomy import draw as draw_anatomy
from gleam.training import storage
