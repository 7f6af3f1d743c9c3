"""GLEAM's operators in MRpro, and MRpro's in GLEAM (`pip install mrpro`).

Both speak of A, A.H and A.gram; MRpro's operators give tuples, GLEAM's tensors.
"""

import torch
from mrpro.algorithms.optimizers import cg
from mrpro.operators import FastFourierOp, LinearOperator

import gleam


class ToMrpro(LinearOperator):
    """A linear operator of GLEAM as one of MRpro."""

    def __init__(self, operator: gleam.LinearOperator) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        """A x."""
        return (self.operator(x),)

    def adjoint(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        """Aᴴ x."""
        return (self.operator.H(x),)


class FromMrpro(gleam.LinearOperator):
    """A linear operator of MRpro as one of GLEAM."""

    def __init__(self, operator: LinearOperator) -> None:
        self.operator = operator

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A x."""
        return self.operator(x)[0]

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Aᴴ y."""
        return self.operator.adjoint(y)[0]


def main(size: int = 64, acceleration: float = 2.0) -> dict[str, float]:
    """Print and return what differs: their solution of our model, and their FFT as ours."""
    data = gleam.prepare(gleam.simulate((size, size), slices=1))
    measurement, _ = data.measure(gleam.mask(acceleration=acceleration))
    sense = ToMrpro(measurement.sense)
    image = gleam.cg_sense(measurement)
    (y,) = (sense.gram + 0.1)(image)  # MRpro's algebra, of our operator
    (theirs,) = cg(sense.gram + 0.1, y, max_iterations=50, tolerance=1e-6)

    fourier = FromMrpro(FastFourierOp(dim=(-2, -1)))
    back = fourier.H(fourier(image))
    differences = {
        "solved by MRpro": float((theirs - image).norm() / image.norm()),
        "MRpro's Fourier transform, there and back": float((back - image).norm() / image.norm()),
    }
    for what, difference in differences.items():
        print(f"{what}: {difference:.1e} off")
    return differences


if __name__ == "__main__":
    main()
