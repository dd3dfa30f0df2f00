"""ncnn on the CPU."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.environments.environment import Environment
from hwprof.errors import NotInstalled, UnsupportedModel
from hwprof.frameworks.builtin import BuiltInAdapter, import_of, profile_beside
from hwprof.frameworks.conversions import ONNX, Conversion
from hwprof.frameworks.named_inputs import as_int32
from hwprof.frameworks.named_outputs import require_outputs
from hwprof.frameworks.ncnn.pnnx import (
    TYPES,
    batch_axes,
    check_batch,
    check_integers,
    check_layers,
    input_shapes,
    lines,
    reason,
)
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.switches import Switch
from hwprof.networks.inputs import InputSpec
from hwprof.printable import plural
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

# Its defaults lose precision: all of these are off in an FP32 case.
NOT_READY = "network graph not ready"  # what follows from any failure
AXES = "axes.json"  # beside the network: blob -> the axis of its batch
REDUCED = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_packed", "use_bf16_storage")


class NcnnModel:
    """A net; each inference takes an extractor of its own, as the library wants.

    An extractor computes what is asked of it and no more: every output is asked for.
    """

    def __init__(
        self, net: Any, module: Any, case: Case, outputs: Sequence[str], axes: Mapping[str, int] | None = None
    ) -> None:
        self._net, self._module, self._case, self._outputs = net, module, case, outputs
        self._input = net.input_names()[0]
        self._axes = {self._input: 0} if axes is None else axes

    def bind(self, *batch: Array) -> Any:
        """A matrix of ncnn's own; a single image has no batch axis."""
        return self.matrix(batch[0], self._input)

    def matrix(self, array: Any, name: str) -> Any:
        """An array as the blob `name` takes it: integers of 32 bits, the batch's axis dropped where it is 1 long.

        A copy: on an array's own memory, which ncnn counts no references to, a layer that works in place crashes.
        """
        if array.dtype.kind == "i":
            array = as_int32("ncnn", array)
        axis = self._axes.get(name)
        if axis == 0 and array.shape[0] == 1 and array.ndim > 1:
            array, axis = array[0], None
        made = self._module.Mat(array) if axis is None else self._module.Mat(array, axis)
        return made.clone()

    def feed(self, extractor: Any, bound: Any) -> None:
        """What `bind` gave."""
        extractor.input(self._input, bound)

    def infer(self, bound: Any) -> Any:
        """One pass."""
        extractor = self._net.create_extractor()
        extractor.input(self._input, bound)
        return self.extract(extractor)

    def extract(self, extractor: Any) -> list[Any]:
        """Every output. Raises UnsupportedModel."""
        found = []
        for name in self._outputs:
            code, out = extractor.extract(name)
            if code != 0:
                raise UnsupportedModel(f"ncnn ended with code {code}", "-100: not enough memory")
            found.append(out)
        return found

    def outputs(self, out: Any) -> list[Array]:
        """Copies of all outputs, each of shape (batch, ...)."""
        return [array_of(matrix) for matrix in out]

    def facts(self) -> Mapping[str, Any]:
        """Options as the net has them."""
        options = self._net.opt
        return {
            "version": self._module.__version__,
            "threads": options.num_threads,
            "openmp_blocktime": options.openmp_blocktime,
            "packing": options.use_packing_layout,
            "winograd": options.use_winograd_convolution,
            "sgemm": options.use_sgemm_convolution,
            "vulkan": options.use_vulkan_compute,
            "reduced": [name for name in REDUCED if getattr(options, name, False)],
            "precision": self._case.precision,
        }


class SeveralInputsNcnn(NcnnModel):
    """A net of several inputs, in0, in1, ... in the network's order."""

    def bind(self, *batch: Array) -> Any:
        """A matrix of each array, under the name of its blob."""
        return [(name, self.matrix(array, name)) for name, array in zip(input_blobs(len(batch)), batch, strict=True)]

    def feed(self, extractor: Any, bound: Any) -> None:
        """What `bind` gave."""
        for name, matrix in bound:
            extractor.input(name, matrix)

    def infer(self, bound: Any) -> Any:
        """One pass."""
        extractor = self._net.create_extractor()
        for name, matrix in bound:
            extractor.input(name, matrix)
        return self.extract(extractor)


def input_blobs(count: int) -> list[str]:
    """As pnnx calls what goes in, in the network's order."""
    return [f"in{number}" for number in range(count)]


def array_of(matrix: Any) -> Array:
    """A copy of an ncnn matrix, of shape (batch, ...). ncnn stores the images of a batch separately."""
    import numpy as np

    images = [np.array(matrix.batch(i)) for i in range(matrix.n)] if matrix.n > 1 else [np.array(matrix)]
    return np.stack(images).astype(np.float32, copy=False)


def load_error(module: Any, artifact: Path) -> str:
    """Why the network can't be loaded, as ncnn writes it to stderr when it is tried once more."""
    net = module.Net()
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            net.load_param(str(artifact))
            net.load_model(str(artifact.with_suffix(".bin")))
            os.dup2(kept, 2)
            file.seek(0)
            said = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    print(*said, sep="\n", file=sys.stderr)
    return "; ".join(dict.fromkeys(line for line in said if line and line != NOT_READY))[:300] or "it says not why"


def outputs_of(net: Any, names: Sequence[str]) -> list[str]:
    """The net's blobs for the network's outputs `names`, or for its one. Raises UnsupportedModel where one is missing.

    pnnx numbers them out0, out1, ... in the network's order; ncnn lists them in the order of its layers.
    """
    if not names:  # a blob that nothing takes is one too, also an input
        found = net.output_names()
        return [next((name for name in found if name not in net.input_names()), found[0])]
    blobs = [f"out{number}" for number in range(len(names))]
    require_outputs("ncnn", blobs, net.output_names())
    return blobs


class Ncnn(BuiltInAdapter):
    """Adapter of ncnn: .onnx by pnnx, for the shape of the case."""

    name = "ncnn"
    consumes = ("ncnn",)
    precisions = ("fp32",)
    options: Mapping[str, tuple[Any, ...]] = {
        "winograd": (True, False),
        "packing": (True, False),
        "spin": (False, True),
    }
    tunable = ("winograd", "packing", "spin")
    riscv64_wheels = ("ncnn==1.0.20261020",)
    every_output = every_input = True
    portable = True
    input_types = tuple(TYPES)
    environment = Environment(
        ("ncnn",),
        "hwprof env create ncnn",
        "ncnn",
        requirements=("ncnn==1.0.20261020", "numpy"),
        # its Python side wants torch, of which the converter itself, a program, has no need
        alone=("pnnx==20261020",),
        converts_with=("pnnx",),
    )
    switches: Mapping[str, Switch] = {"spin": Switch({"spin": False})}
    form_means = ".param and .bin"
    conversions = (Conversion(ONNX, "ncnn", "pnnx", "ncnn"),)
    dli: Mapping[str, str] = {"ncnn": ""}

    profile = profile_beside(__name__)

    def environ(self, case: Case) -> Mapping[str, str]:
        """Threads that spin between parallel regions made a second thread up to a hundred times slower.

        Off unless asked.
        """
        return {
            **super().environ(case),
            "OMP_WAIT_POLICY": "active" if case.option("spin", False) else "passive",
        }

    def prepare(self, job: PrepareJob) -> Path:
        """A .param and a .bin in a folder. Raises NotInstalled, UnsupportedModel with pnnx's last words."""
        found = importlib.util.find_spec("pnnx")
        places = list(found.submodule_search_locations or ()) if found else []
        program = next(
            (p for place in places for p in (Path(place) / "pnnx", Path(place) / "bin/pnnx") if p.is_file()), None
        )
        if program is None:
            raise NotInstalled("pnnx, which converts to ncnn,", self.environment.install)
        names = ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx", "ncnnpy")
        words = [str(program), str(job.source), f"inputshape={input_shapes(job.input)}", "fp16=0"]
        words += [f"ncnnparam={job.directory / 'network.param'}", f"ncnnbin={job.directory / 'network.bin'}"]
        words += [f"{name}={job.directory / name}" for name in names]
        # It writes a simplified copy of the network beside its source.
        local = job.directory / "source.onnx"
        local.symlink_to(job.source)
        words[1] = str(local)
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=job.directory)
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        if done.returncode != 0 or not (job.directory / "network.bin").exists():
            raise UnsupportedModel(f"pnnx can't convert the network: {reason(done.stdout + done.stderr)}")
        layers = lines((job.directory / "network.param").read_text())
        check_layers(layers)
        check_integers(layers, job.input)
        check_batch(layers, job.case.batch)
        (job.directory / AXES).write_text(json.dumps(batch_axes((job.directory / "ncnnpy").read_text())))
        for name in names:
            (job.directory / name).unlink(missing_ok=True)
        for path in job.directory.glob("source*.onnx"):
            path.unlink()
        return job.directory / "network.param"

    def cache_key(self, case: Case) -> str:
        """The shape, which is part of every key already."""
        return "static shape, conversion 2"

    @contextmanager
    def load(self, artifact: Path, case: Case, spec: InputSpec) -> Iterator[NcnnModel]:
        """A net of `case.threads` threads. Raises UnsupportedModel naming the layer where ncnn does, NotInstalled."""
        with import_of(self.name, self.environment.install):
            ncnn = import_module()
        net = ncnn.Net()
        net.opt.use_vulkan_compute = False
        net.opt.num_threads = case.threads
        for name in REDUCED:
            if hasattr(net.opt, name):
                setattr(net.opt, name, False)
        net.opt.use_winograd_convolution = bool(case.option("winograd", True))
        net.opt.use_packing_layout = bool(case.option("packing", True))
        if net.load_param(str(artifact)) != 0 or net.load_model(str(artifact.with_suffix(".bin"))) != 0:
            raise UnsupportedModel(f"ncnn can't load the network: {load_error(ncnn, artifact)}")
        blobs = net.input_names()
        if spec.others and sorted(blobs) != sorted(input_blobs(len(spec.inputs))):
            raise UnsupportedModel(
                f"ncnn takes {len(blobs)} of the network's {plural(len(spec.inputs), 'input')}: "
                f"{', '.join(sorted(blobs))}",
                "export the network without inputs that it does not use",
            )
        model = SeveralInputsNcnn if spec.others else NcnnModel
        try:
            axes = json.loads(artifact.with_name(AXES).read_text())
            yield model(net, ncnn, case, outputs_of(net, spec.outputs), axes)
        finally:
            net.clear()


def import_module() -> Any:
    """The module ncnn. Raises ImportError.

    The wheels for riscv64 (seen from 1.0.20260114 to 1.0.20261020) refer to a kernel for FP16 that they don't have.
    Python binds all symbols when it loads a library; bound when they are called, that one never is in an FP32 case.
    """
    if platform.machine() != "riscv64":
        return importlib.import_module("ncnn")
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_LAZY)
    try:
        return importlib.import_module("ncnn")
    finally:
        sys.setdlopenflags(flags)


ADAPTER = Ncnn()
