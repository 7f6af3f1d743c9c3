from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import torch
from tiny import prepared, tiny_recipe, tiny_scan, trained_on
from toys import toy_network

from gleam.data.example import ExampleFile, Slice, write
from gleam.errors import BadInput
from gleam.physics import solve
from gleam.physics.classical import CLASSICAL
from gleam.planning import inference
from gleam.planning.inference import (
    fitted,
    in_words,
    is_short,
    needs,
    planned,
    seconds,
)  # fmt: skip
from gleam.planning.uses import Use, apply
from gleam.recipe import MaskRecipe
from gleam.reconstruction.reconstruct import reconstruct
from gleam.reconstruction.reconstructor import Classical, Trained
from gleam.simulation import simulate_scan
from gleam.training.meter import metered

MASK = MaskRecipe(acceleration=1.5)


class InTorch(ExampleFile):
    """What is read is metered, too."""

    def __getitem__(self, index):
        return _copied(super().__getitem__(index))

    def slab(self, positions):
        return _copied(super().slab(positions))

    def maps(self, positions):
        return super().maps(positions).clone()


def _copied(one):
    return Slice(*(None if part is None else part.clone() for part in vars(one).values()))


def stored(folder, shape=(40, 36), slices=2, coils=4):
    write(prepared(tiny_scan(shape, slices, coils)), folder / "example.h5")
    return InTorch(folder / "example.h5")


def method(family="pgd", **fields):
    return Trained("run", toy_network(family, **{"iterations": 4} | fields), [4])


METHODS = {
    "2D": (method(), (40, 36)),
    "modl": (method("modl"), (40, 36)),
    "reversible": (method("reversible"), (40, 36)),
    "volume": (method(dimensions=3), (20, 16, 16)),
    "planes of a volume": (method("modl"), (20, 16, 16)),
    "slices of a volume": (
        replace(method("modl"), trained_on=trained_on(tiny_recipe(Path()))),
        (20, 24, 22),
    ),
}


def axes_of(one):
    return next(m.dimensions for m in one.network.modules() if hasattr(m, "dimensions"))


def metered_peak(one, example, use):
    apply(one, use)
    work = partial(reconstruct, one, example, MASK, at_once=use.at_once, slab=use.slab)
    image, peak = metered(work, torch.device("cpu"))
    for regulariser in one.network.modules():
        if hasattr(regulariser, "patch"):
            regulariser.patch = None
    return image.image, peak + sum(weight.nbytes for weight in one.network.parameters())


@pytest.mark.parametrize(("one", "shape"), METHODS.values(), ids=METHODS)
def test_the_peak_is_what_the_profiler_finds(one, shape, cpu, tmp_path):
    """As ever, and in smaller slabs and patches; and the image is the same."""
    example = stored(tmp_path, shape, slices=1 if len(shape) == 3 else 2)
    whole = None
    for use in (Use(), Use(1, 8, (16,) * axes_of(one))):
        image, peak = metered_peak(one, example, use)
        assert needs(one, example, MASK, cpu, use).peak == pytest.approx(peak, rel=0.01)
        whole = image if whole is None else whole
        assert abs(image - whole).max() <= 1e-5 * abs(whole).max()


def test_the_peak_of_a_series(cpu, tmp_path):
    one = method(dimensions=3)
    write(prepared(simulate_scan((24, 20), 3, 1, 50.0, 0, frames=4)), tmp_path / "example.h5")
    example = InTorch(tmp_path / "example.h5")
    assert needs(one, example, MASK, cpu, Use()).peak == pytest.approx(
        metered_peak(one, example, Use())[1], rel=0.01
    )


def test_a_scan_that_is_prepared_as_it_is_read(cpu):
    """What ESPIRiT takes to find maps is bounded; what the scan takes lies there already."""
    scan = tiny_scan((48, 40), 2, 6)
    example, one = prepared(scan), method()
    _, peak = metered_peak(one, example, Use())
    found = needs(one, example, MASK, cpu, Use())
    assert found.scan == getattr(scan.kspace, "nbytes", 0)
    assert 0.97 * peak <= found.peak - found.scan <= 1.25 * peak


def test_slices_at_once_take_each_their_own(cpu, tmp_path):
    example = stored(tmp_path, slices=4)
    one = method()
    alone, together = (needs(one, example, MASK, cpu, Use(n)) for n in (1, 4))
    assert together.peak - alone.peak == 3 * alone.each
    assert metered_peak(one, example, Use(4))[1] <= 1.001 * together.peak


def test_what_fits_is_chosen_and_nothing_else_is_refused(cpu, tmp_path):
    example, one = stored(tmp_path, slices=4), method()
    both, one_by_one = (needs(one, example, MASK, cpu, Use(n)).peak for n in (2, 1))
    assert fitted(one, example, MASK, cpu, both, 2)[0] == Use(2)
    assert fitted(one, example, MASK, cpu, both - 1, 2)[0] == Use(1)
    use, found = fitted(one, example, MASK, cpu, one_by_one - 1)
    assert use.patch is not None
    assert found.peak < one_by_one
    with pytest.raises(BadInput, match=r"its reconstruction by run takes .* of 0\.0"):
        fitted(one, example, MASK, cpu, 1000)


def test_a_volume_gets_smaller_slabs_first(cpu, tmp_path):
    example, one = stored(tmp_path, (20, 16, 16), 1), method(dimensions=3)
    whole = needs(one, example, MASK, cpu, Use()).peak
    use, _ = fitted(one, example, MASK, cpu, whole - 1)
    assert use.patch is None
    assert use.slab < 16


def test_methods_without_learning_are_traced_too(cpu, tmp_path):
    example, one = stored(tmp_path), Classical("cg-sense", CLASSICAL["cg-sense"])
    found = needs(one, example, MASK, cpu, Use())
    work = partial(reconstruct, one, example, MASK)
    _, peak = metered(work, torch.device("cpu"))
    assert 0.97 * peak <= found.peak <= 1.1 * peak  # how often it goes on depends on values
    assert seconds(one, example, found) is None


def test_time_follows_the_number_of_slices_and_iterations(cpu, tmp_path, monkeypatch):
    clock = count()
    monkeypatch.setattr(inference.time, "perf_counter", lambda: next(clock))
    example = stored(tmp_path)
    few, many = method(), method(iterations=8)
    times = [seconds(o, example, needs(o, example, MASK, cpu, Use())) for o in (few, many)]
    assert times[0] > 0
    assert times[1] == pytest.approx(2 * times[0], rel=0.2)


def test_what_is_timed_is_not_solved_at_once(cpu, tmp_path, monkeypatch):
    """Where CG goes on to a tolerance, constant numbers would take a step or two."""
    steps, cg = [], solve.conjugate_gradients

    def counted(operator, *arguments, **options):
        steps.append(0)

        def step(x):
            steps[-1] += 1
            return operator(x)

        return cg(step, *arguments, **options)

    example, one = stored(tmp_path), method("modl", iterations=1, cg_tolerance=1e-5)
    found = needs(one, example, MASK, cpu, Use())
    monkeypatch.setattr(solve, "conjugate_gradients", counted)
    seconds(one, example, found)
    timed = steps[:3]  # what follows is traced
    assert min(timed) > 4


def test_what_is_short_is_not_looked_at(tmp_path, monkeypatch):
    example, one = stored(tmp_path), method()
    assert is_short(one, example)
    assert planned(one, example, MASK, None, 3) == (Use(3), None)
    monkeypatch.setattr(inference, "FEW", 0)
    _, found = planned(one, example, MASK, None)
    assert found is not None
    assert in_words(found, 2.0).startswith("takes 0.")
