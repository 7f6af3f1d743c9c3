import torch

from gleam.training.meter import metered

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
