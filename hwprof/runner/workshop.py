"""What a measured case needs on disk, made once in jobs of their own and kept in the cache.

Three kinds: the network with its weights, each framework's own form of it, and the reference outputs. Every entry is a
folder named by the hash of all that it depends on, made beside its place and renamed into it: one that exists is whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof import plugins
from hwprof.cache import default_cache, making
from hwprof.environments import interpreters
from hwprof.frameworks import fidelity
from hwprof.frameworks.calibration import Calibration
from hwprof.frameworks.precision import QUANTISED, int8_key
from hwprof.plan.cases import PlannedCase, plan, versions
from hwprof.printable import encodable
from hwprof.records import Case, Failure, Fidelity
from hwprof.runner.launcher import Launcher, Outcome
from hwprof.worker.protocol import QUANTISED_IMAGES, REFERENCE_IMAGES, Job, Task

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter

# Raised whenever the meaning of a cached file changes.
CACHE_FORMAT = 1
# For one conversion, where an experiment doesn't give its runs more.
TIMEOUT_S = 600.0


class PreparationFailed(Exception):
    """A job before the measurement failed; `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Paths a measuring job needs."""

    source: Path
    artifact: Path
    reference: Path
    steps: tuple[Mapping[str, Any], ...] = ()  # of the conversion, each with its seconds; none: read as it is


def gives_every_output(adapter: Adapter) -> bool:
    """Whether an adapter computes and hands over all of several outputs. One that does not say so does not."""
    return bool(getattr(adapter, "every_output", False))


def several(planned: PlannedCase) -> dict[str, Any]:
    """The outputs as part of a file's key. One output adds nothing, so that older files stay valid."""
    return {"outputs": planned.spec.outputs} if planned.spec.outputs else {}


def outputs_file(planned: PlannedCase) -> str:
    """Name of a file of outputs, whose ending says how many there are."""
    return "outputs.npz" if planned.spec.outputs else "outputs.npy"


def compared(case: Case) -> int:
    """How many images a case's outputs are compared on."""
    return QUANTISED_IMAGES if case.precision in QUANTISED else REFERENCE_IMAGES


@dataclass(slots=True)
class Workshop:
    """Makes artifacts, each at most once; a failure is remembered too, so that it is not repeated for every round."""

    launcher: Launcher
    seed: int
    timeout_s: float = TIMEOUT_S
    calibration: Calibration = field(default_factory=Calibration)
    cache: Path = field(default_factory=default_cache)
    failures: dict[str, Failure] = field(default_factory=dict)

    def get(self, planned: PlannedCase) -> Artifacts:
        """Everything for one case. Raises PreparationFailed."""
        self.admit(planned)
        source = self.network(planned)
        reference = self.reference(planned, source)
        artifact, steps = self.conversion(planned, source)
        return Artifacts(source, artifact, reference, steps)

    def admit(self, planned: PlannedCase) -> None:
        """Refuse a network with more outputs than the framework's adapter handles. Raises PreparationFailed."""
        count, name = len(planned.spec.outputs), planned.adapter.name
        if count and not gives_every_output(planned.adapter):
            names = plugins.framework_names()
            able = ", ".join(framework for framework in names if gives_every_output(plugins.adapter(framework)))
            message = f"{planned.case.network} has {count} outputs, and hwprof's adapter of {name} handles only one"
            remedy = f"frameworks with every output: {able}; or export the network with one output"
            raise PreparationFailed(Failure("model", message, remedy, "prepare"))

    def network(self, planned: PlannedCase) -> Path:
        """The .onnx with weights."""
        key = {"what": "network", "network": planned.source_key, "versions": versions(("numpy", "onnx"))}
        folder = self.entry("networks", planned.case.network, key, planned, Task.NETWORK, "network.onnx")
        return folder / "network.onnx"

    def reference(self, planned: PlannedCase, source: Path) -> Path:
        """Outputs of the reference images: .npy of shape (images, classes ...); of several outputs .npz."""
        key = {
            "what": "reference",
            "network": planned.source_key,
            "shape": planned.spec.shape[1:],
            "images": compared(planned.case),
            "seed": self.seed,
            "versions": versions(("numpy", fidelity.REFERENCE)),
            **several(planned),
        }
        images = None
        if planned.case.precision in QUANTISED:
            images = self.calibrated(planned)
            key |= {"calibration": self.calibration.identity(self.seed), "simulated": int8_key()}
        name = f"{planned.case.network}-{planned.case.size}"
        more = {"calibration_images": str(images)} if images else None
        file = outputs_file(planned)
        return self.entry("references", name, key, planned, Task.REFERENCE, file, source, more) / file

    def calibrated(self, planned: PlannedCase) -> Path:
        """Images to quantise with, .npy of shape (images, ...)."""
        key = {
            "what": "calibration",
            "shape": planned.spec.shape[1:],
            **self.calibration.identity(self.seed),
            "versions": versions(("numpy",)),
        }
        folder = self.entry("calibrations", "images", key, planned, Task.CALIBRATION, "images.npy")
        return folder / "images.npy"

    def converted(self, planned: PlannedCase, source: Path) -> Path:
        """The framework's own form; the source itself where the framework reads it as it is."""
        self.admit(planned)
        return self.conversion(planned, source)[0]

    def conversion(self, planned: PlannedCase, source: Path) -> tuple[Path, tuple[Mapping[str, Any], ...]]:
        """The framework's own form, and the steps that made it with their seconds."""
        adapter = planned.adapter
        quantised = planned.case.precision in QUANTISED
        images = self.calibrated(planned) if quantised else None
        key = {
            "what": "artifact",
            "network": planned.source_key,
            "adapter": planned.adapter_path,
            "case": adapter.cache_key(planned.case),
            "shape": planned.spec.shape,
            "versions": interpreters.software(
                planned.converter,
                (*adapter.environment.distributions, *adapter.environment.converts_with, "onnx", "hwprof"),
            )["distributions"],
            **several(planned),
        }
        if quantised:
            key["calibration"] = self.calibration.identity(self.seed)
        name = f"{adapter.name}-{planned.case.network}"
        more = {"calibration_images": str(images)} if images else None
        folder = self.entry("artifacts", name, key, planned, Task.PREPARE, "", source, more)
        told = json.loads((folder / "artifact.json").read_text())
        # an entry of an earlier version of hwprof tells no steps
        return (source if told["path"] is None else folder / told["path"]), tuple(told.get("steps", ()))

    def evaluated(self, planned: PlannedCase, source: Path) -> Path:
        """As `reference`, in double precision by onnx's own evaluator (float64)."""
        key = {
            "what": "evaluated",
            "network": planned.source_key,
            "shape": planned.spec.shape[1:],
            "images": REFERENCE_IMAGES,
            "seed": self.seed,
            "versions": versions(("numpy", "onnx", "hwprof")),
            **several(planned),
        }
        name = f"{planned.case.network}-{planned.case.size}"
        file = outputs_file(planned)
        return self.entry("evaluated", name, key, planned, Task.EVALUATE, file, source) / file

    def checked(self, name: str, size: int) -> Fidelity:
        """The reference of a network against its evaluation in double precision. Raises PreparationFailed."""
        import numpy as np

        from hwprof.frameworks import named_outputs
        from hwprof.networks.evaluate import TOLERANCE
        from hwprof.plan.experiment import Choice, Experiment

        choice = Choice(fidelity.REFERENCE, name, size, 1, 1, "fp32", ())
        planned = plan(Experiment("check", (choice,), seed=self.seed))[0]
        source = self.network(planned)
        made, truth = self.reference(planned, source), self.evaluated(planned, source)
        if planned.spec.outputs:
            return named_outputs.compare(named_outputs.load(made), named_outputs.load(truth), TOLERANCE)
        return fidelity.compare(np.load(made), np.load(truth), TOLERANCE)

    def entry(
        self,
        kind: str,
        name: str,
        key: Mapping[str, Any],
        planned: PlannedCase,
        task: Task,
        file: str,
        source: Path | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Path:
        """The folder of `key` below `kind`, made by one job where it isn't there; `more`: fields of that job."""
        text = json.dumps({**key, "format": CACHE_FORMAT}, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:20]
        # frameworks take no path with a byte that is no UTF-8, file systems no name of more than 255 bytes
        stem = encodable(Path(name).stem[:50]).replace("\\", "_")
        place = self.cache / kind / f"{stem}-{digest}"
        if place.is_dir():
            return place
        if digest in self.failures:
            raise PreparationFailed(self.failures[digest])
        with making(place) as half:
            self._make(planned, task, half, file, source, digest, more or {})
            (half / "key.json").write_text(text)
        return place

    def _make(
        self,
        planned: PlannedCase,
        task: Task,
        half: Path,
        file: str,
        source: Path | None,
        digest: str,
        more: Mapping[str, Any],
    ) -> None:
        case = dataclasses.replace(planned.case, cpus=())
        job = Job(
            task,
            case,
            planned.network.source,
            self.seed,
            planned.spec,
            adapter=planned.adapter_path,
            source=str(source or ""),
            output=str(half / file if file else half),
            compared=compared(case),
            calibration=self.calibration,
        )
        job = dataclasses.replace(job, **more)
        environ = planned.adapter.environ(case) if task in (Task.PREPARE, Task.PREDICT) else {}
        python = {Task.PREPARE: planned.converter, Task.PREDICT: planned.python}.get(task, "")
        outcome: Outcome = self.launcher.run(job, self.timeout_s, environ, python=python)
        if outcome.failure is not None or outcome.result is None:
            failure = outcome.failure or Failure("internal", "the worker gave no result", "", task.value)
            self.failures[digest] = failure
            raise PreparationFailed(failure)
        if task is Task.PREPARE:
            path = Path(str(outcome.result["artifact"]))
            relative = str(path.relative_to(half)) if path.is_relative_to(half) else None
            told = {"path": relative, "framework": case.framework, "steps": outcome.result.get("steps", [])}
            (half / "artifact.json").write_text(json.dumps(told))
