"""What a recipe names is imported only where the user trusts it, and only from where it should."""

import sys
from pathlib import Path

import pytest

from gleam.errors import BadInput
from gleam.recipe import NetworkRecipe, parse
from gleam.trust import check, imported, trusting


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that Python looks into; what is imported of them is forgotten again."""
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("strange", "strange.inner", "stranger", "halfway"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    package = tmp_path / "strange"
    package.mkdir()
    (package / "__init__.py").write_text("from os import system\nfrom stranger import theirs\n")
    (package / "inner.py").write_text("def build(iterations): ...\nclass Net: ...\nnumber = 3\n")
    (tmp_path / "stranger.py").write_text("def theirs(iterations): ...\n")
    (tmp_path / "halfway.py").write_text("import not_there_at_all\n")
    return tmp_path


@pytest.mark.parametrize("reference", ["strange.inner:build", "strange:system", "os:system"])
def test_what_is_not_trusted_is_not_imported(elsewhere: Path, reference: str) -> None:
    with pytest.raises(BadInput, match="not said that you trust"):
        imported(reference)
    assert "strange" not in sys.modules


@pytest.mark.parametrize("modules", [["strange"], ["other", "strange"], ["strange.inner"]], ids=str)
def test_what_is_trusted_is_imported(elsewhere: Path, modules: list[str]) -> None:
    with trusting(modules):
        assert imported("strange.inner:build").__name__ == "build"
        assert imported("strange.inner:Net").__name__ == "Net"
    with pytest.raises(BadInput, match="--trust strange"):
        check("strange.inner:build")


@pytest.mark.parametrize("modules", [["strang"], ["strange.inner.deeper"], ["stranger"], []])
def test_names_that_only_begin_alike_are_not_trusted(elsewhere: Path, modules: list[str]) -> None:
    with trusting(modules), pytest.raises(BadInput, match="not said that you trust"):
        imported("strange.inner:build")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("strange:system", "is no function or class written in Python"),
        ("strange:theirs", "comes from stranger, which is not trusted"),
        ("strange.inner:number", "is no function or class"),
        ("strange.inner:missing", "strange.inner: has no missing"),
        ("strange.none:build", "strange.none: is not installed"),
    ],
)
def test_only_what_a_trusted_module_defines_is_taken(
    elsewhere: Path, reference: str, said: str
) -> None:
    with trusting(["strange"]), pytest.raises(BadInput, match=said) as caught:
        imported(reference)
    assert "\n" not in str(caught.value)


def test_what_a_module_needs_is_named(elsewhere: Path) -> None:
    with trusting(["halfway"]), pytest.raises(BadInput, match="needs not_there_at_all"):
        imported("halfway:build")


@pytest.mark.parametrize("module", ["os", "subprocess", "builtins", "gleam", "gleam.cli", "posix"])
def test_pythons_own_modules_and_this_programs_cannot_be_trusted(module: str) -> None:
    with pytest.raises(BadInput, match="holds no networks of yours"), trusting([module]):
        pass
    with pytest.raises(BadInput, match="not said that you trust"):
        imported(f"{module}:system")


@pytest.mark.parametrize("module", ["", ".", "a b", "../up", "a..b", "päckchen", "a,b", "-c"])
def test_no_names_of_modules_are_refused(module: str) -> None:
    with pytest.raises(BadInput, match="is no name of a module"), trusting([module]):
        pass


@pytest.mark.parametrize("first", ["", "cwd"])
def test_the_working_directory_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    (tmp_path / "lurking.py").write_text("def build(iterations): ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path) if first else "", *sys.path])
    before = list(sys.path)
    with trusting(["lurking"]), pytest.raises(BadInput, match="lurking: is not installed"):
        imported("lurking:build")
    assert sys.path == before
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])  # as PYTHONPATH has it
    with trusting(["lurking"]):
        assert imported("lurking:build")
    del sys.modules["lurking"]


@pytest.mark.parametrize(
    "build",
    [
        "os.system", "a:b.c", "a:b:c", "a:", ":b", "a: b", " a:b", "a:b ", "a:b\n", "a;b:c",
        "a-b:c", "../a:b", "a/b:c", "a:b()", "a.:b", ".a:b", "1a:b", "päckchen:b", "a:b,c", "",
    ],
)  # fmt: skip
def test_odd_references_are_refused_when_they_are_read(build: str) -> None:
    with pytest.raises(BadInput, match=r"network.build: is like package.module:function") as caught:
        parse({"network": {"family": "python", "build": build}}, "here")
    assert "\n" not in str(caught.value)


def test_dunder_attributes_give_no_way_round(elsewhere: Path) -> None:
    with trusting(["strange"]):
        for name in ("__builtins__", "__loader__", "__spec__", "__dict__"):
            with pytest.raises(BadInput, match=r"no function or class|comes from|has no"):
                imported(f"strange.inner:{name}")


def test_reading_a_recipe_imports_nothing(elsewhere: Path) -> None:
    NetworkRecipe(family="python", build="strange.inner:build")
    assert "strange" not in sys.modules
