"""Small changes of a Python source that may well be wrong: what a tired hand would write.

Each changes one place of the text, found in the syntax tree: a number, a comparison, an operator, a
condition, a call's arguments; or takes one statement out. Words, annotations and docstrings stay.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
}  # fmt: skip
OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "*"), ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.LShift: ("<<", ">>"),
}  # fmt: skip
PAIRS = ["min max", "minimum maximum", "any all", "amin amax", "argmin argmax", "ceil floor"]
OTHER = {one: other for pair in map(str.split, PAIRS) for one, other in (pair, pair[::-1])}
METHODS = {
    "clamp", "clamp_min", "clamp_max", "clip", "abs", "sqrt", "square", "conj", "round", "sort",
    "copy", "clone", "detach", "flip", "expanduser", "resolve", "strip", "lower", "nan_to_num",
}  # fmt: skip
WRAPPERS = {"abs", "sorted", "reversed", "round", "sqrt"}


@dataclass(frozen=True)
class Mutation:
    """Bytes `first` to `last` of a source (UTF-8) become `new`."""

    first: int
    last: int
    new: str

    def of(self, source: bytes) -> bytes:
        """The source with this change."""
        return source[: self.first] + self.new.encode() + source[self.last :]


def mutations(source: bytes) -> list[Mutation]:
    """All that are known of a source, in its order; see `is_another_program`."""
    return list(dict.fromkeys(_Finder(source).of(ast.parse(source))))


def is_another_program(source: bytes, change: Mutation) -> bool:
    """Whether a source parses, once it is changed, to something else than before."""
    try:
        return ast.dump(ast.parse(change.of(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


class _Finder:
    def __init__(self, source: bytes) -> None:
        self.source = source
        self.lines = [0, *(match.end() for match in re.finditer(b"\n", source))]

    def of(self, node: ast.AST) -> Iterator[Mutation]:
        """Of a node and all below it."""
        yield from self._own(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not _is_words(child):
                    yield from self.of(child)

    def _own(self, node: ast.AST) -> Iterator[Mutation]:
        match node:
            case ast.Constant(value=bool(value)):
                yield self._instead(node, str(not value))
            case ast.Constant(value=int(value)):
                yield self._instead(node, str(value + 1))
                yield self._instead(node, str(value - 1) if value else "-1")
            case ast.Constant(value=float(value)):
                yield self._instead(node, repr(2 * value if value else 1.0))
                yield self._instead(node, repr(0.1 * value if value else -1.0))
            case ast.Compare():
                operands = [node.left, *node.comparators]
                for k, operator in enumerate(node.ops):
                    yield self._between(operands[k], operands[k + 1], *COMPARISONS[type(operator)])
            case ast.BinOp(op=operator) if type(operator) in OPERATORS:
                yield self._between(node.left, node.right, *OPERATORS[type(operator)])
            case ast.AugAssign(op=operator) if type(operator) in OPERATORS:
                old, new = OPERATORS[type(operator)]
                yield self._between(node.target, node.value, old + "=", new + "=")
            case ast.BoolOp():
                words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield self._between(left, right, *words)
            case ast.UnaryOp(op=ast.Not() | ast.USub()):
                yield self._instead(node, self._text(node.operand))
            case ast.If() | ast.IfExp() | ast.While():
                for value in ("True", "False"):
                    yield self._instead(node.test, value)
            case ast.comprehension(ifs=[*conditions]):
                for condition in conditions:
                    yield self._instead(condition, "True")
            case ast.Call():
                yield from self._of_call(node)
            case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Continue():
                yield self._instead(node, "pass")

    def _of_call(self, call: ast.Call) -> Iterator[Mutation]:
        match call.func:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in OTHER:
                end = self._end(call.func)
                yield Mutation(end - len(name), end, OTHER[name])
        match call.func:
            case ast.Attribute(value=value, attr=name) if name in METHODS:
                yield self._instead(call, self._text(value))
            case ast.Name(id=name) if name in WRAPPERS and len(call.args) == 1:
                yield self._instead(call, self._text(call.args[0]))
        for one, other in zip(call.args, call.args[1:], strict=False):
            if not isinstance(one, ast.Starred) and not isinstance(other, ast.Starred):
                between = self.source[self._end(one) : self._start(other)].decode()
                swapped = self._text(other) + between + self._text(one)
                yield Mutation(self._start(one), self._end(other), swapped)
        for keyword in call.keywords:
            if keyword.arg:
                yield self._left_out(keyword)

    def _left_out(self, keyword: ast.keyword) -> Mutation:
        """With the comma after it, which may be the last."""
        end = self._end(keyword)
        comma = re.match(rb"\s*,\s*", self.source[end:])
        return Mutation(self._start(keyword), end + (comma.end() if comma else 0), "")

    def _between(self, left: ast.AST, right: ast.AST, old: str, new: str) -> Mutation:
        """The operator between two operands, beside which there may be parentheses."""
        first = self._end(left)
        text = self.source[first : self._start(right)].decode()
        place = first + len(text[: text.index(old)].encode())
        return Mutation(place, place + len(old), new)

    def _instead(self, node: ast.AST, new: str) -> Mutation:
        return Mutation(self._start(node), self._end(node), new)

    def _text(self, node: ast.AST) -> str:
        return self.source[self._start(node) : self._end(node)].decode()

    def _start(self, node: ast.AST) -> int:
        return self.lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined,no-any-return]

    def _end(self, node: ast.AST) -> int:
        return self.lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined,no-any-return]


def _is_words(node: ast.AST) -> bool:
    """A docstring, or what is only read by people or type checkers."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
    return False
