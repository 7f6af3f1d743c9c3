"""gleam cite: what to cite, in BibTeX."""

import re
from importlib.resources import files

from gleam import __version__
from gleam.cli.options.cite import Arguments
from gleam.recipe import Recipe
from gleam.runs.folder import load_recipe

SOFTWARE = """@software{{gleam-mri,
  title = {{{{GLEAM}}: greedy learning for accelerated {{MRI}}}},
  author = {{{{The GLEAM contributors}}}},
  version = {{{version}}},
  license = {{MIT}}
}}"""


def main(a: Arguments) -> None:
    """Run the verb."""
    works = references()
    keys = ["gleam"] if a.run is None else used(load_recipe(a.run))
    print("\n\n".join([SOFTWARE.format(version=__version__), *(works[key] for key in keys)]))


def references() -> dict[str, str]:
    """Works that can be cited, as BibTeX, by key."""
    text = files("gleam.cli").joinpath("references.bib").read_text("utf-8")
    return {match[1]: match[0] for match in re.finditer(r"^@\w+{(\w+),\n.*?^}", text, re.M | re.S)}


def used(recipe: Recipe) -> list[str]:
    """Keys of the works that a run rests on: how it was trained, its network, its data."""
    network, training = recipe.network, recipe.training
    modules = training.modules if isinstance(training.modules, int) else len(training.modules)
    self_supervised = training.target != "image"
    words: list[str] = ["gleam"] if modules > 1 else []
    if network.build is None:
        words += [network.family, network.regulariser.kind]
    else:
        words.append(network.build.partition(":")[2])
    words += [training.storage, "kspace" if self_supervised else "", "espirit"]
    known = references()
    return [word for word in words if word in known]
