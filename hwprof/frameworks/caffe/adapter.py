"""Networks in Caffe's format, read by OpenCV's DNN module: what is left of Caffe and Caffe2 on today's machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hwprof.errors import NotInstalled, UnsupportedModel
from hwprof.frameworks.conversions import ONNX, Conversion
from hwprof.frameworks.opencv.adapter import OpenCv, OpenCvModel, explain
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.switches import Switch
from hwprof.networks.graph import InputSpec
from hwprof.records import Case


class CaffeModel(OpenCvModel):
    """As OpenCV's; the facts say by which reader the network came in."""

    def facts(self) -> Mapping[str, Any]:
        """As OpenCV tells them."""
        return {**super().facts(), "reader": "caffe"}


class Caffe(OpenCv):
    """Adapter of Caffe's format: .onnx as .prototxt and .caffemodel, run by OpenCV 4."""

    name = "caffe"
    consumes = ("caffe",)
    every_output = False  # in Caffe's format only what no layer takes is an output
    switches: Mapping[str, Switch] = {}
    form, form_means = "caffe", ".prototxt and .caffemodel"
    conversions = (Conversion(ONNX, "caffe", "hwprof: a walk over the graph", "caffe"),)
    debian = ()
    dli: Mapping[str, str] = {"Caffe": ""}

    def prepare(self, job: PrepareJob) -> Path:
        """The two files, for the shape of the case. Raises UnsupportedModel with operator and node."""
        from hwprof.frameworks.caffe.format import convert

        return convert(job.source, job.input.shape, job.directory)

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[CaffeModel]:
        """A net with `case.threads` threads. Raises UnsupportedModel, NotInstalled."""
        try:
            import cv2
        except ImportError as error:
            raise NotInstalled("opencv", self.environment.install) from error
        if not hasattr(cv2.dnn, "readNetFromCaffe"):
            raise UnsupportedModel(f"OpenCV {cv2.__version__} has no reader for Caffe's format", "OpenCV 4 has")
        cv2.setNumThreads(case.threads)
        try:
            net = cv2.dnn.readNetFromCaffe(str(artifact), str(artifact.with_suffix(".caffemodel")))
            self.configure(net, cv2, case)
        except cv2.error as error:
            raise UnsupportedModel(f"OpenCV can't read the network: {explain(str(error))}") from error
        yield CaffeModel(net, cv2, case)


ADAPTER = Caffe()
