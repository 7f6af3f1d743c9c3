"""What a verb imports: what it needs, so that it begins at once. No clock is asked."""

import json
import subprocess
import sys

import pytest

from gleam.cli import VERBS

COMPILER = {"torch._dynamo", "torch._inductor", "torch.distributed.fsdp", "sympy", "triton"}
DRAWING = {"matplotlib", "jinja2"}
FORMATS = {"nibabel", "pydicom", "ismrmrd", "twixtools"}
SCIPY = {f"scipy.{part}" for part in ("spatial", "ndimage", "interpolate", "io", "fft")}
REST = {"tensorboard", "google.protobuf", "distributed"}
ANYWHERE = COMPILER | DRAWING | FORMATS | SCIPY | REST
RUNS = {"safetensors", "gleam.networks", "gleam.runs", "gleam.training"}  # and their readers
HELP = ANYWHERE | RUNS | {"torch", "scipy", "h5py", "PIL", "gleam.formats"}

FORBIDDEN = {  # in an order in which each may import what those before it may
    "demo": ANYWHERE | RUNS | {"h5py"},
    "simulate": ANYWHERE | RUNS,
    "prepare": ANYWHERE | RUNS,
    "inspect": ANYWHERE | RUNS,
    "cite": ANYWHERE,
    "check": ANYWHERE,
    "adapt": ANYWHERE,
    "reconstruct": ANYWHERE,
    "serve": ANYWHERE,
    "export": ANYWHERE,
    "evaluate": ANYWHERE,
    "report": ANYWHERE,
    "view": ANYWHERE,
    "watch": ANYWHERE,
    "train": ANYWHERE,
    "plan": ANYWHERE,
    "compare": ANYWHERE,
}

PROGRAM = f"""
import json, sys
from contextlib import redirect_stdout, suppress
from importlib import import_module
from io import StringIO
from gleam.cli import main

found = {{}}
for verb in {[*FORBIDDEN]}:
    with redirect_stdout(StringIO()), suppress(SystemExit):
        main([verb, "--help"])
    found["help", verb] = {{*sys.modules}}
for verb in {[*FORBIDDEN]}:
    import_module("gleam.cli." + verb)
    found["work", verb] = {{*sys.modules}}

import torch
from gleam import precision
from gleam.training.adam import Adam
from gleam.training.meter import metered

precision.decide()
weight = torch.nn.Parameter(torch.ones(2))
optimizer = Adam([weight], fused=True)
def step():
    weight.sum().backward()
    optimizer.step()
    optimizer.zero_grad()
metered(step, weight.device)
optimizer.load_state_dict(optimizer.state_dict())
found["step", "train"] = {{*sys.modules}}
print(json.dumps([[*names, sorted(modules)] for names, modules in found.items()]))
"""


@pytest.fixture(scope="module")
def imported() -> dict[tuple[str, str], set[str]]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {(what, verb): set(modules) for what, verb, modules in json.loads(done.stdout)}


Imported = dict[tuple[str, str], set[str]]


def test_every_verb_is_looked_at() -> None:
    assert FORBIDDEN.keys() == VERBS.keys()


@pytest.mark.parametrize("verb", FORBIDDEN)
def test_a_help_text_needs_words_only(verb: str, imported: Imported) -> None:
    assert f"gleam.cli.options.{verb}" in imported["help", verb]
    assert not imported["help", verb] & HELP


@pytest.mark.parametrize("verb", FORBIDDEN)
def test_a_verb_imports_what_it_needs(verb: str, imported: Imported) -> None:
    assert {"torch", f"gleam.cli.{verb}"} <= imported["work", verb]
    assert not imported["work", verb] & FORBIDDEN[verb]


def test_a_step_and_its_metering_need_no_compiler(imported: Imported) -> None:
    assert not imported["step", "train"] & COMPILER
