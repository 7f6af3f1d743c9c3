import copy
import sys

import mynet
import pytest
import torch
from tiny import example_files, tiny_recipe
from toys import toy_measurement, toy_sense

from gleam.errors import BadInput
from gleam.networks import build
from gleam.networks.unrolled import Unrolled
from gleam.physics.slabs import Slabbed
from gleam.recipe import NetworkRecipe, parse
from gleam.trust import trusting

# The fields of tiny recipes that are not for other people's networks, at their defaults.
OWN = {
    "family": "python", "build": "mynet:build", "cg_steps": 5,
    "regulariser": {"width": 32, "blocks": 2},
}  # fmt: skip


def made(function: str = "build", iterations: int = 3, seed: int = 0, **arguments) -> Unrolled:
    with trusting(["mynet"]):
        return build(
            NetworkRecipe(
                family="python",
                build=f"mynet:{function}",
                iterations=iterations,
                arguments=arguments,
            ),
            seed,
        )


def test_it_is_the_network_that_its_own_loop_makes() -> None:
    network = made(width=5).eval()
    measurement, _ = toy_measurement(toy_sense(frames=3), 3)
    own = mynet.build(3, 5)
    for mine, theirs in zip(own.blocks, network.iterations, strict=True):
        mine.load_state_dict(theirs.state_dict())
        mine.eval()
    state = own.first(measurement)
    images = []
    for block in own.blocks:
        state = block(state, measurement)
        images.append(own.image(state))
    for found, expected in zip(network.iterates(measurement), images, strict=True):
        assert torch.equal(found, expected)
    assert torch.equal(network(measurement), images[-1])


def test_its_weights_are_drawn_from_the_seed_alone() -> None:
    random = torch.random.get_rng_state()
    one, same, other = made(), made(), made(seed=1)
    assert torch.equal(torch.random.get_rng_state(), random)
    names = [name for name, weight in one.named_parameters() if weight.ndim > 1]
    for name in names:
        assert torch.equal(one.get_parameter(name), same.get_parameter(name))
        assert not torch.equal(one.get_parameter(name), other.get_parameter(name))


def test_it_can_be_copied_after_its_module_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    network = made()
    monkeypatch.delitem(sys.modules, "mynet")
    copied = copy.deepcopy(network)
    assert len(copied.iterations) == 3


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        ("build", {"widht": 8}, "network.arguments.widht: .*no such argument; did you mean width?"),
        ("build", {"x": 8}, "network.arguments.x: .*known are width"),
        ("Everything", {"x": 8}, "it takes none but iterations"),
        ("broken", {}, r"mynet:broken: cannot .*RuntimeError: no such luck, mynet.py:\d+"),
        ("blockless", {}, "gives a object without blocks and first and image"),
        ("Block", {"width": 2}, "takes no `iterations`"),
        ("MyNet", {}, "network.arguments.width: is missing; mynet:MyNet needs it"),
        ("number", {}, "is no function or class"),
    ],
)
def test_what_does_not_fit_is_named(function: str, arguments: dict, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        made(function, **arguments)
    assert "\n" not in str(caught.value)


def test_other_numbers_of_blocks_and_other_blocks_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mynet.Everything, "__init__", lambda self, iterations: None)
    monkeypatch.setattr(mynet.Everything, "blocks", [mynet.Plain()], raising=False)
    with pytest.raises(BadInput, match=r"gives 1 blocks, but network.iterations is 3"):
        made("Everything")
    monkeypatch.setattr(mynet.Everything, "blocks", [len, len, len], raising=False)
    with pytest.raises(BadInput, match=r"a block that is a builtin_function_or_method, no nn.Mod"):
        made("Everything")


def test_nothing_is_made_without_trust() -> None:
    with pytest.raises(BadInput, match=r"--trust mynet"):
        build(NetworkRecipe(family="python", build="mynet:build"))


def test_what_it_does_not_say_is_refused_by_name() -> None:
    network = made()
    with pytest.raises(BadInput, match=r"mynet:build: .*no `shapes`, .* to travel between"):
        network.state_shape((1, 1, 1, 8, 8))
    with pytest.raises(BadInput, match=r"mynet:build: .*no `reach`, .*slabs"):
        network.reach(-3)
    assert made("Everything").state_shape((1, 1, 1, 8, 8)) == (1, 1, 1, 8, 8)
    assert made("Everything").alignment(-3) == 1


@pytest.mark.parametrize("function", ["Everything", "Shy"])
def test_volumes_are_taken_in_slabs_or_whole(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In slabs where the network says how far it looks; the image is the same."""
    seen = []

    class Shy(mynet.Everything):
        reach = property()  # hasattr says no

    class Plain(mynet.Plain):
        def forward(self, state, measurement):
            seen.append(state.shape[-1])
            return super().forward(state, measurement)

    Shy.__module__ = "mynet"
    monkeypatch.setattr(mynet, "Shy", Shy, raising=False)
    monkeypatch.setattr(mynet, "Plain", Plain)
    network = made(function)
    measurement, _ = toy_measurement(toy_sense(space=(4, 6, 5), axes=(-3, -2), batch=1))
    sense = measurement.sense
    slabbed = Slabbed(
        lambda positions: sense.maps[..., positions.start : positions.stop],
        sense.mask, sense.axes, -1, 2, measurement.adjoint, measurement.noise,
    )  # fmt: skip
    expected = network(measurement)
    seen.clear()
    torch.testing.assert_close(network(slabbed), expected, rtol=1e-6, atol=1e-6)
    assert set(seen) == ({2, 1} if function == "Everything" else {5})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"family": "python"}, "network: build: family python needs it"),
        ({"build": "a:b"}, "network: build: is not for family modl; set network.family: python"),
        ({"family": "python", "build": "a:b", "weight": 1.0}, "weight: .*say it in network.arg"),
        (
            {"family": "python", "build": "a:b", "regulariser": {"width": 3}},
            "regulariser: is not for family python",
        ),
        (
            {"family": "python", "build": "a:b", "arguments": {"iterations": 3}},
            "iterations: is a field of its own; set network.iterations",
        ),
        (
            {"family": "python", "build": "a:b", "arguments": {"x": float("nan")}},
            "network.arguments: are finite numbers, words, lists",
        ),
        (
            {"family": "python", "build": "a:b", "arguments": {"x": {"a b": 2}}},
            "network.arguments: .* mappings from names only",
        ),
        ({"family": "python", "build": "a:b", "arguments": {1: 2}}, "network.arguments.1.*"),
        ({"family": "python", "biuld": "a:b"}, "network.biuld: no such field; did you mean build?"),
        ({"family": "pyhton"}, "network.family: .*'python'.*'pyhton'"),
    ],
)
def test_fields_that_do_not_fit_the_family_are_refused(fields: dict, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        parse({"network": fields}, "here")
    assert "\n" not in str(caught.value)


def test_frozen_blocks_stay_as_they_are() -> None:
    """Their running means, too: whatever the others do, they behave as in use."""
    with trusting(["mynet"]):
        network = build(NetworkRecipe(family="python", build="mynet:build", iterations=3), frozen=2)
    assert [block.training for block in network.iterations] == [False, False, True]
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    measurement, _ = toy_measurement(toy_sense())
    network(measurement)
    changed = {name for name, b in network.named_buffers() if not torch.equal(b, before[name])}
    assert changed
    assert all(name.startswith("iterations.2.") for name in changed)
    assert not any(block.training for block in network.eval().iterations)


@pytest.mark.parametrize("package", ["fastmri", "monai", "direct", "deepinv"])
def test_adapters_that_come_along_need_their_package_and_no_trust(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = f"gleam.networks.adapters.{package}"
    for name in [n for n in sys.modules if n.partition(".")[0] == package or n == adapter]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(BadInput, match=rf"needs {package}\S*, which is not installed"):
        build(NetworkRecipe(family="python", build=f"{adapter}:anything"))


def test_in_python_trust_is_an_argument(tmp_path) -> None:
    import gleam

    recipe = tiny_recipe(example_files(tmp_path, 1), steps=1, modules=2).changed(
        network={"iterations": 2} | OWN
    )
    with pytest.raises(BadInput, match=r"say trust=.*mynet"):
        gleam.train(recipe, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
    run = gleam.train(recipe, tmp_path / "run", quiet=True, trust=["mynet"])
    assert len(run.network.iterations) == 2
    with pytest.raises(BadInput, match=r"say trust=.*mynet"):
        _ = gleam.open_run(tmp_path / "run").network
    assert len(gleam.open_run(tmp_path / "run", trust=["mynet"]).network.iterations) == 2
    scan = next((tmp_path / "scans").iterdir())
    image = gleam.reconstruct(scan, tmp_path / "run", trust=["mynet"])
    assert image.magnitude.shape[-2:] == (24, 20)
    gleam.export(run, tmp_path / "net")
    again = gleam.reconstruct(scan, tmp_path / "net", trust=["mynet"])
    assert (image.magnitude == again.magnitude).all()
