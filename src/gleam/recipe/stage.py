"""The field of a recipe that says a stage of training."""

from gleam.recipe.part import Count, Part, Positive


class StageRecipe(Part):
    """A deeper network that training goes on with: as the recipe, but for what is said here."""

    iterations: Count
    """Number of iterations; those beyond the stage before begin as copies of its last one."""
    modules: Count | list[Count] | None = None
    """Number of modules, or the iterations of each; null has modules as long as before."""
    steps: Count | None = None
    """Number of steps; null takes as many as the stage before, or as long."""
    minutes: Positive | None = None
    """Minutes to train for, instead of a number of steps."""
    learning_rate: Positive | None = None
    """Learning rate at its highest; null takes that of the stage before."""
