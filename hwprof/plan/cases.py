"""From the choices of an experiment to cases: names, sizes and cores are checked before anything is measured."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hwprof import plugins
from hwprof.environments import interpreters
from hwprof.errors import UsageError
from hwprof.frameworks.calibration import Calibration
from hwprof.frameworks.precision import QUANTISED
from hwprof.machine.cpus import check_cpus, default_cpus
from hwprof.machine.kinds import select_cpus, through_door
from hwprof.networks import find, stored_precision
from hwprof.networks.inputs import UNSAID, InputChoice, InputSpec
from hwprof.plan import runners, samples
from hwprof.plan.experiment import Choice, Experiment
from hwprof.plan.options import ENVIRONMENT, check_option, option_text
from hwprof.plan.runners import DeclaredRunner
from hwprof.records import Case, Kind

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Adapter
    from hwprof.networks.network import Network


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """A case with all that is needed to run it."""

    case: Case
    network: Network
    adapter: Adapter = field(compare=False)
    adapter_path: str  # "module:attribute"
    spec: InputSpec
    source_key: str  # identifies the network's content
    macs: int | None  # per frame
    params: int | None
    macs_unknown: str = ""  # why MACs are not known
    macs_notes: tuple[str, ...] = ()  # what their count leaves open, as the passes of a loop
    python: str = sys.executable  # runs the framework
    converter: str = sys.executable  # makes its artifact
    runner: DeclaredRunner | None = None  # the one that measures it; None: a worker does
    tuning: Mapping[str, Any] | None = None  # the tuning that its launch parameters come from
    environment: str = ""  # that it is measured in besides others; "": the framework's own
    cpus_asked: str = ""  # how its CPUs were asked for, as 0,2-3 or kind=a100; "": chosen

    @property
    def asked(self) -> Case:
        """The case as a framework sees it: a file with a precision of its own is to be computed as it is."""
        return dataclasses.replace(self.case, precision=stored_precision.asked(self.case.precision))

    @property
    def kind(self) -> Kind:
        """What its runs are."""
        return Kind.NATIVE if self.runner is None else Kind.COMMAND

    def environ(self) -> dict[str, str]:
        """Variables of the worker: what the framework needs, then what the case asks for."""
        return {**self.adapter.environ(self.asked), **environ_of(self.case)}

    @property
    def call(self) -> str:
        """How an inference is called; "": as from the first, or not by an adapter."""
        return "" if self.runner is not None else str(getattr(self.adapter, "call", ""))

    def software(self) -> Mapping[str, Any]:
        """What the run's interpreter is and has, and how the framework is called."""
        found = interpreters.software(self.python, (*self.adapter.environment.distributions, "numpy"))
        return {**found, "call": self.call} if self.call else found


def plan(experiment: Experiment) -> tuple[PlannedCase, ...]:
    """Every choice of the experiment as a case. Raises on the first name, size, core or option that can't be."""
    cpus = []
    for choice in experiment.choices:
        text = choice.cpus or experiment.cpus
        asked = checked_cpus(text)
        cpus.append((asked or default_cpus(choice.threads), text))
    return tuple(
        dataclasses.replace(_plan_case(choice, experiment.seed, cores, experiment.calibration), cpus_asked=text)
        for choice, (cores, text) in zip(experiment.choices, cpus, strict=True)
    )


def checked_cpus(text: str) -> tuple[int, ...]:
    """CPUs by `--cpus`, a list or a kind; empty for "". Raises UsageError for those that this process can't use."""
    asked = select_cpus(text) if text else ()
    check_cpus(asked, remedy=through_door(asked))
    return asked


def _plan_case(choice: Choice, seed: int, cpus: Sequence[int], calibration: Calibration) -> PlannedCase:
    adapter, runner = adapter_and_runner(choice)
    options = check_options(adapter, choice.options) if runner is None else runner.check_options(choice.options)
    name, precisions = adapter.name, adapter.precisions
    if runner is not None:
        name, precisions = runner.name, tuple(runner.precision)
        if runner.batch and choice.batch not in runner.batch:
            raise UsageError(f"{name} does no batch of {choice.batch}", f"it does {', '.join(map(str, runner.batch))}")
    if stored_precision.asked(choice.precision) not in precisions:
        raise UsageError(f"{name} computes no '{choice.precision}' here", f"it knows {', '.join(precisions)}")
    if choice.precision in QUANTISED and calibration.label:  # other images, other weights: another case
        options = tuple(sorted((*options, ("calibration", calibration.label))))
    network = network_with(choice.network, choice.inputs)
    spec = network.input_spec(choice.size or None, choice.batch)
    size, shape = network.place(choice.size or None, spec)
    if choice.inputs.samples:  # other data, perhaps another cost: another case
        options = tuple(sorted((*options, ("inputs", samples.label(choice.inputs.samples)))))
    macs, params, unknown, notes = _counts(choice.network, choice.size, choice.inputs)
    python = interpreters.registered_python(adapter.name) or sys.executable
    case = Case(
        framework=choice.framework,
        network=network.name,
        recipe=f"{network.recipe} seed {seed}" if network.has_seeded_weights else network.recipe,
        size=size,
        batch=spec.batch,
        threads=choice.threads,
        cpus=tuple(cpus),
        precision=stored_precision.case_precision(network.name, network.stored, choice.precision),
        options=options,
        shape=shape,
    )
    return PlannedCase(
        case=case,
        network=network,
        adapter=adapter,
        adapter_path=plugins.adapter_path(adapter.name),
        spec=spec,
        source_key=network.identity(seed, size or None),
        macs=macs,
        params=params,
        macs_unknown=unknown,
        macs_notes=notes,
        python=python,
        converter=converter_of(adapter, python),
        runner=runner,
    )


def adapter_and_runner(choice: Choice) -> tuple[Adapter, DeclaredRunner | None]:
    """The framework's adapter, and the runner that was asked for; UnknownFramework, UnknownRunner, UsageError."""
    from hwprof import plugins

    if choice.framework != runners.FRAMEWORK:
        return plugins.adapter(choice.framework), None
    runner = runners.find(dict(choice.options).get("runner"))
    return plugins.adapter(runner.framework), runner


def converter_of(adapter: Adapter, python: str) -> str:
    """The interpreter that makes the framework's artifacts, which may need another environment than the run."""
    wanted = adapter.environment.converter
    if wanted in ("", adapter.name):
        return python
    return (None if wanted == "hwprof" else interpreters.registered_python(wanted)) or sys.executable


@lru_cache(maxsize=256)
def network_with(name: str, inputs: InputChoice) -> Network:
    """A network by name with what is said of its inputs, samples read. Raises as `find.resolve`, and UsageError."""
    network = find.resolve(name)
    if inputs.samples and network.inputs:
        inputs = samples.with_shapes(inputs, network.inputs)
    return network if inputs == UNSAID else dataclasses.replace(network, choice=inputs)


@lru_cache(maxsize=256)
def _counts(name: str, size: int, inputs: InputChoice) -> tuple[int | None, int | None, str, tuple[str, ...]]:
    """MACs per frame at this size, parameters, why one of them is not known, and notes about them."""
    network = network_with(name, inputs)
    batch = network.fixed_batch or 1
    macs, params = network.macs(size or None, batch), network.params(size or None)
    measured = None if macs is not None and network.path is None else network.measure(size or None, batch)
    unknown, notes = ("", ()) if measured is None else (measured.unknown, measured.notes)
    return None if macs is None else macs // batch, params, "" if macs is not None else unknown, notes


def check_options(adapter: Adapter, options: Sequence[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """Options in canonical order. Raises UsageError for a name or value that the adapter doesn't know."""
    for name, value in options:
        if not name.startswith(ENVIRONMENT) or name == ENVIRONMENT:
            check_option(adapter.name, name, value, adapter.options, also=f"; and {ENVIRONMENT}NAME=VALUE")
    return tuple(sorted(options))


def environ_of(case: Case) -> dict[str, str]:
    """Variables that the case's own options set: a framework's switches that it reads from its environment."""
    return {
        name.removeprefix(ENVIRONMENT): option_text(value)
        for name, value in case.options
        if name.startswith(ENVIRONMENT)
    }


@lru_cache(maxsize=64)
def version(distribution: str) -> str | None:
    """Installed version of a distribution; None: not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(distributions: Sequence[str]) -> Mapping[str, str | None]:
    """Name -> version, None where it isn't installed."""
    return {name: version(name) for name in distributions}
