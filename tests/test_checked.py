"""Calls are checked, and those that are like one before are not checked again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import checked
import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from toys import toy_image, toy_sense

from gleam.physics.fourier import centred
from gleam.physics.measurement import Measurement

SOURCE = """
from dataclasses import dataclass
from jaxtyping import Float
from torch import Tensor


def rows(x: Float[Tensor, "row column"], count: int, name: str = "") -> Float[Tensor, "row one"]:
    return x[:, :1] if name != "wrong" else x[:count]


def outer(count: int) -> Float[Tensor, "row"]:
    def inner(x: Float[Tensor, "row"]) -> Float[Tensor, "row"]:
        return x[:count]

    return inner(Tensor(4))


@dataclass(frozen=True)
class Pair:
    one: Float[Tensor, "row"]
    other: Float[Tensor, "row"]

    @property
    def both(self) -> Float[Tensor, "row"]:
        return self.one if len(self.one) < 5 else self.one[None]

    @classmethod
    def of(cls, one: Float[Tensor, "row"]) -> "Pair":
        return cls(one, one)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A package of its own, imported as GLEAM is."""
    name = f"of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    with checked.install(name):
        return __import__(name)


def refused(call: Callable[..., object], *arguments: object) -> None:
    with pytest.raises(TypeCheckError):
        call(*arguments)


def test_what_is_wrong_is_refused_as_often_as_it_is_called(module: Any) -> None:
    for _ in range(2):
        refused(module.rows, torch.ones(3), 1)
        refused(module.rows, torch.ones(3, 2), "1")
        refused(module.rows, torch.ones(3, 2, dtype=torch.int32), 1)
        refused(module.Pair, torch.ones(3), torch.ones(2))
        refused(module.Pair.of, torch.ones(3, 1))


def test_a_call_like_none_before_is_checked(module: Any) -> None:
    """Of another shape, dtype, number, word or type; also of what comes out."""
    module.rows(torch.ones(3, 2), 1)
    refused(module.rows, torch.ones(3, 2, 1), 1)
    refused(module.rows, torch.ones(3, 2).int(), 1)
    refused(module.rows, np.ones((3, 2)), 1)
    refused(module.rows, torch.ones(3, 2), 1, "wrong")
    module.rows(torch.ones(3, 1), 3, "wrong")
    refused(module.rows, torch.ones(3, 1), 2, "wrong")
    pair = module.Pair(torch.ones(2), torch.ones(2))
    assert len(pair.both) == 2
    with pytest.raises(TypeCheckError):
        _ = module.Pair.of(torch.ones(5)).both


def test_a_function_inside_another_is_checked_by_its_own_calls(module: Any) -> None:
    assert len(module.outer(4)) == 4
    assert len(module.outer(4)) == 4
    with pytest.raises(TypeCheckError):
        module.outer(3)


def test_a_call_like_one_before_is_not_checked(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = []
    every_call = checked.every_call
    monkeypatch.setattr(
        checked, "every_call", lambda f, **how: checks.append(f) or every_call(f, **how)
    )
    for _ in range(3):
        module.rows(torch.ones(3, 2), 1)
        module.outer(4)
    assert [function.__name__ for function in checks] == ["rows", "outer", "inner"]


def test_all_of_gleam_is_checked() -> None:
    sense = toy_sense()
    for _ in range(2):
        refused(centred, torch.ones(3), "x")
        refused(Measurement, sense, toy_image(sense)[0], torch.ones(2))
