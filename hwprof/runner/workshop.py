"""What a measured case needs on disk, prepared once in jobs of their own and kept in the cache.

Three kinds: the network with its weights, each framework's own form of it, and the reference outputs. Every entry is a
folder named by the hash of all that it depends on, written beside its place and renamed: one that exists is complete.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof import plugins
from hwprof.cache import default_cache, new_entry
from hwprof.environments import interpreters
from hwprof.frameworks import fidelity, outputs_file
from hwprof.frameworks.calibration import Calibration
from hwprof.frameworks.precision import QUANTISED, int8_key
from hwprof.networks import stored_precision
from hwprof.plan.cases import PlannedCase, plan, versions
from hwprof.plan.experiment import Choice, Experiment
from hwprof.printable import encodable
from hwprof.records import Case, Failure, Fidelity
from hwprof.runner.launcher import Launcher
from hwprof.worker.protocol import QUANTISED_IMAGES, REFERENCE_IMAGES, RING_IMAGES, Job, Task

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter

# Raised whenever the meaning of a cached file changes.
CACHE_FORMAT = 1
FRAMES = "frames.npz"
# Raised whenever files with rounded activations are disturbed otherwise (`frameworks.roundings`).
ROUNDINGS = 1
# The same of FP32 files whose sums are added up in another order.
SUMS = 1
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
    reference: Path | None
    steps: tuple[Mapping[str, Any], ...] = ()  # of the conversion, each with its seconds; none: read as it is
    no_reference: str = ""  # why there is none
    frames: Path | None = None  # what goes in; None: seeded data


def gives_every_output(adapter: Adapter) -> bool:
    """Whether an adapter declares that it returns all of several outputs."""
    return bool(getattr(adapter, "every_output", False))


def refused(planned: PlannedCase) -> tuple[str, str] | None:
    """Why the framework's adapter can't take the network's inputs or outputs, and what can be done; None: it can."""
    adapter, network, spec = planned.adapter, planned.case.network, planned.spec
    if (count := len(spec.outputs)) and not gives_every_output(adapter):
        able = ", ".join(n for n in plugins.framework_names() if gives_every_output(plugins.adapter(n)))
        message = f"{network} has {count} outputs, and hwprof's adapter of {adapter.name} handles only one"
        return message, f"frameworks with every output: {able}; or export the network with one output"
    if not getattr(adapter, "every_input", False):
        only = spec.inputs[0]
        if not spec.others and only.dtype == "float32" and only.batch_axis == 0:
            return None
        message = f"{network} takes {spec.title}, and hwprof's adapter of {adapter.name} handles one float32 batch only"
        able = ", ".join(n for n in plugins.framework_names() if getattr(plugins.adapter(n), "every_input", False))
        return message, f"frameworks with every input: {able}"
    types = getattr(adapter, "input_types", ("float32",))
    if strange := [one for one in spec.inputs if one.dtype not in types]:
        message = f"{adapter.name} takes no input of type {strange[0].dtype}: {strange[0].name} of {network}"
        return message, f"it takes {', '.join(types)}"
    return None


def inputs_key(planned: PlannedCase, batch: bool = False) -> dict[str, Any]:
    """The inputs as part of a file's key, with the `batch` or without.

    Of one float32 input with the batch first it is the shape, so that older files stay valid.
    """
    spec = planned.spec if batch else planned.spec.of_batch(1)
    only = spec.inputs[0]
    if not spec.others and (only.dtype, only.batch_axis, only.use) == ("float32", 0, ""):
        return {"shape": only.shape if batch else only.shape[1:]}
    return {"inputs": [[one.name, one.shape, one.dtype, one.batch_axis, one.use] for one in spec.inputs]}


def outputs_key(planned: PlannedCase) -> dict[str, Any]:
    """The outputs as part of a file's key. One output adds nothing, so that older files stay valid."""
    return {"outputs": planned.spec.outputs} if planned.spec.outputs else {}


def compared_images(case: Case) -> int:
    """How many images a case's outputs are compared on."""
    is_rounded = case.precision in QUANTISED or stored_precision.has_rounded_activations(case.precision)
    return QUANTISED_IMAGES if is_rounded else REFERENCE_IMAGES


def stored_of(case: Case) -> str:
    """The precision of the case's file, where the case is of the file as it is and that is not FP32; else ""."""
    return case.precision if stored_precision.is_stored(case.precision) else ""


def frames_key(frames: Path | None) -> dict[str, str]:
    """Frames from a file as part of a key: the name of their own entry says what they depend on."""
    return {} if frames is None else {"frames": frames.parent.name}


@dataclass(slots=True)
class Workshop:
    """Prepares artifacts, each at most once; a failure is kept too, so that it is not repeated for every round."""

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
        frames = self.frames(planned, source)
        reference, why = self.try_reference(planned, source, frames=frames)
        artifact, steps = self.conversion(planned, source)
        return Artifacts(source, artifact, reference, steps, why, frames)

    def admit(self, planned: PlannedCase) -> None:
        """Refuse inputs and outputs that the framework's adapter does not handle. Raises PreparationFailed."""
        if refusal := refused(planned):
            raise PreparationFailed(Failure("model", *refusal, "prepare"))

    def network(self, planned: PlannedCase) -> Path:
        """The .onnx with weights."""
        key = {"what": "network", "network": planned.source_key, "versions": versions(("numpy", "onnx"))}
        folder = self.entry("networks", planned.case.network, key, planned, Task.NETWORK, "network.onnx")
        return folder / "network.onnx"

    def frames(self, planned: PlannedCase, source: Path) -> Path | None:
        """What goes in where it is not seeded data: the user's own, states that follow one another.

        Where states were found by their names only and the reference can't compute them, they stay zeros. Raises
        PreparationFailed.
        """
        choice, spec = planned.network.choice, planned.spec
        if not choice.samples and not spec.states:
            return None
        key = {
            "what": "frames",
            "network": planned.source_key if spec.states else "",
            **inputs_key(planned),
            "states": spec.states,
            "samples": planned.case.option("inputs", ""),
            "frames": max(RING_IMAGES, compared_images(planned.case)),
            "seed": self.seed,
            "versions": versions(("numpy", fidelity.REFERENCE) if spec.states else ("numpy",)),
        }
        fields = {"source": str(source), "count": key["frames"]}
        try:
            folder = self.entry("frames", planned.case.network, key, planned, Task.INPUTS, FRAMES, **fields)
        except PreparationFailed:
            if choice.samples or choice.states:
                raise
            return None
        return folder / FRAMES

    def try_reference(
        self, planned: PlannedCase, source: Path, failing: Container[str] = (), frames: Path | None = None
    ) -> tuple[Path | None, str]:
        """Outputs of the reference frames, or why there are none: the case is measured all the same.

        Raises PreparationFailed for the codes in `failing`.
        """
        try:
            return self.reference(planned, source, frames), ""
        except PreparationFailed as error:
            if error.failure.code in failing:
                raise
            return None, f"no reference: {error.failure.message}"

    def reference(self, planned: PlannedCase, source: Path, frames: Path | None = None) -> Path:
        """Outputs of the reference frames, as `outputs_file` keeps them."""
        key = {
            "what": "all outputs of the reference",
            "network": planned.source_key,
            **inputs_key(planned),
            **frames_key(frames),
            "images": compared_images(planned.case),
            "seed": self.seed,
            "versions": versions(("numpy", fidelity.REFERENCE)),
            **outputs_key(planned),
        }
        if planned.case.precision in QUANTISED:
            key |= {"calibration": self.calibration.identity(self.seed), "simulated": int8_key()}
        if planned.macs is None:
            key["size"] = "by a run"
        if stored := stored_of(planned.case):
            key |= {"stored": stored, "roundings": ROUNDINGS}
        other_sums = not (stored or planned.case.precision in QUANTISED or planned.network.path is None)
        if other_sums:
            key["sums"] = SUMS
        name = f"{planned.case.network}-{planned.case.size}"
        fields = {
            "source": str(source),
            "frames": str(frames or ""),
            "size_by_run": planned.macs is None,
            "other_sums": other_sums,
            **self._calibration_field(planned),
        }
        folder = self.entry("references", name, key, planned, Task.REFERENCE, outputs_file.NAME, **fields)
        return folder / outputs_file.NAME

    def calibration_images(self, planned: PlannedCase) -> Path:
        """Images to quantise with, .npy of shape (images, ...)."""
        key = {
            "what": "calibration",
            **inputs_key(planned),
            **self.calibration.identity(self.seed),
            "versions": versions(("numpy",)),
        }
        folder = self.entry("calibrations", "images", key, planned, Task.CALIBRATION, "images.npy")
        return folder / "images.npy"

    def _calibration_field(self, planned: PlannedCase) -> dict[str, str]:
        """The field of a job that quantises; none where the case is not quantised."""
        return (
            {"calibration_images": str(self.calibration_images(planned))} if planned.case.precision in QUANTISED else {}
        )

    def artifact(self, planned: PlannedCase, source: Path) -> Path:
        """The framework's own form; the source itself where the framework reads it as it is."""
        self.admit(planned)
        return self.conversion(planned, source)[0]

    def conversion(self, planned: PlannedCase, source: Path) -> tuple[Path, tuple[Mapping[str, Any], ...]]:
        """The framework's own form, and the steps of its conversion with their seconds."""
        adapter = planned.adapter
        key = {
            "what": "artifact",
            "network": planned.source_key,
            "adapter": planned.adapter_path,
            "case": adapter.cache_key(planned.asked),
            **inputs_key(planned, batch=True),
            "versions": interpreters.software(
                planned.converter,
                (*adapter.environment.distributions, *adapter.environment.converts_with, "onnx", "hwprof"),
            )["distributions"],
            **outputs_key(planned),
        }
        if planned.case.precision in QUANTISED:
            key["calibration"] = self.calibration.identity(self.seed)
        name = f"{adapter.name}-{planned.case.network}"
        fields = {"source": str(source), **self._calibration_field(planned)}
        folder = self.entry("artifacts", name, key, planned, Task.PREPARE, "", **fields)
        entry = json.loads((folder / "artifact.json").read_text())
        # an entry of an earlier version of hwprof has no steps
        return (source if entry["path"] is None else folder / entry["path"]), tuple(entry.get("steps", ()))

    def evaluation(self, planned: PlannedCase, source: Path, frames: Path | None = None) -> Path:
        """As `reference`, in double precision by onnx's own evaluator (float64)."""
        key = {
            "what": "all outputs evaluated",
            "network": planned.source_key,
            **inputs_key(planned),
            **frames_key(frames),
            "images": REFERENCE_IMAGES,
            "seed": self.seed,
            "versions": versions(("numpy", "onnx", "hwprof")),
            **outputs_key(planned),
        }
        name = f"{planned.case.network}-{planned.case.size}"
        fields = {"source": str(source), "frames": str(frames or "")}
        folder = self.entry("evaluated", name, key, planned, Task.EVALUATE, outputs_file.NAME, **fields)
        return folder / outputs_file.NAME

    def check_reference(self, name: str, size: int) -> Fidelity:
        """The reference of a network against its evaluation in double precision. Raises PreparationFailed."""
        from hwprof.frameworks import named_outputs
        from hwprof.networks.evaluate import TOLERANCE

        planned = plan(Experiment("check", (Choice(fidelity.REFERENCE, name, size),), seed=self.seed))[0]
        source = self.network(planned)
        frames = self.frames(planned, source)
        reference, truth = self.reference(planned, source, frames), self.evaluation(planned, source, frames)
        found, right = outputs_file.load(reference), outputs_file.load(truth)
        right = dataclasses.replace(right, incomparable=found.incomparable)
        return named_outputs.compare(found.outputs, right, TOLERANCE)

    def entry(
        self, kind: str, name: str, key: Mapping[str, Any], planned: PlannedCase, task: Task, file: str, **fields: Any
    ) -> Path:
        """The folder of `key` below `kind`, written by one job where it isn't there; `fields` of that job.

        The job writes to `file` in the folder, or to the folder itself.
        """
        text = json.dumps({**key, "format": CACHE_FORMAT}, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:20]
        # frameworks take no path with a byte that is no UTF-8, file systems no name of more than 255 bytes
        stem = encodable(Path(name).stem[:50]).replace("\\", "_")
        place = self.cache / kind / f"{stem}-{digest}"
        if place.is_dir():
            return place
        if digest in self.failures:
            raise PreparationFailed(self.failures[digest])
        case = dataclasses.replace(planned.asked, cpus=())
        with new_entry(place) as half:
            job = Job(
                task,
                case,
                planned.network.source,
                self.seed,
                planned.spec,
                adapter=planned.adapter_path,
                output=str(half / file),
                compared=fields.pop("count", compared_images(planned.case)),
                stored=stored_of(planned.case),
                calibration=self.calibration,
                choice=planned.network.choice,
                **fields,
            )
            environ = planned.adapter.environ(case) if task in (Task.PREPARE, Task.PREDICT) else {}
            python = {Task.PREPARE: planned.converter, Task.PREDICT: planned.python}.get(task, "")
            outcome = self.launcher.run(job, self.timeout_s, environ, python=python)
            if outcome.failure is not None or outcome.result is None:
                failure = outcome.failure or Failure("internal", "the worker gave no result", "", task.value)
                self.failures[digest] = failure
                raise PreparationFailed(failure)
            if task is Task.PREPARE:
                path = Path(str(outcome.result["artifact"]))
                relative = str(path.relative_to(half)) if path.is_relative_to(half) else None
                entry = {"path": relative, "framework": case.framework, "steps": outcome.result.get("steps", [])}
                (half / "artifact.json").write_text(json.dumps(entry))
            (half / "key.json").write_text(text)
        return place
