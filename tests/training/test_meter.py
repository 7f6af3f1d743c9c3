import pytest
import torch

from gleam.training.meter import _context, metered, taken

CPU = torch.device("cpu")
MIB = 2**20


def tensor(mib):
    return torch.empty(mib * MIB, dtype=torch.uint8)


def test_the_result_comes_back():
    result, peak = metered(lambda: tensor(3), CPU)
    assert result.numel() == 3 * MIB
    assert peak == 3 * MIB


def test_what_is_freed_makes_room():
    def work():
        for _ in range(4):
            tensor(2)
        both = tensor(2), tensor(3)
        del both
        tensor(4)

    assert metered(work, CPU)[1] == 5 * MIB


def test_what_was_there_before_does_not_count():
    before = tensor(8)
    assert metered(before.clone, CPU)[1] == 8 * MIB


def test_work_without_tensors_holds_nothing():
    assert metered(lambda: 1, CPU) == (1, 0)


def test_it_repeats_to_the_byte():
    x = torch.randn(2, 3, 24, 24)
    convolution = torch.nn.Conv2d(3, 5, 3)
    peaks = {metered(lambda: convolution(x).relu().sum().backward(), CPU)[1] for _ in range(3)}
    assert len(peaks) == 1


class Allocator:
    """PyTorch's, of a GPU: what is let go of stays reserved, and a graph's pool for good."""

    total, context = 100 * MIB, 7 * MIB

    def __init__(self, monkeypatch):
        self.allocated = self.cached = self.pool = self.most = 0
        for name in (
            "synchronize", "empty_cache", "reset_peak_memory_stats", "memory_allocated",
            "memory_reserved", "max_memory_reserved", "mem_get_info",
        ):  # fmt: skip
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        _context.cache_clear()

    def use(self, mib):
        self.cached = max(self.cached, mib * MIB)
        self._note()

    def capture(self, mib):
        self.pool += mib * MIB
        self._note()

    def keep(self, mib):
        self.allocated += mib * MIB
        self._note()

    def _note(self):
        self.most = max(self.most, self.memory_reserved())

    def synchronize(self, device): ...

    def empty_cache(self):
        self.cached = 0

    def reset_peak_memory_stats(self, device):
        self.most = self.memory_reserved()

    def memory_allocated(self, device):
        return self.allocated

    def memory_reserved(self, device=None):
        return self.allocated + self.cached + self.pool

    def max_memory_reserved(self, device):
        return self.most

    def mem_get_info(self, device):
        return self.total - self.context - self.memory_reserved(), self.total


@pytest.fixture
def gpu(monkeypatch):
    yield Allocator(monkeypatch)
    _context.cache_clear()


GPU = torch.device("cuda", 0)


def test_on_a_gpu_it_is_what_is_reserved_above_what_was_allocated(gpu):
    gpu.keep(5)
    gpu.use(40)  # before, and let go of
    assert metered(lambda: gpu.use(3), GPU)[1] == 3 * MIB


def test_a_replayed_graph_takes_its_pool(gpu):
    gpu.capture(6)
    assert metered(lambda: None, GPU)[1] == 6 * MIB


def test_a_process_takes_what_it_reserved_at_most_and_the_context(gpu):
    gpu.keep(5)
    gpu.use(20)
    gpu.empty_cache()
    assert taken(GPU) == (5 + 20 + 7) * MIB
    gpu.context += 30 * MIB  # another process
    gpu.capture(30)
    assert taken(GPU) == (5 + 30 + 7) * MIB
    assert taken(CPU) == 0


@pytest.mark.cuda
def test_a_device_is_metered(device):
    before = torch.empty(8 * MIB, dtype=torch.uint8, device=device)
    result, peak = metered(lambda: before.repeat(4)[: 2 * MIB].clone(), device)
    assert result.device == before.device
    assert 34 * MIB <= peak <= 60 * MIB  # on a GPU in blocks
    if device.type == "cuda":
        assert taken(device) >= 42 * MIB
