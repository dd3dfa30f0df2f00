"""The torch module of a network: the user's own program where the network is a .pt2, else rebuilt from its ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.builtin import reason_of
from hwprof.networks.inputs import InputSpec, TensorSpec


def origin(source: Path) -> str:
    """`pt2` or `onnx`: what the modules of a network that lies at `source` are made of."""
    return "pt2" if source.with_suffix(".pt2").is_file() and source.suffix == ".onnx" else "onnx"


def examples(spec: InputSpec) -> tuple[Any, ...]:
    """A tensor of zeros for each input, in the network's order."""
    import torch

    return tuple(torch.zeros(one.shape, dtype=getattr(torch, one.dtype)) for one in spec.inputs)


def module_of(source: Path, inputs: Sequence[TensorSpec] = ()) -> Any:
    """The module of `network.onnx`, or of the `network.pt2` that lies beside it; a program keeps its inputs' order.

    `inputs`: with the case's shapes. Raises UnsupportedModel.
    """
    if origin(source) == "onnx":
        from hwprof.frameworks.pytorch.graph import build

        return build(source, inputs)
    import torch

    try:
        return torch.export.load(source.with_suffix(".pt2")).module()
    except Exception as error:  # another torch's file: the reader raises what it likes
        raise UnsupportedModel(f"torch {torch.__version__} can't read the .pt2: {reason_of(error)}") from error
