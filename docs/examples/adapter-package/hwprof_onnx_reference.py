"""onnx's own reference evaluator as a framework of hwprof: NumPy, one operator after the other."""

import os
from contextlib import contextmanager
from types import MappingProxyType

from hwprof.errors import NotInstalled, UnsupportedModel
from hwprof.frameworks.conversions import Conversion
from hwprof.frameworks.profiles.timed import Timed
from hwprof.frameworks.protocol import Environment, Step
from hwprof.frameworks.switches import Switch


class Model:
    """A loaded network."""

    def __init__(self, evaluator, version):
        self.evaluator, self._version = evaluator, version

    def bind(self, *batch):  # the framework's own inputs, an array for each in the network's order; outside the timer
        return dict(zip(self.evaluator.input_names, batch, strict=True))

    def infer(self, bound):  # complete when it returns
        return self.evaluator.run(None, bound)

    def outputs(self, out):  # every output, in the network's order, valid after further inferences
        return [array.copy() for array in out]

    def facts(self):  # read back, not assumed
        blas = int(os.environ["OPENBLAS_NUM_THREADS"])
        return {"version": self._version, "threads": 1, "blas_threads": blas, "precision": "fp32"}


class TimedModel(Timed):
    """The same network, its nodes timed one by one."""

    def __init__(self, model):
        super().__init__(model)
        self._nodes = model.evaluator.rt_nodes_
        for number, node in enumerate(self._nodes):
            node.run = self._timed(number, node.run)

    def _timed(self, number, run):
        def timed(*inputs, **more):
            self.start()
            outputs = run(*inputs, **more)
            self.stop(number)
            return outputs

        return timed

    def steps(self):  # the names of what a node gives lead to it in the network
        return [
            Step(node.onnx_node.name, node.op_type, self.ns(number), tuple(node.output), self.counts(number))
            for number, node in enumerate(self._nodes)
        ]


class OnnxReference:
    """The adapter; hwprof finds ADAPTER below by the entry point."""

    name = "onnx-reference"
    consumes = ("onnx",)
    precisions = ("fp32",)
    options = MappingProxyType({"blas": ("single", "threaded")})  # what a case may ask for; the default first
    tunable = ("blas",)  # those of them that change how fast it computes and not what; `hwprof tune` varies them
    # whose versions are recorded, what installs it, what is imported to find out whether it is there
    environment = Environment(("onnx", "hwprof-onnx-reference"), "pip install hwprof-onnx-reference", "onnx.reference")
    # The rest may be left out.
    every_output = True  # of a network with several outputs: all are converted, computed and returned
    every_input = True  # of a network with several inputs: all are converted and bound
    input_types = ("float32", "float16", "float64", "int32", "int64", "uint8", "bool")  # as NumPy calls them
    switches = MappingProxyType(
        {
            "spin": Switch({"env.OPENBLAS_THREAD_TIMEOUT": "4"}),
            "simd": Switch({"env.OPENBLAS_CORETYPE": "Prescott"}, "NumPy's own loops keep their vectors"),
        }
    )
    form, form_means = "inlined-onnx", "ONNX without functions of its own"
    conversions = (Conversion("onnx", "inlined-onnx", "onnx.inliner", "onnx-reference"),)
    debian = ("python3-onnx",)

    def environ(self, case):  # variables that must exist before the process does
        threaded = case.option("blas", "single") == "threaded"
        return {"OPENBLAS_NUM_THREADS": str(case.threads if threaded else 1)}

    def prepare(self, job):  # the artifact; in a process of its own, cached
        import onnx
        import onnx.inliner

        path = job.directory / "inlined.onnx"
        onnx.save(onnx.inliner.inline_local_functions(onnx.load(str(job.source))), str(path))
        return path

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

    @contextmanager
    def profile(self, artifact, case, spec):
        with self.load(artifact, case, spec) as model:
            yield TimedModel(model)


ADAPTER = OnnxReference()
