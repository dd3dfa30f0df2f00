"""A framework that refuses networks and does not say why. Launched by name in a worker: no imports of tests.* here."""

from __future__ import annotations

from pathlib import Path

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.onnxruntime.adapter import OnnxRuntime
from hwprof.frameworks.protocol import PrepareJob


class Picky(OnnxRuntime):
    """Dislikes Concat."""

    name = "picky"

    def prepare(self, job: PrepareJob) -> Path:
        import onnx

        if any(node.op_type == "Concat" for node in onnx.load(str(job.source)).graph.node):
            raise UnsupportedModel("no")
        return job.source


ADAPTER = Picky()
