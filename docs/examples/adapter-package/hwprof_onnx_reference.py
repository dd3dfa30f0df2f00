"""onnx's own reference evaluator as a framework of hwprof: NumPy, one operator after the other."""

import os
from contextlib import contextmanager
from types import MappingProxyType

from hwprof.errors import NotInstalled, UnsupportedModel
from hwprof.frameworks.protocol import Environment


class Model:
    """A loaded network."""

    def __init__(self, evaluator, version):
        self._evaluator, self._version = evaluator, version
        self._input = evaluator.input_names[0]

    def bind(self, batch):  # the framework's own input; outside the timer
        return {self._input: batch}

    def infer(self, bound):  # complete when it returns
        return self._evaluator.run(None, bound)

    def numpy(self, out):  # an array that stays valid after further inferences
        return out[0].copy()

    def facts(self):  # read back, not assumed
        blas = int(os.environ["OPENBLAS_NUM_THREADS"])
        return {"version": self._version, "threads": 1, "blas_threads": blas, "precision": "fp32"}


class OnnxReference:
    """The adapter; hwprof finds ADAPTER below by the entry point."""

    name = "onnx-reference"
    consumes = ("onnx",)
    precisions = ("fp32",)
    options = MappingProxyType({"blas": ("single", "threaded")})  # what a case may ask for; the default first
    tunable = ("blas",)  # those of them that change how fast it computes and not what; `hwprof tune` varies them
    # whose versions are recorded, what installs it, what is imported to find out whether it is there
    environment = Environment(("onnx", "hwprof-onnx-reference"), "pip install hwprof-onnx-reference", "onnx.reference")

    def environ(self, case):  # variables that must exist before the process does
        threaded = case.option("blas", "single") == "threaded"
        return {"OPENBLAS_NUM_THREADS": str(case.threads if threaded else 1)}

    def prepare(self, job):  # the artifact; in a process of its own, cached
        return job.source

    def cache_key(self, case):  # what of the case changes the artifact
        return ""

    @contextmanager
    def load(self, artifact, case, spec):
        try:
            import onnx
            from onnx.reference import ReferenceEvaluator
        except ImportError as error:
            raise NotInstalled(self.name, self.environment.install) from error
        try:
            evaluator = ReferenceEvaluator(str(artifact))
        except NotImplementedError as error:
            raise UnsupportedModel(f"onnx's evaluator can't run the network: {error}") from error
        yield Model(evaluator, onnx.__version__)


ADAPTER = OnnxReference()
