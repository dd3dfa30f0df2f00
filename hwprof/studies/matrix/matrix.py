"""Every network in every framework: does it convert, does it load, is it faithful? Each is tried, in workers.

The cache keeps a cell under a hash of all that it depends on: the network's content, the shape, the versions on both
sides of the conversion. An interrupted matrix continues, and a new version is tried anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwprof import plugins
from hwprof.cache import write_error
from hwprof.collectors.memory import headroom
from hwprof.environments import interpreters
from hwprof.errors import UsageError
from hwprof.frameworks.fidelity import tolerance
from hwprof.networks.inputs import UNSAID, InputChoice
from hwprof.plan.cases import PlannedCase, check_options, network_with, plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.plan.options import parse_option
from hwprof.printable import sentence
from hwprof.records import Failure, Fidelity, from_json, to_json
from hwprof.runner.launcher import Launcher
from hwprof.runner.workshop import PreparationFailed, Workshop, compared_images, outputs_key, stored_of
from hwprof.studies.matrix.culprit import NETWORKS_FAULT, blame
from hwprof.worker.protocol import REFERENCE_IMAGES, Job, Task

# Increased whenever the meaning of a cached cell changes.
CELL_FORMAT = 1
# Failures of the machine rather than of network and versions: tried again next time.
PASSING = frozenset({"memory", "timeout", "disk", "killed", "internal"})


@dataclass(frozen=True, slots=True)
class MatrixColumn:
    """A framework with its options: `name` as in "pytorch:mode=inductor"."""

    name: str
    framework: str
    options: tuple[tuple[str, Any], ...] = ()
    version: str = ""
    missing: str = ""  # why it can't run here, with the remedy


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One network in one framework. `converts` and `loads` None: not reached; `shape`: as of a case."""

    network: str
    size: int
    column: str
    converts: bool | None
    loads: bool | None
    fidelity: Fidelity | None = None
    failure: Failure | None = None
    steps: tuple[Mapping[str, Any], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    shape: str = ""

    @property
    def faithful(self) -> bool:
        """It runs, and its outputs are the reference's within the precision's tolerance."""
        return self.fidelity is not None and self.fidelity.faithful


def columns(asked: Sequence[str] = ()) -> tuple[MatrixColumn, ...]:
    """The frameworks to try: `asked` as "name" or "name:option=value:...", else all. Raises on a name nobody knows."""
    found = []
    for word in asked or plugins.framework_names():
        name, *options = word.split(":")
        adapter = plugins.adapter(name)
        chosen = check_options(adapter, [parse_option(text) for text in options])
        where = interpreters.find(name, adapter.environment)
        remedy = adapter.environment.install or f"hwprof env create {name}"
        missing = "" if where.error is None else sentence(where.error, remedy)
        found.append(MatrixColumn(word, name, chosen, where.version, missing))
    return tuple(found)


@dataclass(slots=True)
class Matrix:
    """Fills the cells one after the other. `retry_failed`: failed cells of an earlier call are tried once more.

    `kept_only`: only cells of earlier calls; no worker is started. `inputs`: what is said of a network's inputs.
    """

    columns: Sequence[MatrixColumn]
    rows: Sequence[tuple[str, int]]
    precision: str = "fp32"
    batch: int = 1
    seed: int = 0
    timeout_s: float = 900.0
    retry_failed: bool = False
    kept_only: bool = False
    inputs: Mapping[str, InputChoice] = field(default_factory=dict)
    launcher: Launcher = field(default_factory=Launcher)

    def run(self) -> Iterator[tuple[MatrixCell, bool]]:
        """(cell, kept from an earlier call?), network by network. Frameworks that are not here are left out."""
        self.launcher.headroom = headroom
        workshop = Workshop(self.launcher, self.seed, self.timeout_s)
        for network, size in self.rows:
            for column in self.columns:
                if column.missing:
                    continue
                inputs = self.inputs.get(network, UNSAID)
                choice = Choice(
                    column.framework,
                    network,
                    size,
                    self.batch if self.batch > 1 else network_with(network, inputs).own_batch,
                    precision=self.precision,
                    options=column.options,
                    inputs=inputs,
                )
                try:
                    planned = plan(Experiment("matrix", (choice,), seed=self.seed))[0]
                except UsageError as error:
                    failure = Failure("usage", error.message, error.remedy, "plan")
                    yield MatrixCell(network, size, column.name, None, None, failure=failure), False
                    continue
                place = workshop.cache / "matrix" / f"{self.digest(planned)}.json"
                kept = read(place, column.name)
                if kept is not None and not (self.retry_failed and kept.failure is not None):
                    yield kept, True
                    continue
                if self.kept_only:
                    continue
                cell = self.name_culprit(self.fill(planned, workshop, column, size), planned, workshop)
                if cell.failure is None or cell.failure.code not in PASSING:
                    write(place, cell)
                yield cell, False

    def name_culprit(self, cell: MatrixCell, planned: PlannedCase, workshop: Workshop) -> MatrixCell:
        """The cell with operator and node in its failure's message, where the framework did not name them itself."""
        failure = cell.failure
        if failure is None or cell.converts is None or failure.code not in NETWORKS_FAULT:
            return cell
        source = workshop.network(planned)
        found = blame(planned, self.launcher, source, failure.message, self.seed, self.timeout_s)
        if not found:
            return cell
        failure = dataclasses.replace(failure, message=f"{failure.message} (first at {found})")
        return dataclasses.replace(cell, failure=failure)

    def digest(self, planned: PlannedCase) -> str:
        """Hash of all that a cell depends on."""
        adapter = planned.adapter
        wanted = (*adapter.environment.distributions, *adapter.environment.converts_with, "onnx", "numpy")
        key = {
            "format": CELL_FORMAT,
            "network": planned.source_key,
            "case": dataclasses.replace(planned.case, cpus=()).key,
            "adapter": planned.adapter_path,
            "seed": self.seed,
            "images": REFERENCE_IMAGES,
            "tolerance": tolerance(planned.case.precision),
            "run": interpreters.software(planned.python, wanted)["distributions"],
            "conversion": interpreters.software(planned.converter, (*wanted, "hwprof"))["distributions"],
            **outputs_key(planned),
        }
        return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:20]

    def fill(self, planned: PlannedCase, workshop: Workshop, column: MatrixColumn, size: int) -> MatrixCell:
        """One cell: convert, load, infer, compare."""
        name = planned.network.source
        blank = MatrixCell(name, size, column.name, None, None, shape=planned.case.shape)
        try:
            workshop.admit(planned)
            source = workshop.network(planned)
            reference, no_reference = workshop.try_reference(planned, source, PASSING)
        except PreparationFailed as error:
            return dataclasses.replace(blank, failure=error.failure)
        try:
            artifact, steps = workshop.conversion(planned, source)
        except PreparationFailed as error:
            return dataclasses.replace(blank, converts=False, failure=error.failure)
        blank = dataclasses.replace(blank, converts=True, steps=steps)
        job = Job(
            Task.CHECK,
            planned.asked,
            name,
            self.seed,
            planned.spec,
            adapter=planned.adapter_path,
            source=str(source),
            artifact=str(artifact),
            reference=str(reference or ""),
            no_reference=no_reference,
            tolerance=tolerance(planned.case.precision),
            stored=stored_of(planned.case),
            compared=compared_images(planned.case),
            cpus=planned.case.cpus,
        )
        environ = planned.adapter.environ(planned.asked)
        outcome = self.launcher.run(job, self.timeout_s, environ, python=planned.python)
        if outcome.result is None:
            failure = outcome.failure or Failure("internal", "the worker gave no result", "", "check")
            return dataclasses.replace(blank, loads=failure.stage == "infer", failure=failure)
        fields = outcome.result["fidelity"]
        fidelity = None if fields is None else from_json(Fidelity, fields)
        return dataclasses.replace(blank, loads=True, fidelity=fidelity, facts=dict(outcome.result["facts"]))


def read(place: Path, column: str) -> MatrixCell | None:
    """A kept cell, under the name that is asked for now; None: there is none, or it is no longer readable."""
    try:
        return dataclasses.replace(from_json(MatrixCell, json.loads(place.read_text())), column=column)
    except (FileNotFoundError, ValueError, TypeError, KeyError):  # the last three: of another version of hwprof
        return None


def write(place: Path, cell: MatrixCell) -> None:
    """Keep a cell: whole or not at all. Raises HwprofError where the cache can't be written."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, half = tempfile.mkstemp(prefix=".half-", dir=place.parent)
        with os.fdopen(handle, "w") as stream:
            json.dump(to_json(cell), stream)
        Path(half).replace(place)
    except OSError as error:
        raise write_error(place.parent, error) from error
