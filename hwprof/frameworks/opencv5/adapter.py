"""OpenCV 5's DNN module, whose engine is another one than OpenCV 4's; both can't be in one environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwprof.environments.environment import Environment
from hwprof.errors import NotInstalled
from hwprof.frameworks.conversions import ONNX
from hwprof.frameworks.opencv.adapter import NamedInputsModel, OpenCv, OpenCvModel
from hwprof.frameworks.protocol import PrepareJob
from hwprof.records import Case

ENGINES = {"new": "ENGINE_NEW", "classic": "ENGINE_CLASSIC", "auto": "ENGINE_AUTO"}


class OpenCv5Model(OpenCvModel):
    """OpenCV's model; OpenCV 5 has every type and arrays without axes."""

    def blob(self, array: Any) -> Any:
        """The array itself."""
        return array


class OpenCv5NamedInputsModel(NamedInputsModel):
    """The same with several inputs."""

    def blob(self, array: Any) -> Any:
        """The array itself."""
        return array


class OpenCv5(OpenCv):
    """Adapter of OpenCV 5: reads .onnx as it is.

    A batch above 1 wants the open batch that OpenCV 4 computes wrongly.
    """

    name = package = "opencv5"
    title = "OpenCV 5"
    model = OpenCv5Model
    model_by_name = OpenCv5NamedInputsModel
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

    def read(self, cv2: Any, artifact: Path, case: Case) -> Any:
        """The net, in the engine of the case. Raises NotInstalled where the module is OpenCV 4's."""
        if int(cv2.__version__.split(".")[0]) < 5:
            raise NotInstalled(f"OpenCV 5 (there is {cv2.__version__})", self.environment.install)
        engine = getattr(cv2.dnn, ENGINES[str(case.option("engine", "auto"))])
        return cv2.dnn.readNetFromONNX(str(artifact), engine)

    def remedy(self, case: Case) -> str:
        """The other engine, where the new one may have been taken."""
        return "" if case.option("engine", "auto") == "classic" else "try --option engine=classic"


ADAPTER = OpenCv5()
