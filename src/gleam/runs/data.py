"""Data that a recipe's network is trained on: found, checked, and put on record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gleam.data.example import Example, find, fingerprint
from gleam.data.kind import check_kinds, kind_of
from gleam.data.loader import check
from gleam.data.slices import taken
from gleam.data.trained_on import TrainedOn, listed
from gleam.data.versions import check_versions
from gleam.errors import BadInput
from gleam.recipe import Recipe
from gleam.runs import folder as run_folder
from gleam.runs.assembly import goal_of, learnt_goal
from gleam.runs.initial import fingerprint_of_start


@dataclass(frozen=True)
class TrainingData:
    """The examples of a recipe.

    Attributes:
        recipe: names them.
        training: to learn from.
        validation: to choose the best checkpoint by.
    """

    recipe: Recipe
    training: Sequence[Example]
    validation: Sequence[Example]

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the examples, and of the weights that training starts from."""
        return fingerprint([*self.training, *self.validation]) + fingerprint_of_start(self.recipe)

    def trained_on(self) -> TrainedOn:
        """Record of the data that the network will have been trained on, what it starts from
        included."""
        own = TrainedOn.of(self.recipe.training_masks, self.training, self.validation)
        start = self.recipe.training.start
        return own if start is None else own.after(run_folder.read_trained_on(start))

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Sentences on what may mislead, each naming its subject."""
        old = check_versions([*self.training, *self.validation])
        if old is not None:
            yield str(self.recipe.data.train), old
        # With one folder for both, samples that validation asks about are kept from all steps.
        data, images = self.recipe.data, self.recipe.training.target != "kspace"
        kept_apart = not images and data.validation == data.train
        learnt = set() if kept_apart else {one.header.sha256 for one in self.training} - {""}
        shared = [one.header.name for one in self.validation if one.header.sha256 in learnt]
        if shared:
            yield (
                "data.validation",
                f"{listed(shared)} are in data.train too, so validation does not show how the "
                "network does on scans that it never saw",
            )
        start = self.recipe.training.start
        if start is not None and run_folder.read_trained_on(start).version == 1:
            yield f"training.start: {start}", "did not record all that it was trained on"


def find_data(recipe: Recipe) -> TrainingData:
    """The examples of a recipe.

    Raises:
        BadInput: there are none, they do not fit the recipe, or they do not fit each other.
    """
    sets, data = recipe.network.sets, recipe.data
    training = taken(find(data.train, sets), data.volumes)
    named = data.validation
    validation = [] if named is None else taken(find(named, sets), data.volumes)
    for mask in recipe.training_masks:
        check(training, mask, learnt_goal(recipe))
    goal = goal_of(recipe)
    if not goal.holdout.guard and any(goal.heldout(example) is not None for example in validation):
        raise BadInput(
            "training.holdout.guard: is 0, so validation has no samples to predict; give it a "
            "share, 0.1 say, or leave out data.validation"
        )
    check(validation, recipe.mask, goal)
    check_kinds([*training, *validation], recipe)
    check_versions([*training, *validation])
    kinds = {kind_of(example) for example in training}
    for example in validation:
        if kind_of(example) not in kinds:
            raise BadInput(
                f"data.validation: {example.header.name}: holds {kind_of(example)}, but "
                f"data.train {' and '.join(sorted(kinds))}; give both of one kind"
            )
    return TrainingData(recipe, training, validation)
