"""Shapes are checked at run time in every test (`checked`); one thread keeps results the same.

Tests compute on the CPU, also where there is a GPU. Those marked `cuda` ask for the fixture
`device`: the CPU, too, unless GLEAM_TEST_DEVICE names another, as `make test-gpu` does.
So what they say is tested everywhere, and on a GPU only the device is new.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import checked
import pytest

os.environ["GLEAM_DEVICE"] = "cpu"  # of all tests but those marked `cuda`, and what they start

checked.install("gleam").__enter__()

import asked  # noqa: E402
import torch  # noqa: E402
from processes import reserve  # noqa: E402

from gleam import precision, terminal, threads  # noqa: E402
from gleam.device import VARIABLE, choose  # noqa: E402
from gleam.processes import PROCESSES  # noqa: E402

torch.set_num_threads(1)
terminal.EVERY = 3600.0  # what is said of slow work is no part of what tests look at

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or what tests start ignored it, too


def pytest_configure() -> None:
    """See `asked`."""
    asked.check()


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


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """Where a test marked `cuda` computes, in full precision; and all that it calls or starts."""
    monkeypatch.setenv(VARIABLE, asked.DEVICE)
    monkeypatch.setenv(precision.VARIABLE, "0")  # no TF32; taken note of by `choose`
    yield choose(asked.DEVICE)
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


@pytest.fixture(scope="session")
def bounded() -> None:
    """The system keeps to what a process says that it may take."""
    with PROCESSES.Pool(1) as pool:
        if pool.apply(reserve, [2**29]):
            pytest.skip("this system does not count a process's data (RLIMIT_DATA)")
