"""Which device the tests marked `cuda` are asked to compute on."""

import os

import pytest

DEVICE = os.environ.get("GLEAM_TEST_DEVICE") or "cpu"


def check() -> None:
    """Tests that are to run on a device that is not there do not pass: they end at once."""
    from gleam.device import choose
    from gleam.errors import BadInput

    try:
        choose(DEVICE)
    except BadInput as error:
        said = str(error).replace("--device", "GLEAM_TEST_DEVICE")
        pytest.exit(
            f"{said} (the tests of the GPU then run on the CPU)", pytest.ExitCode.USAGE_ERROR
        )
