"""Networks in Caffe's format, read by OpenCV's DNN module: what is left of Caffe and Caffe2 on today's machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.caffe.format import OUTPUTS
from hwprof.frameworks.conversions import ONNX, Conversion
from hwprof.frameworks.named_inputs import require_types
from hwprof.frameworks.named_outputs import require_outputs
from hwprof.frameworks.opencv.adapter import NamedInputsModel, OpenCv, OpenCvModel
from hwprof.frameworks.protocol import PrepareJob
from hwprof.records import Case


class CaffeModel(OpenCvModel):
    """OpenCV's model. Its facts name the reader of the network."""

    def facts(self) -> Mapping[str, Any]:
        """Facts of OpenCV, and the reader."""
        return {**super().facts(), "reader": "caffe"}


class SeveralInputsCaffe(NamedInputsModel):
    """OpenCV's model of several inputs. Its facts name the reader of the network."""

    def facts(self) -> Mapping[str, Any]:
        """Facts of OpenCV, and the reader."""
        return {**super().facts(), "reader": "caffe"}


class Caffe(OpenCv):
    """Adapter of Caffe's format: .onnx as .prototxt and .caffemodel, run by OpenCV 4."""

    name = "caffe"
    model, model_by_name = CaffeModel, SeveralInputsCaffe
    consumes = ("caffe",)
    input_types = ("float32",)
    form, form_means = "caffe", ".prototxt and .caffemodel"
    conversions = (Conversion(ONNX, "caffe", "hwprof: a walk over the graph", "caffe"),)
    dli: Mapping[str, str] = {"Caffe": ""}

    def prepare(self, job: PrepareJob) -> Path:
        """The two files, for the shape of the case. Raises UnsupportedModel with operator and node."""
        from hwprof.frameworks.caffe.format import convert

        require_types("hwprof's writer of Caffe's format", job.input, self.input_types)
        return convert(job.source, job.input.inputs, job.directory)

    def layers(self, net: Any, artifact: Path, outputs: Sequence[str]) -> Sequence[str]:
        """The layers that make the outputs: what another layer takes is no output in Caffe's format, but a layer.

        OpenCV names some layers after what they give, and others as the file does.
        """
        if not outputs:
            return ()
        makers, there = json.loads(artifact.with_name(OUTPUTS).read_text()), net.getLayerNames()
        found = {name: name if name in there else makers.get(name) for name in outputs}
        require_outputs("OpenCV's reader of Caffe", outputs, [name for name in outputs if found[name] in there])
        return [found[name] for name in outputs]

    def read(self, cv2: Any, artifact: Path, case: Case) -> Any:
        """The net of the two files. Raises UnsupportedModel where this OpenCV has no reader for them."""
        if not hasattr(cv2.dnn, "readNetFromCaffe"):
            raise UnsupportedModel(f"OpenCV {cv2.__version__} has no reader for Caffe's format", "OpenCV 4 has")
        return cv2.dnn.readNetFromCaffe(str(artifact), str(artifact.with_suffix(".caffemodel")))


ADAPTER = Caffe()
