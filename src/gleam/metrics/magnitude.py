"""The magnitude of a complex image: what the fastMRI metrics look at."""

import torch
from jaxtyping import Float
from torch import Tensor

from gleam.arrays import Image


def magnitude(image: Image) -> Float[Tensor, "batch frame *space"]:
    """Root sum of squares over the map sets; its gradient is 0 where the image is 0."""
    joined: Tensor = torch.linalg.vector_norm(image, dim=1)
    return joined
