"""`policy = "tuned"`: every case takes this machine's winner of `hwprof tune`; without one, an error names the command.

A winner of another version of the framework does not count: other kernels may need other parameters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hwprof.errors import NotAvailable
from hwprof.machine.kinds import select_cpus
from hwprof.plan.cases import PlannedCase, plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.plan.winner import Subject, Winner, subject_of
from hwprof.printable import plural
from hwprof.records import Doubt

if TYPE_CHECKING:
    from hwprof.store import Results

DEFAULT, TUNED = "default", "tuned"


def winners(results: Results | None, hardware: Mapping[str, Any]) -> dict[str, Winner]:
    """Winner winners of this machine by the key of their subject."""
    return {} if results is None else {t.key: Winner.read(t.winner, t.evidence) for t in results.tunings(hardware)}


def subjects(experiment: Experiment) -> list[tuple[Choice, PlannedCase, Subject]]:
    """Each choice with its case under default parameters, and what it would be tuned as."""
    plain = tuple(dataclasses.replace(c, threads=c.threads or 1) for c in experiment.choices)
    cases = plan(dataclasses.replace(experiment, choices=plain, policy=DEFAULT))
    cpus = select_cpus(experiment.cpus) if experiment.cpus else ()
    return [
        (choice, planned, subject_of(planned, choice.threads, cpus))
        for choice, planned in zip(experiment.choices, cases, strict=True)
    ]


def missing_tunings(experiment: Experiment, kept: Mapping[str, Winner]) -> dict[str, Choice]:
    """Choices without a usable winner, by the key of their subject."""
    return {s.key: choice for choice, planned, s in subjects(experiment) if not is_usable(planned, kept.get(s.key))}


def is_usable(planned: PlannedCase, kept: Winner | None) -> bool:
    """Whether the winner is of the framework's version that would run now."""
    return kept is not None and not version_changes(planned, kept)


def version_changes(planned: PlannedCase, kept: Winner) -> str:
    """`onnxruntime 1.21.0 -> 1.31.1`: distributions of the framework that differ from those it was tuned with."""
    now = planned.software().get("distributions", {})
    return changes({n: kept.evidence["distributions"].get(n) for n in planned.adapter.environment.distributions}, now)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Versions of `before` that differ now."""
    return ", ".join(f"{n} {before[n]} -> {now.get(n)}" for n in sorted(before) if before[n] != now.get(n))


def cases(experiment: Experiment, results: Results | None, hardware: Mapping[str, Any]) -> tuple[PlannedCase, ...]:
    """The cases of an experiment with the parameters of its policy. Raises NotAvailable where a tuning is missing."""
    if experiment.policy == DEFAULT:
        return plan(experiment)
    kept = winners(results, hardware)
    found = subjects(experiment)
    lacking = [(choice, s) for choice, p, s in found if not is_usable(p, kept.get(s.key))]
    without = {s.key: s.command(choice.network, choice.inputs) for choice, s in lacking}
    if without:
        first = next(iter(without.values()))
        if experiment.seed:
            first += f" --seed {experiment.seed}"
        where = f" --results {results.path}" if results is not None else ", and name its results file"
        others = (
            f" (and {len(without) - 1} more: `hwprof tune --for EXPERIMENT` does them all)" if len(without) > 1 else ""
        )
        old = sorted({why for _, p, s in found if s.key in kept and (why := version_changes(p, kept[s.key]))})
        since = f" ({'; '.join(old)} since)" if old else ""
        raise NotAvailable(
            f"no tuning of this machine is kept for {len(without)} of {plural(len(found), 'case')}{since}",
            f"{first}{where}{others}",
        )
    return tuple(kept[s.key].apply(planned) for _, planned, s in found)


def doubts(planned: PlannedCase, software: Mapping[str, Any]) -> Sequence[Doubt]:
    """A doubt where distributions other than the framework, as numpy, changed since the tuning."""
    if not planned.tuning:
        return []
    before, now = planned.tuning["distributions"], software.get("distributions", {})
    others = changes({**dict.fromkeys(now), **before}, now)
    return [Doubt("tuned-before", {"changed": others})] if others else []
