"""Precision of computation: the one place that decides it.

Images, k-space, transforms and data consistency are complex64, losses and weights float32, on every
device. Two things may be coarser, and only inside the CNNs:

- TF32: on a GPU, convolutions round what they multiply to 11 significant bits, as PyTorch has it if
  nobody says otherwise; the environment variable GLEAM_TF32=0 forbids it;
- bf16: `network.regulariser.bf16` computes the CNNs with 8 significant bits, on a CPU, too.

`training.deterministic` picks kernels that repeat themselves to the bit. It is off because they are
slower; algorithms are never chosen by timing them, so most runs repeat themselves anyway.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

VARIABLE = "GLEAM_TF32"
# Relative difference of a network's gradient between a GPU and a CPU that is put down to rounding.
TOLERANCES = {"fp32": 1e-4, "tf32": 1e-2, "bf16": 5e-2}


def decide(deterministic: bool = False) -> None:
    """Have PyTorch compute so, in this process, from now on.

    Args:
        deterministic: by kernels that repeat themselves; PyTorch warns where it has none.
    """
    torch.backends.cudnn.allow_tf32 = os.environ.get(VARIABLE) != "0"
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = deterministic
    if deterministic or torch.are_deterministic_algorithms_enabled():  # imports the compiler
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
    # Nothing is read before it is written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@contextmanager
def of_network(kind: str, bf16: bool) -> Iterator[None]:
    """A context in which a CNN computes as its recipe says.

    Args:
        kind: of the device, cpu or cuda.
        bf16: see above.
    """
    if not torch.amp.is_autocast_available(kind):  # meta: nothing is computed there
        yield
        return
    # Each weight is used once within it, so nothing is gained by keeping its coarser copy.
    with torch.autocast(kind, torch.bfloat16, enabled=bf16, cache_enabled=False):
        yield


def within(kind: str) -> torch.dtype | None:
    """The type that `of_network` has a device compute in just now; None for its usual precision."""
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return None


def name(device: torch.device, bf16: bool) -> str:
    """The precision that CNNs compute in on a device: fp32, tf32 or bf16; a key of `TOLERANCES`."""
    if bf16:
        return "bf16"
    if device.type == "cpu" or not torch.backends.cudnn.allow_tf32:
        return "fp32"
    return "tf32" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp32"


def advice(width: int, bf16: bool) -> str | None:
    """A line on features that a GPU is slow with, or None.

    Tensor cores take bfloat16 channels by eights; of other numbers cuDNN makes padded copies at
    every convolution. Nothing is padded here: a network stays what its recipe says, and another
    width costs nothing to ask for.
    """
    rest = width % 8
    if not bf16 or not rest:
        return None
    fitting = [width - rest] * (width > rest) + [width - rest + 8]
    return (
        f"network.regulariser.width: {width} features in bfloat16 are padded to {fitting[-1]} on a "
        f"GPU at every convolution; {' or '.join(map(str, fitting))} are faster there"
    )


def facts(device: torch.device, bf16: bool) -> dict[str, object]:
    """Facts on precision for a run's environment.json."""
    precision = name(device, bf16)
    return {
        "networks": precision,
        "physics": "fp32",
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "same as on a CPU within": TOLERANCES[precision],
    }
