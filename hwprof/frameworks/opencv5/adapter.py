"""OpenCV 5's DNN module, whose engine is another one than OpenCV 4's; both can't be in one environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hwprof.environments.environment import Environment
from hwprof.errors import NotInstalled, UnsupportedModel
from hwprof.frameworks.conversions import ONNX
from hwprof.frameworks.named_outputs import require_outputs
from hwprof.frameworks.opencv.adapter import OpenCv, OpenCvModel, explain
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks.graph import InputSpec
from hwprof.records import Case

ENGINES = {"new": "ENGINE_NEW", "classic": "ENGINE_CLASSIC", "auto": "ENGINE_AUTO"}


class OpenCv5(OpenCv):
    """Adapter of OpenCV 5: reads .onnx as it is.

    A batch above 1 wants the open batch that OpenCV 4 computes wrongly.
    """

    name = "opencv5"
    options: Mapping[str, tuple[Any, ...]] = {**OpenCv.options, "engine": ("auto", "new", "classic")}
    tunable = ("winograd", "fusion", "engine")
    environment = Environment(
        ("opencv-python-headless",),
        "hwprof env create opencv5",
        "cv2",
        versions=">=5",
        requirements=("opencv-python-headless==5.0.0.93", "numpy>=2"),
    )
    form = ONNX
    conversions = ()
    debian = ()
    dli: Mapping[str, str] = {}

    def prepare(self, job: PrepareJob) -> Path:
        """Nothing to convert."""
        return job.source

    def cache_key(self, case: Case) -> str:
        """The artifact is the source, whatever the case."""
        return ""

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[OpenCvModel]:
        """A net with `case.threads` threads. Raises UnsupportedModel with operator and node, NotInstalled."""
        try:
            import cv2
        except ImportError as error:
            raise NotInstalled(self.name, self.environment.install) from error
        if int(cv2.__version__.split(".")[0]) < 5:
            raise NotInstalled(f"OpenCV 5 (there is {cv2.__version__})", self.environment.install)
        cv2.setNumThreads(case.threads)
        dnn: Any = cv2.dnn  # what it says of its types is OpenCV 4's
        engine = getattr(dnn, ENGINES[str(case.option("engine", "auto"))])
        try:
            net = dnn.readNetFromONNX(str(artifact), engine)
            self.configure(net, cv2, case)
        except cv2.error as error:
            raise UnsupportedModel(f"OpenCV can't read the network: {explain(str(error))}") from error
        require_outputs("OpenCV 5", spec.outputs, net.getUnconnectedOutLayersNames())
        yield OpenCvModel(net, cv2, case, spec.outputs)


ADAPTER = OpenCv5()
