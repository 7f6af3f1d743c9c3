"""One-line faults that a test must notice, each at its present place.

They were put in by a reader who asked of each claim of the code: would anybody see it if this line
were wrong? A fault whose old text is gone is said by `tests.mutants`, and gets its new place here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A change of one place.

    Attributes:
        file: below the repository; of `src/gleam`, below that.
        old: what stands there, once in the file, or `at` times before it.
        new: what is to stand there.
        at: which of several places with the old text, counted from 0.
        unseen: why no quick test notices it, where that is known and accepted.
    """

    file: str
    old: str
    new: str
    at: int = 0
    unseen: str = ""


FAULTS = [
    Fault("physics/baselines.py", "weight: float = 0.04", "weight: float = 0.4"),
    Fault("physics/baselines.py", " - window // 2)", ")"),
    Fault("physics/noise.py", "_SHARE = 0.1", "_SHARE = 0.0"),
    Fault("physics/noise.py", "_WIDTHS = 7, 3", "_WIDTHS = 7, 7"),
    Fault("physics/noise.py", "_PATCHES = (5, 7), (5, 5)", "_PATCHES = (1, 7), (1, 5)"),
    Fault("physics/noise.py", "_FEWEST = 4", "_FEWEST = 2"),
    Fault("physics/noise.py", "_ROWS = 3", "_ROWS = 1"),
    Fault("physics/noise.py", "_OTHERS = 2", "_OTHERS = 20"),
    Fault("physics/noise.py", "_OWED = 0.2", "_OWED = 2.0"),
    Fault("physics/espirit.py", "2 * samples // 5", "samples // 2"),
    Fault("physics/espirit.py", "crop: float = 0.8,", "crop: float = 0.5,"),
    Fault("physics/espirit.py", "crop: float = 0.8,", "crop: float = 0.5,", at=1),
    Fault("physics/sense.py", "if maps.is_cuda else 1)", "if True else 1)"),
    Fault("physics/cg.py", "clamp_min(number.tiny / number.eps)", "clamp_min(0)"),
    Fault("physics/kt_sampling.py", "_JITTER = 0.1", "_JITTER = 0.0"),
    Fault("networks/consistency.py", ".clamp(1e-2, 1e2)", ""),
    Fault("physics/noise.py", "USUAL_NOISE = 0.05", "USUAL_NOISE = 0.5"),
    Fault("networks/construction.py", "seed * 100_003 + k", "seed * 100_003"),
    Fault(
        "networks/construction.py",
        "min(recipe.step, TOTAL_STEP / recipe.iterations)",
        "recipe.step",
    ),
    Fault("networks/state.py", "return max(sum(", "return min(sum("),
    Fault(
        "networks/convolution.py",
        "elif stride == (2, 2, 2):",
        "elif False:",
        unseen="needs a CPU with AMX",
    ),
    Fault("training/storage.py", "AIM, WORST = 1e-3, 1e-2", "AIM, WORST = 1e-1, 1e-2"),
    Fault("training/storage.py", "if error > WORST:", "if False:"),
    Fault("training/offload.py", "tensor.dtype, tensor._version)", "tensor.dtype, version)"),
    Fault("training/offload.py", "SMALL = 1024", "SMALL = 2**40"),
    Fault("training/meter.py", " + sum(tensor.nbytes for tensor in state)", ""),
    Fault("runs/pace.py", "round(1e3 * median(seconds), 3)", "0.0"),
    Fault("runs/record.py", "if not final > done.best_psnr:", "if not final >= done.best_psnr:"),
    Fault("runs/learner.py", "Cost(peak, state_bytes(self.modules) + ", "Cost(peak, "),
    Fault(
        "runs/train.py",
        "setup.progress.step + METERED:",
        "setup.progress.step + METERED - 1:",
    ),
    Fault("runs/learner.py", "batch, t, wait=True)", "batch, t)", unseen="a race"),
    Fault("runs/stages.py", "GENTLER = 3", "GENTLER = 1"),
    Fault(
        "recipe/schema.py", "max(1, round(t.validate_every * steps / t.steps))", "t.validate_every"
    ),
    Fault("training/timing.py", "if turn:", "if True:"),
    Fault("parallel/replicas.py", "BUCKET = 25 * 2**20", "BUCKET = 1"),
    Fault(
        "parallel/launch.py", "return 2 if 2 in codes.values() else max(1, ", "return max(1, 0, "
    ),
    Fault("parallel/group.py", 'raise Lost("the launcher")', "pass"),
    Fault("runs/checkpoint.py", "if step_of(path) != best_step:", "if True:"),
    Fault("data/loader.py", "self.seed, 1, step))", "self.seed, 1, 0))"),
    Fault("data/loader.py", "MASKS = 1024", "MASKS = 1"),
    Fault(
        "data/collate.py",
        "slice(None) if a in axes else slice(0, 1)",
        "slice(None)",
        unseen="the same numbers, slower",
    ),
    Fault("preparation/calibration.py", "_INTERLEAVES = 8", "_INTERLEAVES = 2"),
    Fault("preparation/calibration.py", "gain=math.sqrt(own / its)", "gain=1.0"),
    Fault(
        "preparation/prepare.py",
        "np.quantile(image.numpy(), 0.98)",
        "np.quantile(image.numpy(), 0.5)",
    ),
    Fault("report/scans.py", "float(np.median(largest", "float(np.max(largest"),
    Fault("report/scans.py", "size > left and pages[-1]", "size > left"),
    Fault("evaluation/examples.py", "_WHITE = 0.995", "_WHITE = 0.5"),
    Fault(
        "viewing/stack.py", "[:, :, :, None], parts.shape)", "[:, :, :, None] | True, parts.shape)"
    ),
    Fault("report/prose.py", "if gap.sure:", "if True:"),
    Fault("report/page.py", "gaps[key].sure)", "True)"),
    Fault("report/comparison.py", "= gap.sure", "= True"),
    Fault("report/plots.py", '"logarithmic": logarithmic', '"logarithmic": False'),
    Fault("evaluation/statistics.py", "tail = (1 - CONFIDENCE) / 2", "tail = 1 - CONFIDENCE"),
    Fault("comparison/measure.py", "round(steps / of_time)", "round(steps * of_time)"),
    Fault("benchmarks/rivals/ways.py", "replicas=group.world_size,", "replicas=1,"),
    Fault("viewing/cuts.py", "return int(region[0].amax(1).argmax())", "return 0"),
    Fault("viewing/preview.py", "np.where(share > 0, share, 1)", "1"),
    Fault("processes.py", "resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))", "pass"),
    Fault("files.py", "_sync(temporary)", "pass", unseen="only a power cut would show it"),
    Fault("simulation/acquire.py", "brightness[brightness > 0.1 * brightness.max()]", "brightness"),
    Fault("formats/mrd/time.py", "_UNEVEN = 0.2", "_UNEVEN = 20"),
    Fault(
        "formats/hdf5/file.py",
        "if found.nbytes > BEST_COMPRESSION",
        "if False and BEST_COMPRESSION",
    ),
    Fault("formats/hdf5/file.py", "if is_virtual(parent.file, link.u):", "if False:"),
    Fault("formats/pictures.py", "np.percentile(magnitude, 99.5)", "np.percentile(magnitude, 50)"),
    Fault(
        "formats/matlab/cmrxrecon.py",
        '_AXES = "y:readout x coil slice frame"',
        '_AXES = "x:readout y coil slice frame"',
    ),
]
