import os

import pytest
from torch.distributed import HashStore

from gleam.parallel.faults import Lost
from gleam.parallel.group import Group


def test_a_launcher_that_died_is_lost() -> None:
    Group(store=HashStore()).check_launcher()
    orphan = Group(store=HashStore(), parent=os.getppid() + 1)
    with pytest.raises(Lost, match="the launcher was lost"):
        orphan.check_launcher()
    Group(parent=os.getppid() + 1).check_launcher()  # nobody looks after a process that is alone
