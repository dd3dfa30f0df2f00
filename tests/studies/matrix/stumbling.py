"""A framework that fails while it infers some networks. Launched by name in a worker: no imports of tests.* here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hwprof.frameworks.onnxruntime.adapter import OnnxRuntime
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case


class Stumbling(OnnxRuntime):
    """Stumbles over Concat."""

    name = "stumbling"

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[Any]:
        import onnx

        kinds = {node.op_type for node in onnx.load(str(artifact)).graph.node}

        def stumble(bound: object) -> object:
            raise RuntimeError("a vector is too long")

        with super().load(artifact, case, spec) as model:
            if "Concat" in kinds:
                model.infer = stumble  # type: ignore[method-assign]
            yield model


ADAPTER = Stumbling()
