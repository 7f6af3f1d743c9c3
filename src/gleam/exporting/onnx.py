"""Writing a program as ONNX: real arithmetic, but for ONNX's own DFT (see `real`).

Complex inputs and the image have real and imaginary parts along a last axis.
"""

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch.export import Dim, ExportedProgram

from gleam.errors import BadInput
from gleam.exporting.real import Real
from gleam.files import replacing
from gleam.reconstruction.exported import FACTS, Facts
from gleam.trust import told
from gleam.words import not_installed

_FLOAT, _DOUBLE = 1, 11  # ONNX's numbers for these types
OPSET = 20  # the first whose DFT takes its axis as an input, as opsets after it do


def write(program: ExportedProgram, facts: Facts, path: Path) -> None:
    """Write the program's twin in real arithmetic, with what it is as metadata.

    Raises:
        BadInput: onnx or onnxscript is not installed; an operation has no counterpart.
    """
    try:
        from onnxscript import opset20
    except ModuleNotFoundError as error:
        raise BadInput(f"{path}: {not_installed('onnx and onnxscript', 'onnx')}") from error

    def dft(pairs: Any, axis: int, inverse: bool) -> Any:
        # In single precision onnxruntime loses digits at lengths that are no powers of two.
        precise = opset20.Cast(pairs, to=_DOUBLE)
        place = opset20.Constant(value_int=axis)
        transformed = opset20.DFT(precise, None, place, inverse=int(inverse), onesided=0)
        return opset20.Cast(transformed, to=_FLOAT)

    inputs, _ = program.example_inputs or ((), {})
    real = tuple(torch.view_as_real(x.resolve_conj()) if x.is_complex() else x for x in inputs)
    try:
        with torch.no_grad(), warnings.catch_warnings(), _quietly():
            warnings.simplefilter("ignore")
            twin = Real(program)
            again = torch.export.export(
                twin, real, dynamic_shapes=(_moving(program, inputs),), strict=False
            )
            made = torch.onnx.export(
                again,
                (),
                dynamo=True,
                opset_version=OPSET,
                custom_translation_table={torch.ops.gleam.dft.default: dft},
                input_names=list(facts.inputs),
                output_names=["image"],
                verbose=False,
            )
    except BadInput:
        raise
    except Exception as error:  # whatever the exporter does not know
        raise BadInput(f"the network cannot be put into ONNX ({told(error)[:300]})") from error
    assert made is not None
    made.model.metadata_props[FACTS] = facts.model_dump_json()
    with replacing(path) as temporary:
        made.save(str(temporary))


def _moving(program: ExportedProgram, inputs: tuple[Any, ...]) -> tuple[dict[int, Any], ...]:
    """The axes of each input whose length may change."""
    values = [n.meta["val"] for n in program.graph.nodes if n.op == "placeholder"][-len(inputs) :]
    return tuple(
        {d: Dim.DYNAMIC for d, size in enumerate(value.shape) if not isinstance(size, int)}
        for value in values
    )


class _quietly:
    """The exporter has much to say, to those who work on it."""

    def __enter__(self) -> None:
        self.before = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self.before)
