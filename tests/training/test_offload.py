import errno
import os

import pytest
import torch
from toys import noise

from gleam.errors import Unwritable
from gleam.training.offload import ActivationStore


def test_on_a_cpu_host_memory_is_where_activations_are_already():
    shelf, tensor = ActivationStore([]), torch.ones(1000)
    assert shelf.put(tensor) is tensor
    assert shelf.get(tensor) is tensor


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.bfloat16, torch.bool])
def test_what_comes_back_is_what_went_values_and_layout(dtype, tmp_path):
    shelf = ActivationStore([], tmp_path)
    image = noise(2, 3, 20, 40)
    if dtype != torch.complex64:
        image = image.real > 0 if dtype == torch.bool else image.real.to(dtype)
    tensors = [
        image,
        image.contiguous(memory_format=torch.channels_last),
        image.movedim(1, -1),
        image[:, :, ::2],
    ]
    kept = [shelf.put(tensor) for tensor in tensors]
    for number, tensor in reversed(list(zip(kept, tensors, strict=True))):
        back = shelf.get(number)
        assert torch.equal(back, tensor)
        assert back.dtype == tensor.dtype
        assert back.stride() == torch.empty_like(tensor).stride()
        assert back.data_ptr() != tensor.data_ptr()


def test_weights_and_small_tensors_stay(tmp_path):
    weight, small = torch.ones(1000), torch.ones(10)
    shelf = ActivationStore([weight], tmp_path)
    assert shelf.put(weight) is weight
    assert shelf.put(small) is small
    assert shelf.size == 0


def test_what_is_kept_twice_in_a_row_is_written_once(tmp_path):
    shelf, tensor = ActivationStore([], tmp_path), torch.ones(1000)
    first = shelf.put(tensor)
    assert shelf.put(tensor.detach()) == first
    tensor.add_(1)  # the same memory, not the same values
    second = shelf.put(tensor)
    assert second != first
    assert shelf.put(tensor.reshape(10, 100)) not in (first, second)
    assert torch.equal(shelf.get(first), torch.ones(1000))
    assert torch.equal(shelf.get(second), torch.full((1000,), 2.0))


def test_the_file_has_no_name_and_is_closed_with_the_shelf(tmp_path):
    shelf = ActivationStore([], tmp_path)
    kept = shelf.put(torch.arange(1000.0))
    assert not list(tmp_path.iterdir())
    assert os.fstat(shelf.file.fileno()).st_size == shelf.size == 4000
    file, back = shelf.file, shelf.get(kept)
    del shelf
    assert file.closed
    assert torch.equal(back, torch.arange(1000.0))  # still mapped


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(Unwritable, match=r"offload_to: .*No space left") as error:
        ActivationStore([], tmp_path).put(torch.ones(1000))
    assert str(tmp_path) in str(error.value)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Unwritable, match=r"offload_to: .*missing: .*No such file"):
        ActivationStore([], tmp_path / "missing").put(torch.ones(1000))
