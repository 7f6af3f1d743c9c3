"""GLEAM: greedy learning for accelerated MRI (arXiv 2207.08393).

Everything that is meant to be used from Python is here, under the names below; see docs/python.md.
The rooms below may change. Nothing is imported before it is asked for.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gleam import threads

if TYPE_CHECKING:  # the same names for editors and type checkers
    from gleam.errors import BadInput as BadInput
    from gleam.errors import Stopped as Stopped
    from gleam.face.arrays import from_array as from_array
    from gleam.face.checks import Check as Check
    from gleam.face.checks import check as check
    from gleam.face.evaluations import Evaluation as Evaluation
    from gleam.face.evaluations import evaluate as evaluate
    from gleam.face.examples import Example as Example
    from gleam.face.examples import mask as mask
    from gleam.face.examples import open as open
    from gleam.face.examples import prepare as prepare
    from gleam.face.footprints import footprint as footprint
    from gleam.face.images import Image as Image
    from gleam.face.methods import reconstruct as reconstruct
    from gleam.face.pages import view as view
    from gleam.face.pages import watch as watch
    from gleam.face.pages import write_report as write_report
    from gleam.face.plans import Plan as Plan
    from gleam.face.plans import plan as plan
    from gleam.face.runs import Run as Run
    from gleam.face.runs import adapt as adapt
    from gleam.face.runs import export as export
    from gleam.face.runs import open_run as open_run
    from gleam.face.runs import train as train
    from gleam.face.scans import Scan as Scan
    from gleam.face.scans import load as load
    from gleam.face.scans import simulate as simulate
    from gleam.networks import ModelBased as ModelBased
    from gleam.networks import ProximalGradient as ProximalGradient
    from gleam.networks import Regulariser as Regulariser
    from gleam.networks import Unrolled as Unrolled
    from gleam.physics.baselines import cg_sense as cg_sense
    from gleam.physics.baselines import zero_filled as zero_filled
    from gleam.physics.compressed_sensing import wavelet as wavelet
    from gleam.physics.espirit import espirit as espirit
    from gleam.physics.linear import LinearOperator as LinearOperator
    from gleam.physics.measurement import Measurement as Measurement
    from gleam.physics.operators import Coils as Coils
    from gleam.physics.operators import Fourier as Fourier
    from gleam.physics.operators import Sampling as Sampling
    from gleam.physics.sense import Sense as Sense
    from gleam.training.flow import train_step as train_step
    from gleam.training.greedy import greedy as greedy
    from gleam.training.module import GreedyModule as GreedyModule

    __version__: str

_HOMES = {
    "gleam.errors": "BadInput Stopped",
    "gleam.face.arrays": "from_array",
    "gleam.face.checks": "Check check",
    "gleam.face.evaluations": "Evaluation evaluate",
    "gleam.face.examples": "Example mask open prepare",
    "gleam.face.footprints": "footprint",
    "gleam.face.images": "Image",
    "gleam.face.methods": "reconstruct",
    "gleam.face.pages": "view watch write_report",
    "gleam.face.plans": "Plan plan",
    "gleam.face.runs": "Run adapt export open_run train",
    "gleam.face.scans": "Scan load simulate",
    "gleam.networks": "ModelBased ProximalGradient Regulariser Unrolled",
    "gleam.physics.baselines": "cg_sense zero_filled",
    "gleam.physics.compressed_sensing": "wavelet",
    "gleam.physics.espirit": "espirit",
    "gleam.physics.linear": "LinearOperator",
    "gleam.physics.measurement": "Measurement",
    "gleam.physics.operators": "Coils Fourier Sampling",
    "gleam.physics.sense": "Sense",
    "gleam.training.flow": "train_step",
    "gleam.training.module": "GreedyModule",
    "gleam.training.greedy": "greedy",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME)

if "torch" not in sys.modules:  # which reads how its threads wait when it is imported
    threads.settle()


if not TYPE_CHECKING:  # to whom any name would do, then

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("gleam-mri")
        if name not in _HOME:
            raise AttributeError(f"gleam has no {name!r}; dir(gleam) lists what it has")
        found = globals()[name] = getattr(import_module(_HOME[name]), name)
        return found


def __dir__() -> list[str]:
    return __all__
