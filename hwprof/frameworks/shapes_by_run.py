"""Shapes that no inference tells, found by running the network once."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.onnxruntime.adapter import load_error
from hwprof.frameworks.onnxruntime.plain import open_session
from hwprof.networks.size import missing_shapes


def shapes_by_run(
    source: Path, feeds: Mapping[str, Any], wanted: Sequence[str] | None = None
) -> dict[str, tuple[int, ...]]:
    """Tensor -> its shape in one run of ONNX Runtime without graph optimisation; {} where nothing is missing.

    `source`: an .onnx without functions of its own, in a folder that can be written to; data beside it stay there.
    `feeds`: input -> array. `wanted`: tensors of the graph, by default what `size.size_of` lacks at these inputs; hand
    it the result as `known`. Shapes are those of these inputs' values. Tensors in bodies of If, Loop and Scan can't be
    had. Raises NotInstalled; UnsupportedModel where ONNX Runtime can't load or run the network.
    """
    import onnx

    model = onnx.load(str(source), load_external_data=False)
    shapes = {name: tuple(value.shape) for name, value in feeds.items()}
    names = list(missing_shapes(model, inputs=shapes) if wanted is None else wanted)
    if not names:
        return {}
    given = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    with tempfile.NamedTemporaryFile(suffix=".onnx", prefix=".shapes-", dir=source.parent) as file:
        Path(file.name).write_bytes(model.SerializeToString())
        session = open_session(Path(file.name))
        try:
            values = session.run(names, dict(feeds))
        except Exception as error:  # its exception classes differ between versions
            raise UnsupportedModel(f"the reference can't run the network: {load_error(error)}") from error
    return {name: tuple(value.shape) for name, value in zip(names, values, strict=True) if hasattr(value, "shape")}
