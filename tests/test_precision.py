"""One place decides how exactly is computed, and says so."""

import copy
import os
import re
from pathlib import Path

import pytest
import torch
from toys import toy_measurement, toy_network, toy_sense

import gleam
from gleam import precision

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ.pop(precision.VARIABLE, None)
    yield
    precision.decide()


def test_as_usual_convolutions_may_round_and_algorithms_are_not_timed():
    precision.decide()
    assert torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.benchmark
    assert not torch.are_deterministic_algorithms_enabled()


def test_deterministic_until_it_is_decided_anew():
    precision.decide(deterministic=True)
    assert torch.backends.cudnn.deterministic
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"]
    assert precision.facts(CPU, bf16=False)["deterministic"]
    precision.decide()
    assert not torch.backends.cudnn.deterministic
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("device", "bf16", "variable", "generation", "expected"),
    [
        (CPU, False, None, None, "fp32"),
        (CPU, True, None, None, "bf16"),
        (GPU, False, None, (9, 0), "tf32"),
        (GPU, False, "1", (9, 0), "tf32"),
        (GPU, False, "0", (9, 0), "fp32"),
        (GPU, False, None, (7, 5), "fp32"),
        (GPU, True, None, (9, 0), "bf16"),
    ],
)
def test_its_name(device, bf16, variable, generation, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: generation)
    if variable:
        os.environ[precision.VARIABLE] = variable
    precision.decide()
    facts = precision.facts(device, bf16)
    assert facts["networks"] == precision.name(device, bf16) == expected
    assert facts["same as on a CPU within"] == precision.TOLERANCES[expected]


def test_what_holds_within_a_network():
    assert precision.within("cpu") is None
    with precision.of_network("cpu", bf16=True):
        assert precision.within("cpu") == torch.bfloat16
        with precision.of_network("cpu", bf16=False):
            assert precision.within("cpu") is None
    with precision.of_network("meta", bf16=False):  # where nothing is computed
        assert precision.within("meta") is None


def test_bf16_is_that_close():
    """A convolution and its gradient against the same in double precision."""
    torch.manual_seed(0)
    x, weight = torch.randn(2, 16, 12, 12), torch.randn(16, 16, 3, 3, requires_grad=True)

    def gradient(bf16):
        with precision.of_network("cpu", bf16):
            y = torch.conv2d(x, weight, padding=1)
        return torch.autograd.grad(y.double().square().sum(), weight)[0].double()

    with precision.of_network("cpu", bf16=True):
        assert torch.conv2d(x, weight).dtype == torch.bfloat16
    exact = gradient(bf16=False)
    error = (gradient(bf16=True) - exact).norm() / exact.norm()
    assert 1e-4 < error < precision.TOLERANCES["bf16"]


@pytest.mark.parametrize(
    ("width", "bf16", "expected"),
    [(100, True, "96 or 104 are"), (4, True, "; 8 are"), (96, True, None), (100, False, None)],
)
def test_widths_that_tensor_cores_pad_are_named(width, bf16, expected):
    advice = precision.advice(width, bf16)
    assert (advice is None) if expected is None else (expected in advice)


def test_nobody_else_decides():
    words = (
        r"allow_tf32|fp32_precision|torch\.autocast\(|use_deterministic|cudnn\.(benchmark|determin)"
    )
    sources = Path(gleam.__file__).parent.rglob("*.py")
    assert [p.name for p in sources if re.search(words, p.read_text())] == ["precision.py"]


@pytest.mark.cuda
@pytest.mark.parametrize("kind", precision.TOLERANCES)
def test_a_gpu_agrees_with_a_cpu(kind, device):
    """The gradient of a small network; whatever the device is, within what is said of it."""
    os.environ[precision.VARIABLE] = "1" if kind == "tf32" else "0"
    precision.decide()
    network = toy_network(width=16, bf16=kind == "bf16")
    measurement, target = toy_measurement(toy_sense((32, 24)))

    def gradient(network, device):
        network = copy.deepcopy(network).to(device)
        image = network(measurement.to(device))
        (image - target.to(device)).abs().square().sum().backward()
        return torch.cat([p.grad.flatten().cpu().double() for p in network.parameters()])

    exact = gradient(toy_network(width=16), CPU)
    error = (gradient(network, device) - exact).norm() / exact.norm()
    assert error <= precision.TOLERANCES[kind]
