import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import example_files, tiny_recipe

from gleam.errors import BadInput
from gleam.networks.weights import weights_of
from gleam.parallel.placement import Placement
from gleam.recipe import Recipe, StageRecipe, save
from gleam.runs import folder as run_folder
from gleam.runs.initial import initial
from gleam.runs.stages import following, grown, polished, train_in_stages
from gleam.runs.train import train


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_files(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def earlier(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A greedy run of 3 iterations, in modules of 2 and 1."""
    folder = tmp_path_factory.mktemp("earlier") / "run"
    train(tiny_recipe(examples, steps=2), folder, quiet=True)
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()
    }


def test_growing_trains_what_is_new_and_nothing_else(examples: Path, tmp_path: Path) -> None:
    """The rate has spoilt the earlier network, so that what is new makes it better, and is kept."""
    earlier = tmp_path / "earlier"
    train(tiny_recipe(examples, steps=2, learning_rate=3.0), earlier, quiet=True)
    recipe = grown(run_folder.load_recipe(earlier), earlier, 3)
    assert recipe.network.iterations == 6
    assert recipe.module_sizes() == [2, 1]
    assert Recipe.model_validate(recipe.model_dump()) == recipe
    train(recipe, tmp_path / "deeper", quiet=True)
    before, after = weights(earlier), weights(tmp_path / "deeper")
    assert all(torch.equal(after[name], before[name]) for name in before)
    drawn = {name: tensor for name, tensor in after.items() if name not in before}
    assert drawn
    last = "iterations.5.regulariser.cnn.last.weight"  # zero until it is trained
    assert drawn[last].any()
    psnr = [
        row.index for row in run_folder.read_metrics(tmp_path / "deeper") if row.metric == "psnr"
    ]
    assert set(psnr) == set(range(6))


def test_what_is_new_starts_from_what_the_earlier_run_reconstructs(
    examples: Path, tmp_path: Path
) -> None:
    """Its first loss is that of a last module behind the same weights, trained all at once."""
    begun = tiny_recipe(examples, steps=2)
    train(begun, tmp_path / "begun", quiet=True)
    deeper = grown(begun, tmp_path / "begun", 2)
    changes = {"frozen": 0, "modules": [*begun.module_sizes(), 2]}
    training = deeper.training.model_copy(update=changes)
    whole = deeper.model_copy(update={"training": training})
    first = {}
    for name, recipe in (("frozen", deeper), ("whole", whole)):
        train(recipe, tmp_path / name, quiet=True)
        rows = run_folder.read_metrics(tmp_path / name)
        first[name] = [r.value for r in rows if (r.step, r.metric) == (1, "loss")]
    assert len(first["whole"]) == 3
    assert first["frozen"] == first["whole"][-1:]


def test_its_memory_is_that_of_the_new_module(examples: Path, tmp_path: Path) -> None:
    """The earlier iterations keep no activations; their weights are all that is added."""
    peaks = []
    for depth in (1, 4):
        begun = tiny_recipe(examples, steps=1)
        network = begun.network.model_copy(update={"iterations": depth})
        begun = begun.model_copy(
            update={
                "network": network,
                "training": begun.training.model_copy(update={"modules": depth}),
            }
        )
        train(begun, tmp_path / f"begun-{depth}", quiet=True)
        deeper = grown(begun, tmp_path / f"begun-{depth}", 1)
        training = deeper.training.model_copy(update={"steps": 2})
        train(deeper.model_copy(update={"training": training}), tmp_path / str(depth), quiet=True)
        frozen = [
            t for n, t in weights(tmp_path / str(depth)).items() if int(n.split(".")[1]) < depth
        ]
        peak = run_folder.read_summary(tmp_path / str(depth))["peak_memory_bytes"]
        peaks.append(peak - sum(tensor.nbytes for tensor in frozen))
    assert peaks[1] <= peaks[0] * 1.02


def test_a_grown_run_resumes_to_the_same_weights(earlier: Path, tmp_path: Path) -> None:
    recipe = grown(run_folder.load_recipe(earlier), earlier, 1)
    longer = recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"steps": 4, "checkpoint_every": 2})}
    )
    for folder in ("one", "other"):
        train(longer, tmp_path / folder, quiet=True)
    for checkpoint in sorted((tmp_path / "other" / "checkpoints").iterdir())[1:]:
        for file in checkpoint.iterdir():
            file.unlink()
        checkpoint.rmdir()
    train(longer, tmp_path / "other", resume=True, quiet=True)
    one, other = weights(tmp_path / "one"), weights(tmp_path / "other")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_grown_run_does_not_go_on_from_other_weights(examples: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(examples, steps=2)
    train(recipe, tmp_path / "begun", quiet=True)
    deeper = grown(recipe, tmp_path / "begun", 1)
    train(deeper, tmp_path / "deeper", quiet=True)
    train(recipe.model_copy(update={"seed": 5}), tmp_path / "changed", quiet=True)
    (tmp_path / "changed" / "model.safetensors").rename(tmp_path / "begun" / "model.safetensors")
    with pytest.raises(BadInput, match=r"other weights of training\.start"):
        train(deeper, tmp_path / "deeper", resume=True, quiet=True)


def test_polishing_is_end_to_end_under_checkpointing(earlier: Path, tmp_path: Path) -> None:
    before = run_folder.load_recipe(earlier)
    recipe = polished(before, earlier, 4)
    assert recipe.module_sizes() == [3]
    assert recipe.training.storage == "checkpoint"
    assert recipe.training.learning_rate == pytest.approx(before.training.learning_rate / 3)
    assert recipe.training.steps == 4
    assert Recipe.model_validate(recipe.model_dump()) == recipe
    train(recipe, tmp_path / "polished", quiet=True)
    assert not torch.equal(
        *(w["iterations.0.log_weight"] for w in (weights(earlier), weights(tmp_path / "polished")))
    )


def test_a_recipe_may_end_with_polishing_and_resumes_in_either_stage(
    examples: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(examples, steps=4, polish=2)
    folder = tmp_path / "run"
    last = train_in_stages(recipe, folder, quiet=True)
    assert last == folder / "polished"
    undisturbed = weights(last)
    for lost in (last, folder / "checkpoints" / "step-00000004"):
        shutil.rmtree(lost)
        if lost != last:
            shutil.rmtree(last)
            (folder / "summary.json").unlink()
        assert train_in_stages(recipe, folder, resume=True, quiet=True) == last
        again = weights(last)
        assert all(torch.equal(again[name], undisturbed[name]) for name in undisturbed)
    assert train_in_stages(tiny_recipe(examples, steps=2), tmp_path / "plain", quiet=True) == (
        tmp_path / "plain"
    )


def test_copies_are_of_the_last_iteration(earlier: Path, tmp_path: Path) -> None:
    """Whatever modules there were; copies of earlier ones spoil an image that is nearly done."""
    begun = shutil.copytree(earlier, tmp_path / "begun")
    for modules, sizes in (([2, 1], [2, 2, 1]), (1, [3, 2])):
        recipe = run_folder.load_recipe(earlier).changed(training={"modules": modules})
        save(recipe, begun / "recipe.yaml")
        deeper = grown(recipe, begun, 2, copy=True)
        assert deeper.module_sizes() == sizes
        assert deeper.training.frozen == 0
        before = weights(begun)
        for iteration, source in zip(initial(deeper).iterations, [0, 1, 2, 2, 2], strict=True):
            own = weights_of(iteration)
            assert own
            for name, tensor in own.items():
                assert torch.equal(tensor, before[f"iterations.{source}.{name}"])


def test_stages_are_runs_that_follow_each_other(examples: Path, tmp_path: Path) -> None:
    """They end as the same recipes do, trained one by one; and go on where they were stopped."""
    stages = [{"iterations": 4, "learning_rate": 1e-4}, {"iterations": 6, "steps": 1}]
    recipe = tiny_recipe(examples, steps=2).changed(training={"stages": stages, "polish": 1})
    last = train_in_stages(recipe, tmp_path / "run", quiet=True)
    assert last == tmp_path / "run" / "stage-3" / "polished"
    second, third = (run_folder.load_recipe(tmp_path / "run" / f"stage-{n}") for n in (2, 3))
    assert [len(one.module_sizes()) for one in (second, third)] == [2, 3]
    assert (second.training.learning_rate, second.training.steps) == (1e-4, 2)
    assert (third.network.iterations, third.training.steps) == (6, 1)
    train(
        following(recipe, tmp_path / "run", recipe.training.stages[0]), tmp_path / "own", quiet=True
    )
    own, alike = weights(tmp_path / "own"), weights(tmp_path / "run" / "stage-2")
    assert own.keys() == alike.keys()
    assert all(torch.equal(own[name], alike[name]) for name in own)
    ended = weights(last)
    shutil.rmtree(tmp_path / "run" / "stage-3")
    assert train_in_stages(recipe, tmp_path / "run", resume=True, quiet=True) == last
    assert all(torch.equal(tensor, ended[name]) for name, tensor in weights(last).items())
    stale = tmp_path / "run" / "stage-2" / "summary.json"
    train_in_stages(tiny_recipe(examples, steps=1), tmp_path / "run", quiet=True, force=True)
    assert not stale.exists()


def test_a_stage_that_says_minutes_takes_those(examples: Path, earlier: Path) -> None:
    recipe = tiny_recipe(examples, steps=2)
    one = following(recipe, earlier, StageRecipe(iterations=4, minutes=3))
    assert one.training.minutes == 3
    back = following(one, earlier, StageRecipe(iterations=4, steps=7))
    assert (back.training.minutes, back.training.steps) == (None, 7)


def test_stages_that_cannot_be_are_refused(examples: Path) -> None:
    recipe = tiny_recipe(examples)
    with pytest.raises(BadInput, match=r"of 3, 2 iterations.*as deep as the one before"):
        recipe.changed(training={"stages": [{"iterations": 2}]})
    with pytest.raises(BadInput, match=r"training\.copies: of what"):
        recipe.changed(training={"copies": True})
    deeper = recipe.changed(training={"stages": [{"iterations": 4}]})
    with pytest.raises(BadInput, match=r"training\.stages are for one process"):
        Placement().check(deeper, 2)
