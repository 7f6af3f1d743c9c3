"""The one-line changes that `make mutants` puts in: each is another program, and what it says."""

import ast
from pathlib import Path

import pytest
from changes import Mutation, is_another_program, mutations
from mutants import files_for, listed, sampled

CHANGED = {
    "x = 3": {"x = 4", "x = 2"},
    "x = 0.5": {"x = 1.0", "x = 0.05"},
    "x = True": {"x = False"},
    "λ = a < b": {"λ = a <= b"},
    "x = (a) - (b)": {"x = (a) + (b)"},
    "x = a // b": {"x = a * b"},
    "x = a and b or c": {"x = a or b or c", "x = a and b and c"},
    "x = not a": {"x = a"},
    "x = -a": {"x = a"},
    "x += a": {"x -= a"},
    "x = a if b else c": {"x = a if True else c", "x = a if False else c"},
    "x = [a for a in b if a]": {"x = [a for a in b if True]"},
    "x = max(a, b)": {"x = min(a, b)", "x = max(b, a)"},
    "x = a.clamp(min=b)": {"x = a", "x = a.clamp()"},
    "x = abs(a)": {"x = a"},
    "f(a)": {"pass"},
    "f(a, *b)": {"pass"},
    "raise E": {"pass"},
    "import a": set(),
    '"""Words 3."""': set(),
    "x: list[3] = y": set(),
    "def f(a: g(3)) -> 4: a": set(),
}


@pytest.mark.parametrize("source", CHANGED)
def test_changes_are_these(source: str) -> None:
    found = [change.of(source.encode()).decode() for change in mutations(source.encode())]
    assert set(found) == CHANGED[source]
    assert len(set(found)) == len(found)
    assert all(is_another_program(source.encode(), one) for one in mutations(source.encode()))


def test_what_is_the_same_program_is_told() -> None:
    assert not is_another_program(b"x = 3", Mutation(4, 5, "(3)"))
    assert not is_another_program(b"x = 3", Mutation(4, 5, "="))


def test_samples_repeat_with_the_seed_and_parse() -> None:
    some = sampled(9, 1, ["metrics"])
    assert some == sampled(9, 1, ["metrics"])
    assert some != sampled(9, 2, ["metrics"])
    assert len({(mutant.file, mutant.source) for mutant in some}) == 9
    for mutant in some:
        assert mutant.file.startswith("src/gleam/metrics/")
        assert mutant.old != mutant.new
        ast.parse(mutant.source)


def test_faults_change_what_is_there() -> None:
    """Whatever has moved meanwhile is told by `make mutants`, not here."""
    there = [mutant for mutant in listed() if mutant.source]
    assert len(there) > 40
    for mutant in there:
        ast.parse(mutant.source)
        assert mutant.old != mutant.new


def test_tests_of_a_module_mirror_it_or_name_it(tmp_path: Path) -> None:
    for name, text in {
        "physics/test_noise.py": "",
        "physics/test_noise_of_coils.py": "",
        "physics/test_other.py": "",
        "physics/test_named.py": "from gleam.physics.noise import known",
        "runs/test_imported.py": "from gleam.physics import (\n    coils,\n    noise,\n)",
        "runs/test_not.py": "from gleam.physics import noises",
    }.items():
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    mirror = ["tests/physics/test_noise.py", "tests/physics/test_noise_of_coils.py"]
    named, elsewhere = ["tests/physics/test_named.py"], ["tests/runs/test_imported.py"]
    file, others = "src/gleam/physics/noise.py", ["tests/physics/test_other.py"]
    assert files_for(file, tmp_path, wide=False) == [mirror, named]
    assert files_for(file, tmp_path, wide=True) == [mirror, named, elsewhere, others]
    unknown = files_for("src/gleam/physics/fourier.py", tmp_path, wide=False)
    assert unknown == [sorted([*mirror, *named, *others])]
