"""Every public name shows how it is used, and does what its docstring shows."""

import doctest
import inspect
from functools import partial

import numpy
import pytest
import torch
from plans import untraced

import gleam

__all__ = ["untraced"]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", dir(gleam))
def test_examples_in_docstrings_run(name, there, untraced):
    data = gleam.open("examples/scan-0.h5")
    A, target = data.measure(gleam.mask(acceleration=4))
    known = {"gleam": gleam, "numpy": numpy, "torch": torch, "partial": partial}
    known |= {"data": data, "A": A, "target": target}
    torch.manual_seed(0)
    shown = doctest.DocTestFinder(exclude_empty=False).find(getattr(gleam, name), name, globs=known)
    own = next(test for test in shown if test.name == name)
    assert own.examples, f"gleam.{name} shows no example"
    said = []
    for test in shown:
        doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("name", dir(gleam))
def test_public_functions_say_what_they_take_and_return(name):
    found = getattr(gleam, name)
    assert inspect.getdoc(found)
    if inspect.isfunction(found):
        signature = inspect.signature(found)
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(
            parameter.annotation is not inspect.Parameter.empty
            for parameter in signature.parameters.values()
        )
