import pytest
import torch

from gleam.planning.machine import Machine
from gleam.planning.workspace import Workspaces


@pytest.fixture(scope="session")
def cpu(tmp_path_factory):
    """This machine; what its convolutions take is measured anew."""
    device = torch.device("cpu")
    return Machine(device, False, Workspaces(device, tmp_path_factory.mktemp("measured")))


@pytest.fixture(scope="session")
def gpu():
    """Some GPU that is not here."""
    return Machine(torch.device("cpu"), True)
