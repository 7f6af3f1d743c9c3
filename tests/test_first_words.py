"""Help texts and docstrings stand by themselves, and functions of tensors say their shapes.

A docstring begins with a noun or a verb, so that its subject need not be guessed: "Weight of each
module's loss", never "Of the modules' losses". "Whether …" is a noun clause, and says what a
predicate answers; it is the only one that is let through.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

import gleam
from gleam.cli import arguments
from gleam.recipe import Recipe
from gleam.recipe.part import Part

SOURCE = Path(gleam.__file__).parent
DANGLING = """
about after along among around as at because before behind beside between beyond but by during for
from how if in inside into like of off on onto out over per since so than that through to toward
under until what whatever when where which while who whom whose why with within without
"""
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def dangles(text: str) -> bool:
    """Whether a text begins with a word that leaves its subject to be guessed."""
    return text.split()[0].strip(",.:;").lower() in DANGLING.split()


def definitions(tree: ast.AST, name: str = "") -> Iterator[tuple[str, Definition]]:
    """Functions and classes of a module by name, those within others too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            yield f"{name}{node.name}", node
            inner = "." if isinstance(node, ast.ClassDef) else ".<locals>."
            yield from definitions(node, f"{name}{node.name}{inner}")
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from definitions(node, name)


def texts(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Docstrings of a module, of what it defines, and of the attributes of its classes."""
    for name, node in [("", tree), *definitions(tree)]:
        yield name, ast.get_docstring(node) or "None."
        for field, text in zip(node.body, node.body[1:], strict=False):
            if isinstance(node, ast.ClassDef) and isinstance(field, ast.AnnAssign):
                match text:
                    case ast.Expr(ast.Constant(str(words))):
                        yield f"{name}.{ast.unparse(field.target)}", words


def modules() -> list[str]:
    return sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py"))


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name: ast.parse((SOURCE / name).read_text(encoding="utf-8")) for name in modules()}


def test_texts_begin_with_a_noun_or_a_verb(trees: dict[str, ast.Module]) -> None:
    wrong = [
        f"{file}: {name}: {text.splitlines()[0]}"
        for file, tree in trees.items()
        for name, text in texts(tree)
        if dangles(text)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("text", ["Of Adam, at its highest.", "What is cut.", "In words: 3 h."])
def test_a_text_that_dangles_is_seen(text: str) -> None:
    tree = ast.parse(f'class A:\n    """A."""\n    rate: float = 1\n    """{text}"""\n')
    assert [name for name, words in texts(tree) if dangles(words)] == ["A.rate"]
    (function,) = (ast.parse(f'def f():\n    """{text}"""\n').body,)
    assert dangles(ast.get_docstring(function[0]))  # type: ignore[arg-type]


def fields(part: type[Part], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in part.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Part):
            yield from fields(field.annotation, f"{path}{name}.")
        else:
            yield f"{path}{name}", field


def test_every_field_of_a_recipe_is_explained() -> None:
    assert [name for name, field in fields(Recipe) if not field.description] == []


def test_options_that_verbs_share_stand_by_themselves() -> None:
    for option in (arguments.Device, arguments.Trust):
        (said,) = (one for one in option.__metadata__ if hasattr(one, "help"))
        assert said.help
        assert not dangles(said.help)


# A type that holds tensors of any shape says enough by its name.
CONTAINERS = {
    "Sequence",
    "list",
    "dict",
    "Mapping",
    "Iterable",
    "Iterator",
    "Callable",
    "Collection",
}
SHAPED = {"Shaped", "Inexact", "Float", "Complex", "Bool", "Int", "UInt8"}


def bare(annotation: ast.expr | None) -> bool:
    """Whether a type names a tensor, and not its shape."""
    if isinstance(annotation, ast.Subscript):
        kind = ast.unparse(annotation.value)
        return kind not in CONTAINERS | SHAPED and bare(annotation.slice)
    if isinstance(annotation, ast.Tuple):
        return any(bare(part) for part in annotation.elts)
    if isinstance(annotation, ast.BinOp):
        return bare(annotation.left) or bare(annotation.right)
    return annotation is not None and ast.unparse(annotation) in ("Tensor", "torch.Tensor")


def is_public(name: str) -> bool:
    private = (part for part in name.split(".") if part[0] in "_<" and not part.endswith("__"))
    return not any(private)


def without_shapes(tree: ast.Module) -> list[str]:
    """Public functions of a module that take or give a tensor of unsaid shape."""
    return [
        name
        for name, node in definitions(tree)
        if is_public(name) and not isinstance(node, ast.ClassDef)
        if not any(
            "custom_op" in ast.unparse(one) for one in node.decorator_list
        )  # plain types only
        for a in [node.args]
        for given in [*a.posonlyargs, *a.args, *a.kwonlyargs, *([a.vararg] if a.vararg else [])]
        if any(map(bare, (given.annotation, node.returns)))
    ]


def test_public_functions_say_the_shapes_of_their_tensors(trees: dict[str, ast.Module]) -> None:
    wrong = [f"{file}: {name}" for file, tree in trees.items() for name in without_shapes(tree)]
    assert not wrong, "\n".join(dict.fromkeys(wrong))


@pytest.mark.parametrize(
    "signature",
    ["x: Tensor", "x: Tensor | None", "*x: Tensor", "x: tuple[Tensor, int]", "x) -> (Tensor"],
)
def test_a_bare_tensor_is_seen(signature: str) -> None:
    assert without_shapes(ast.parse(f"class A:\n    def f({signature}): ...\n")) == ["A.f"]
    shaped = signature.replace("Tensor", 'Float[Tensor, "batch"]')
    assert without_shapes(ast.parse(f"def f({shaped}): ...\n")) == []
