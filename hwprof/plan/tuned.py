"""`policy = "tuned"`: every case takes this machine's kept winner; without one, an error names the command.

A winner of another version of the framework is none: other kernels may want other parameters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hwprof.errors import NotAvailable
from hwprof.machine.cpus import parse_cpus
from hwprof.plan.cases import PlannedCase, plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.plan.kept import Kept, Subject, subject_of
from hwprof.records import Doubt

if TYPE_CHECKING:
    from hwprof.store import Results

DEFAULT, TUNED = "default", "tuned"


def known(results: Results | None, hardware: Mapping[str, Any]) -> dict[str, Kept]:
    """Kept winners of this machine by the key of their subject."""
    return {} if results is None else {t.key: Kept.read(t.winner, t.evidence) for t in results.tunings(hardware)}


def subjects(experiment: Experiment) -> list[tuple[Choice, PlannedCase, Subject]]:
    """Each choice with its case under default parameters, and what it would be tuned as."""
    plain = tuple(dataclasses.replace(c, threads=c.threads or 1) for c in experiment.choices)
    cases = plan(dataclasses.replace(experiment, choices=plain, policy=DEFAULT))
    cpus = parse_cpus(experiment.cpus) if experiment.cpus else ()
    return [
        (choice, planned, subject_of(planned, choice.threads, cpus))
        for choice, planned in zip(experiment.choices, cases, strict=True)
    ]


def lacking(experiment: Experiment, kept: Mapping[str, Kept]) -> dict[str, Choice]:
    """Choices that nothing usable is kept for, by the key of their subject."""
    return {s.key: choice for choice, planned, s in subjects(experiment) if not usable(planned, kept.get(s.key))}


def usable(planned: PlannedCase, kept: Kept | None) -> bool:
    """Whether the winner is of the framework's version that would run now."""
    return kept is not None and not outdated(planned, kept)


def outdated(planned: PlannedCase, kept: Kept) -> str:
    """`onnxruntime 1.21.0 -> 1.31.1`: what of the framework itself is another one than it was tuned with."""
    now = planned.software().get("distributions", {})
    return changed({n: kept.evidence["distributions"].get(n) for n in planned.adapter.environment.distributions}, now)


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Versions of `before` that are others now."""
    return ", ".join(f"{n} {before[n]} -> {now.get(n)}" for n in sorted(before) if before[n] != now.get(n))


def cases(experiment: Experiment, results: Results | None, hardware: Mapping[str, Any]) -> tuple[PlannedCase, ...]:
    """The cases of an experiment, with the parameters that its policy says. NotAvailable where a tuning lacks."""
    if experiment.policy == DEFAULT:
        return plan(experiment)
    kept = known(results, hardware)
    found = subjects(experiment)
    without = {s.key: s.command(choice.network) for choice, p, s in found if not usable(p, kept.get(s.key))}
    if without:
        first = next(iter(without.values()))
        if experiment.seed:
            first += f" --seed {experiment.seed}"
        where = f" --results {results.path}" if results is not None else ", and name its results file"
        others = (
            f" (and {len(without) - 1} more: `hwprof tune --for EXPERIMENT` does them all)" if len(without) > 1 else ""
        )
        old = sorted({why for _, p, s in found if s.key in kept and (why := outdated(p, kept[s.key]))})
        since = f" ({'; '.join(old)} since)" if old else ""
        raise NotAvailable(
            f"no tuning of this machine is kept for {len(without)} of {len(found)} cases{since}",
            f"{first}{where}{others}",
        )
    return tuple(_applied(planned, kept[s.key]) for _, planned, s in found)


def _applied(planned: PlannedCase, kept: Kept) -> PlannedCase:
    return dataclasses.replace(
        planned, case=kept.applied(planned.case), tuned=kept.facts() | {"distributions": kept.evidence["distributions"]}
    )


def doubts(planned: PlannedCase, software: Mapping[str, Any]) -> Sequence[Doubt]:
    """A tuning beside other versions of what is not the framework itself, as numpy."""
    if not planned.tuned:
        return []
    before, now = planned.tuned["distributions"], software.get("distributions", {})
    others = changed({**dict.fromkeys(now), **before}, now)
    return [Doubt("tuned-before", {"changed": others})] if others else []
