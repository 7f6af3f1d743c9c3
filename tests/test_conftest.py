"""Where tests compute."""

import os

import asked
import pytest
import torch

from gleam.device import VARIABLE, choose


def test_on_the_cpu_also_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose() == torch.device("cpu")


def test_a_device_that_is_not_there_ends_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "DEVICE", "cuda:99")
    with pytest.raises(pytest.exit.Exception, match=r"^GLEAM_TEST_DEVICE cuda:99: ") as stop:
        asked.check()
    assert stop.value.returncode == pytest.ExitCode.USAGE_ERROR


@pytest.mark.cuda
def test_marked_tests_are_where_they_are_asked_to_be(device: torch.device) -> None:
    assert device.type == asked.DEVICE.partition(":")[0]
    assert os.environ[VARIABLE] == asked.DEVICE
    assert choose() == device
