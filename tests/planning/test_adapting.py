"""An adaptation is made to fit by what leaves its result alone, or it is said that it does not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import every_second_line, prepared, tiny_recipe, tiny_scan, undersampled

from gleam import recipe as recipes
from gleam.data.example import Example, ExampleFile, find, write
from gleam.data.slices import taken
from gleam.errors import BadInput
from gleam.planning import adapting
from gleam.planning.adapting import fitted_adaptation
from gleam.planning.inference import lying_there
from gleam.planning.machine import Machine
from gleam.reconstruction.reconstructor import Trained
from gleam.runs.adaptation import Adaptation, adapted
from gleam.runs.assembly import make_learner, training_batches
from gleam.runs.start import Start

SHORT = Adaptation(steps=2)


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose convolutions are not measured: of a volume so small, they take more than all else."""
    here = Machine(torch.device("cpu"), False)
    monkeypatch.setattr(adapting, "machine_of", lambda _: here)


def slices(folder: Path) -> tuple[Trained, Example]:
    """A network of slices and an undersampled one."""
    return of(folder, undersampled(tiny_scan(), every_second_line()))


def volume(folder: Path) -> tuple[Trained, Example]:
    """A network of volumes, a stored one undersampled along two axes."""
    keep = np.random.default_rng(1).random((1, 1, 18, 16)) < 0.6
    keep[..., 5:13, 4:12] = True
    scan = undersampled(tiny_scan((20, 18, 16), 1, oversampling=1), keep)
    network = {"regulariser": {"dimensions": 3, "width": 16}}
    deep = {"mask": {"kind": "poisson"}, "network": network, "training": {"modules": 1}}
    method, example = of(folder, scan, **deep)
    write(example, folder / "volume.h5")
    return method, ExampleFile(folder / "volume.h5")


def of(folder: Path, scan: object, **changes: object) -> tuple[Trained, Example]:
    """As `gleam reconstruct --adapt` has them; the weights are drawn, for what they take is the
    same."""
    recipes.save(tiny_recipe(folder).changed(**changes), folder / "recipe.yaml")
    start = Start.of(folder / "recipe.yaml")
    return Trained(str(start.place), start.network, [2, 1]), prepared(scan, calibration=6)


EACH = pytest.mark.parametrize("made", [slices, volume])
Made = Callable[[Path], tuple[Trained, Example]]


@EACH
def test_what_fits_is_left_alone_and_what_does_not_is_made_leaner(
    made: Made, tmp_path: Path
) -> None:
    method, example = made(tmp_path)
    how, peak = fitted_adaptation(method, example, SHORT, 2**30)
    assert how == SHORT
    assert peak is not None
    leaner, less = fitted_adaptation(method, example, SHORT, peak - 1)
    assert less is not None
    assert less < peak
    assert leaner.leaner
    recipe = adapted(Start.of(Path(method.name)), [example], leaner)
    for part, fields in leaner.leaner.items():
        assert fields.items() <= dict(getattr(recipe, part)).items()


@EACH
def test_the_peak_is_that_of_a_step(
    made: Made, cpu: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the next batch in the making, or of a validation, which takes no more than that."""
    monkeypatch.setattr(adapting, "machine_of", lambda _: cpu)
    method, example = made(tmp_path)
    if not isinstance(example, ExampleFile):
        write(example, tmp_path / "slices.h5")
    _, peak = fitted_adaptation(method, example, SHORT, 2**30)
    recipe = adapted(Start.of(Path(method.name)), [example], SHORT)
    network = Start.of(Path(method.name)).network
    examples = taken(find(tmp_path, recipe.network.sets), recipe.data.volumes)
    learner = make_learner(network, recipe)
    batches = training_batches(examples, recipe, network)
    learner.step(batches.at(0), 0)
    cost = learner.metered_step(batches.at(1), 1)[1]
    beside = lying_there(method, example, cpu)
    assert peak is not None
    assert 1 <= peak / (cost.memory + beside) <= 1.6


@EACH
def test_what_never_fits_is_refused(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, example = made(tmp_path)
    monkeypatch.setattr(adapting, "fitted", lambda *_: None)
    with pytest.raises(BadInput, match="tiny: to learn from it takes"):
        fitted_adaptation(method, example, SHORT, 1000)


def test_what_cannot_be_learnt_from_is_left_to_say_so(tmp_path: Path) -> None:
    """By the adaptation itself, with what is right then: an image of it as it is."""
    method, _ = volume(tmp_path)
    _, flat = slices(tmp_path / "flat")
    assert fitted_adaptation(method, flat, SHORT, 1000) == (SHORT, None)
