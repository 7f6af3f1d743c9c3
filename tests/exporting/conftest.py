"""Shapes are not checked here: programs are traced with sizes that are symbols, not numbers."""

from collections.abc import Iterator

import jaxtyping
import pytest


@pytest.fixture(scope="package", autouse=True)
def unchecked() -> Iterator[None]:
    """Comparing a symbol with a number would make it that number."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
