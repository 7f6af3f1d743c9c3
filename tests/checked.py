"""Shapes and types are checked at run time: of every kind of call once.

To check a call takes longer than most calls here, and nearly all are like one before: the same
function, on arguments of the same types, shapes and dtypes, and the same numbers and words. What
was found of one such call holds of the next.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from functools import partial, wraps
from types import FunctionType
from typing import Any

import jaxtyping
import numpy as np
from jaxtyping import install_import_hook
from torch import Tensor

PLAIN = (str, int, bool, type(None), range)  # their values count, too
FEW = 8  # elements of a list that are looked at

every_call = jaxtyping.jaxtyped
_known: dict[Hashable, set[Hashable]] = defaultdict(set)


def install(package: str) -> AbstractContextManager[None]:
    """Check the functions and dataclasses of a package that is imported from now on."""
    jaxtyping.jaxtyped = once
    return install_import_hook(package, "beartype.beartype")


def once(what: Any = None, *, typechecker: Any) -> Any:
    """`jaxtyping.jaxtyped`, but for a call that is like an earlier one."""
    again = partial(once, typechecker=typechecker)
    if what is None:
        return again
    if isinstance(what, type):
        if hasattr(what, "__dataclass_fields__") and not hasattr(what.__init__, "__wrapped__"):
            what.__init__ = again(what.__init__)  # type: ignore[misc]
        return what
    if isinstance(what, classmethod | staticmethod):
        return type(what)(again(what.__func__))
    if isinstance(what, property):
        return property(*(f and again(f) for f in (what.fget, what.fset, what.fdel)))
    if not isinstance(what, FunctionType):
        return every_call(what, typechecker=typechecker)
    return _of_function(what, typechecker)


def _of_function(function: FunctionType, typechecker: Any) -> Callable[..., Any]:
    # A function inside another is made anew by each call of that, and knows its variables.
    known = _known[function.__module__, function.__qualname__, function.__code__]
    cells = function.__closure__ or ()
    checking: list[Callable[..., Any]] = []  # made when it is needed

    @wraps(function)
    def checked(*arguments: Any, **named: Any) -> Any:
        __tracebackhide__ = True
        if jaxtyping.config.jaxtyping_disable:
            return function(*arguments, **named)
        try:
            call = (*map(kind, arguments), *named, *map(kind, named.values()))
            call += tuple(kind(cell.cell_contents) for cell in cells)
            like_one_before = call in known
        except (TypeError, ValueError):  # sizes that are symbols, variables that are not there yet
            return _whole()(*arguments, **named)
        if like_one_before:
            return function(*arguments, **named)
        found = _whole()(*arguments, **named)
        known.add(call)
        return found

    def _whole() -> Callable[..., Any]:
        if not checking:
            checking.append(every_call(function, typechecker=typechecker))
        return checking[0]

    return checked


def kind(value: Any) -> Hashable:
    """What calls with such a value have in common."""
    of = type(value)
    if of not in _ways:
        _ways[of] = _way(of)
    way = _ways[of]
    return of if way is None else way(value)


Way = Callable[[Any], Hashable]
_ways: dict[type, Way | None] = {}


def _way(of: type) -> Way | None:
    """Nothing but the type counts, of most."""
    if issubclass(of, Tensor | np.ndarray):
        return _array
    if issubclass(of, tuple | list):
        return lambda value: (of, *map(kind, value[:FEW]))
    if of in PLAIN:
        return lambda value: (of, value)
    if hasattr(of, "__dataclass_fields__"):
        return _of_fields
    return None


def _array(value: Any) -> Hashable:
    return type(value), value.dtype, value.shape


def _of_fields(value: Any) -> Hashable:
    """Tensors that a dataclass holds; no further."""
    return type(value), *[_array(one) for one in vars(value).values() if type(one) is Tensor]
