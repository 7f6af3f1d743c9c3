"""Amounts are said as people say them."""

import pytest

from gleam.amounts import bytes_of, in_bytes, rounded


@pytest.mark.parametrize(
    ("number", "digits", "said"),
    [
        (0.01234, 2, "0.012"),
        (3.46, 2, "3.5"),
        (99.6, 2, "100"),
        (123.4, 2, "123"),
        (999.6, 3, "1000"),
        (5234.5, 3, "5234"),
        (0.0, 2, "0"),
    ],
)
def test_large_numbers_are_said_without_powers_of_ten(
    number: float, digits: int, said: str
) -> None:
    assert rounded(number, digits) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(2**20, "1 MiB"), (999 * 2**20, "999 MiB"), (3 * 2**29, "1.5 GiB"), (2**41, "2048 GiB")],
)
def test_bytes_are_said_in_units_that_are_read_again(count: int, said: str) -> None:
    assert in_bytes(count) == said
    assert bytes_of(said, "memory") == count
