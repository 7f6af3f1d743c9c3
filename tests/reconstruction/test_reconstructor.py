"""Every way to reconstruct keeps the contract of `Reconstructor`; networks that may stop early."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from kinds import KINDS
from recorders import Again
from tiny import largest_error, prepared, tiny_recipe, tiny_scan, trained_on
from toys import toy_measurement, toy_network, toy_sense

from gleam.arrays import Image
from gleam.errors import BadInput
from gleam.networks import Unrolled, build
from gleam.networks.weights import weights_of
from gleam.physics.baselines import cg_sense
from gleam.physics.classical import CLASSICAL, TITLES
from gleam.physics.measurement import Measured, Measurement
from gleam.physics.slices import AsSlices
from gleam.recipe import MaskRecipe
from gleam.reconstruction.exported import Exported, Facts
from gleam.reconstruction.named import reconstructor
from gleam.reconstruction.reconstructor import Reconstructor, Trained
from gleam.runs import folder as run_folder
from gleam.training.graph import Graphs, ReplayedIterations


def measured(frames: int = 3) -> Measurement:
    return toy_measurement(toy_sense(frames=frames), frames)[0]


def check_reconstructor(way: Reconstructor, measurement: Measurement) -> None:
    """Whether it keeps what `Reconstructor` promises."""
    before = measurement.adjoint.clone(), measurement.mask.clone(), measurement.sense.maps.clone()
    images = list(way.iterates(measurement))
    assert images, "yields no image"
    for image in images:
        assert image.shape == measurement.adjoint.shape, "an image of another shape"
        assert image.dtype == torch.complex64, "an image of another type"
        assert image.device == way.device, "an image on another device"
        assert not image.requires_grad, "keeps what a backward pass would need"
    assert torch.is_grad_enabled(), "leaves gradients switched off"
    after = measurement.adjoint, measurement.mask, measurement.sense.maps
    assert all(map(torch.equal, before, after)), "changes the measurement"
    assert torch.equal(way(measurement), images[-1]), "the result is not the last image"
    again = list(way.iterates(measurement))
    assert len(again) == len(images), "remembers an earlier call"
    assert all(map(torch.equal, again, images)), "remembers an earlier call"


FACTS = Facts(
    words="a network",
    axes=(-1,),
    sets=1,
    inputs=("maps", "mask", "adjoint", "noise"),
    consistent=None,
    trained_on=trained_on(tiny_recipe(Path())),
)
WAYS: dict[str, Callable[[], Reconstructor]] = {
    **{name: lambda name=name: reconstructor(name, "cpu") for name in CLASSICAL},  # type: ignore[misc]
    "network": lambda: Trained("network", network(), [2, 2, 2]),
    "network in which two images travel": lambda: Trained(
        "network", network("reversible"), [2] * 3
    ),
    "network after so many iterations": lambda: Trained("network", network(), [2, 2, 2], 3),
    "network that is replayed": lambda: Trained(
        "network", network(), call=ReplayedIterations(Graphs(Again()))
    ),
    "exported network": lambda: Exported("network.pt2", lambda given: given["adjoint"], FACTS),
    "network until it changes little": lambda: Trained("network", network(), [2] * 3, change=0.5),
}


def network(family: str = "modl", iterations: int = 6, **kind: object) -> Unrolled:
    return toy_network(family, iterations=iterations, dimensions=2, **kind)


@pytest.mark.parametrize("way", WAYS)
def test_contract(way: str) -> None:
    check_reconstructor(WAYS[way](), measured())


@dataclass(frozen=True)
class Broken(Reconstructor):
    rule: str
    calls: list[int] = field(default_factory=list)

    def _images(self, measurement: Measured) -> Iterator[Image]:
        image = measurement.adjoint.clone()
        if self.rule == "no image":
            return
        if self.rule == "another shape":
            image = image[..., 1:]
        if self.rule == "another type":
            image = image.to(torch.complex128)
        if self.rule == "another device":
            image = image.to("meta")
        if self.rule == "changes the measurement":
            measurement.adjoint.mul_(2)
        if self.rule == "remembers":
            self.calls.append(1)
            image *= len(self.calls) // 3
        yield image

    def __call__(self, measurement: Measured) -> Image:
        return super().__call__(measurement) * (2 if self.rule == "not the last" else 1)


class KeepsGradients(Broken):
    def iterates(self, measurement: Measured) -> Iterator[Image]:
        yield measurement.adjoint * torch.ones((), requires_grad=True)


class SwitchesGradientsOff(Broken):
    def iterates(self, measurement: Measured) -> Iterator[Image]:
        torch.set_grad_enabled(False)
        yield measurement.adjoint


BROKEN = {
    rule: Broken(rule, rule)
    for rule in (
        "no image",
        "another shape",
        "another type",
        "another device",
        "changes the measurement",
        "remembers",
        "not the last",
    )
} | {
    "what a backward pass would need": KeepsGradients("keeps", "keeps"),
    "gradients switched off": SwitchesGradientsOff("off", "off"),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_contract_that_is_broken_is_noticed(rule: str) -> None:
    with pytest.raises(AssertionError, match=rule), torch.enable_grad():
        check_reconstructor(BROKEN[rule], measured())


SLICES_ALONE = {"trained_on": FACTS.trained_on}


@pytest.mark.parametrize(
    "way",
    [
        Trained("network", network(), [2, 2, 2], **SLICES_ALONE),
        Trained("network", network("reversible"), [2] * 3, **SLICES_ALONE),
        Exported(
            "a.pt2", lambda given: 2 * given["adjoint"], FACTS.model_copy(update={"axes": (-2, -1)})
        ),
    ],
    ids=["network", "network in which two images travel", "exported network"],
)
def test_contract_on_a_volume_that_is_a_stack_of_slices(way: Reconstructor) -> None:
    """Each slice is as it is by itself."""
    volume = toy_measurement(toy_sense((5, 12, 11), (-2, -1), batch=1))[0]
    check_reconstructor(way, volume)
    slices = AsSlices.of(volume)
    for position, image in enumerate(way(volume).unbind(-3)):
        alone = way(slices.part(range(position, position + 1)))
        assert largest_error(image.numpy(), alone.numpy()) < 1e-5


def test_a_volume_that_is_no_stack_is_taken_whole_by_force() -> None:
    """Plane by plane, as a convolution over two axes takes it."""
    volume = toy_measurement(toy_sense((5, 12, 11), (-3, -2, -1), batch=1))[0]
    expected = Trained("network", network())(volume)
    assert torch.equal(Trained("network", network(), **SLICES_ALONE)(volume), expected)


def test_names() -> None:
    """One spelling of each; what tables print is a mapping of it."""
    assert TITLES.keys() == CLASSICAL.keys()
    assert all(WAYS[name]().name == name for name in CLASSICAL)


@pytest.mark.parametrize("iterations", [1, 4, 6, None])
def test_it_stops_after_so_many_iterations(iterations: int | None) -> None:
    whole = [*network().iterates(measured())]
    images = [*Trained("network", network(), [2, 2, 2], iterations).iterates(measured())]
    assert len(images) == (iterations or 6)
    assert all(map(torch.equal, images, whole))


def test_it_stops_at_the_end_of_the_first_module_that_changes_too_little() -> None:
    measurement, whole = measured(1), network()
    iterates = [measurement.adjoint, *whole.iterates(measurement)]
    changes = [
        max(((b - a).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).tolist())
        for a, b in zip(iterates[0:-1:2], iterates[2::2], strict=True)
    ]
    assert changes == sorted(changes, reverse=True)
    for used, bound in [(2, changes[0] * 1.01), (4, changes[1] * 1.01), (6, changes[2] / 2)]:
        way = Trained("network", whole, [2, 2, 2], change=bound)
        assert len(list(way.iterates(measurement))) == used
        assert torch.equal(way(measurement), iterates[used])


def test_the_first_module_is_compared_with_the_first_image() -> None:
    measurement, whole = measured(1), network(iterations=2, first_image="cg-sense")
    first, after = cg_sense(measurement), next(Trained("", whole).iterates(measurement))

    def change(before: Image) -> torch.Tensor:
        return ((after - before).flatten(1).norm(dim=1) / after.flatten(1).norm(dim=1)).max()

    near, far = sorted([change(first), change(measurement.adjoint)])
    assert near < 0.9 * far
    way = Trained("network", whole, [1, 1], change=float(near + far) / 2)
    assert len(list(way.iterates(measurement))) == (1 if change(first) == near else 2)


@torch.no_grad()
def test_one_example_that_still_changes_keeps_all_going() -> None:
    """The batch stops together, so no image depends on the others but by going on longer."""
    measurement, whole = measured(1), network(iterations=4)
    iterates = [measurement.adjoint, *whole.iterates(measurement)]
    change = (iterates[2] - iterates[1]).flatten(1).norm(dim=1)
    relative = (change / iterates[2].flatten(1).norm(dim=1)).tolist()
    assert min(relative) < max(relative)
    way = Trained("network", whole, [1] * 4, change=(min(relative) + max(relative)) / 2)
    assert len(list(way.iterates(measurement))) > 2


def test_an_empty_slice_stops_at_once() -> None:
    one = measured(1)
    empty = Measurement(one.sense, torch.zeros_like(one.adjoint))
    images = [*Trained("network", network(), [2, 2, 2], change=0.01).iterates(empty)]
    assert len(images) == 2
    assert not images[-1].any()


def test_a_run_is_what_it_was_trained_on(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path)
    run_folder.begin(tmp_path / "run", recipe, "data", trained_on(recipe))
    run_folder.save_model(tmp_path / "run", build(recipe.network).state_dict())
    way = reconstructor(str(tmp_path / "run"), "cpu")
    assert (way.name, way.sets, way.stops) == (str(tmp_path / "run"), 1, False)
    assert way.words == "neural network, modl of 3 iterations"
    assert way.check(prepared(tiny_scan(), calibration=8), MaskRecipe(acceleration=1.6)) == []
    with pytest.raises(BadInput, match="was trained on 2D slices, but tiny holds 2D series"):
        way.check(KINDS["2D series"])
    forced = reconstructor(str(tmp_path / "run"), "cpu", force=True)
    assert any("was trained on 2D slices" in doubt for doubt in forced.check(KINDS["2D series"]))
    with pytest.raises(BadInput, match="has 3 iterations, so --iterations is 1 to 3"):
        reconstructor(str(tmp_path / "run"), "cpu", iterations=4)
    early = reconstructor(str(tmp_path / "run"), "cpu", iterations=2)
    assert early.stops
    assert b"".join(early.content()) != b"".join(way.content())
    with pytest.raises(BadInput, match="cg-sense: has no iterations to stop after"):
        reconstructor("cg-sense", "cpu", change=0.1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """As if trained: greedily in modules of 2 and 1, end-to-end, and grown by one."""
    folder, kept = tmp_path_factory.mktemp("runs"), {}
    for name, training in {
        "greedy": {"modules": 2},
        "end-to-end": {"modules": 1},
        "grown": {"modules": 1, "frozen": 2, "start": folder / "greedy"},
    }.items():
        recipe = tiny_recipe(folder, **training)
        run_folder.begin(folder / name, recipe, "", trained_on(recipe))
        run_folder.save_model(folder / name, weights_of(build(recipe.network)))
        kept[name] = folder / name
    return kept


@pytest.mark.parametrize(
    ("name", "modules"), [("greedy", [2, 1]), ("end-to-end", [3]), ("grown", [2, 1])]
)
def test_a_run_is_stopped_after_its_modules(
    name: str, modules: list[int], runs: dict[str, Path]
) -> None:
    assert Trained.of(runs[name]).modules == modules
    assert not Trained.of(runs[name]).stops
    assert Trained.of(runs[name], iterations=2).stops
    if name == "end-to-end":
        with pytest.raises(BadInput, match=r"end-to-end.* --until cannot stop it; give a greedy"):
            Trained.of(runs[name], change=0.1)
    else:
        assert Trained.of(runs[name], change=0.1).stops


@pytest.mark.parametrize(("iterations", "fine"), [(0, False), (1, True), (3, True), (4, False)])
def test_a_run_has_so_many_iterations_and_no_more(
    iterations: int, fine: bool, runs: dict[str, Path]
) -> None:
    if fine:
        assert Trained.of(runs["greedy"], iterations=iterations).iterations == iterations
        return
    with pytest.raises(BadInput, match="has 3 iterations, so --iterations is 1 to 3"):
        Trained.of(runs["greedy"], iterations=iterations)
