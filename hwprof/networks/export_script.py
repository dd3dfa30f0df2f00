"""A program of torch.export.save as ONNX. Run as a script, by an interpreter that has torch: it imports no hwprof.

`python -P export_script.py MODULE.pt2 NETWORK.onnx`; the last line on stdout is a JSON object: `error`, or versions.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import warnings
from typing import Any

# What the walks over the graph know; torch's own default is later.
OPSET = 18


def main(source: str, target: str) -> dict[str, Any]:
    """Export, and tell by what; `error` names what can't be taken."""
    try:
        import torch
    except ImportError as error:
        return {"error": f"torch can't be imported: {first_line(error)}"}
    # the exporter that does without it traces, and no open batch survives that
    if importlib.util.find_spec("onnxscript") is None:
        return {"error": "its export to ONNX needs onnxscript", "remedy": "pip install onnxscript beside torch"}
    warnings.simplefilter("ignore")
    try:
        program = torch.export.load(source)
    except Exception as error:  # noqa: BLE001  whatever a file that is none makes of it
        return {"error": f"is no program that torch.export.save wrote, or of another torch ({first_line(error)})"}
    users = [n for n in program.graph.nodes if n.op == "placeholder" and n.name in program.graph_signature.user_inputs]
    if refused := input_error(program, users, torch):
        return {"error": refused, "remedy": "export it with tensors as its positional arguments"}
    if len(program.graph_signature.user_outputs) < 1:
        return {"error": "has no output"}
    inputs = ["input"] if len(users) == 1 else [n.name for n in users]
    names = {"input_names": inputs, "output_names": ["output"]}
    try:
        with torch.no_grad():
            torch.onnx.export(program, (), target, dynamo=True, external_data=False, opset_version=OPSET, **names)
    except Exception as error:  # noqa: BLE001  the exporter raises what it likes
        return {"error": f"torch.onnx.export can't take it ({first_line(error)})"}
    return {"torch": torch.__version__, "onnxscript": importlib.metadata.version("onnxscript")}


def input_error(program: Any, users: list[Any], torch: Any) -> str:
    """Why a program's inputs can't be fed in their order; "" where they can."""
    if not users:
        return "has no input"
    if len(users) != len(program.graph_signature.user_inputs):
        return "has an input that is a constant"
    no_tensors = [n.name for n in users if not isinstance(n.meta.get("val"), torch.Tensor)]
    if no_tensors:
        return f"has an input that is no tensor: {no_tensors[0]}"
    arguments, named = program.call_spec.in_spec.unflatten(users)
    if named or list(arguments) != users:
        return "takes keywords, or tensors in lists or dictionaries"
    return ""


def first_line(error: Exception) -> str:
    """What an exception says, in one line."""
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {said[0] if said else 'no reason given'}"[:240]


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # the exporters print their progress
        told = main(*sys.argv[1:3])
    print(json.dumps(told), flush=True)
    os._exit(0)  # some exit handlers crash
