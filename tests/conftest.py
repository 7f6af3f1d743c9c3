"""Shapes are checked at run time in every test; one thread keeps results the same everywhere."""

import os
import signal
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("gleam", "beartype.beartype").__enter__()

import torch  # noqa: E402

from gleam import terminal, threads  # noqa: E402

torch.set_num_threads(1)
terminal.EVERY = 3600.0  # what is said of slow work is no part of what tests look at

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or what tests start ignored it, too


def pytest_xdist_auto_num_workers() -> int:
    """Of `-n auto`: the CPUs that this process may use, which the machine's may outnumber."""
    return threads.cores()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of small real raw data; $GLEAM_DATA, or `shared/data` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("GLEAM_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"real data not found in {folder} (set GLEAM_DATA)")
    return folder
