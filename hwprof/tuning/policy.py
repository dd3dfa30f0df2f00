"""`policy = "tuned"`: every case takes this machine's kept winner; without one, an error names the command."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hwprof.cases import Planned, plan
from hwprof.errors import NotAvailable
from hwprof.experiment import Choice, Experiment
from hwprof.machine import parse_cpus
from hwprof.records import Doubt
from hwprof.tuning.kept import Kept, Subject, subject_of

if TYPE_CHECKING:
    from hwprof.store import Results

DEFAULT, TUNED = "default", "tuned"


def known(results: Results | None, hardware: Mapping[str, Any]) -> dict[str, Kept]:
    """Kept winners of this machine by the key of their subject."""
    return {} if results is None else {t.key: Kept.read(t.winner, t.evidence) for t in results.tunings(hardware)}


def subjects(experiment: Experiment) -> list[tuple[Choice, Planned, Subject]]:
    """Each choice with its case under default parameters, and what it would be tuned as."""
    plain = tuple(dataclasses.replace(c, threads=c.threads or 1) for c in experiment.choices)
    cases = plan(dataclasses.replace(experiment, choices=plain, policy=DEFAULT))
    cpus = parse_cpus(experiment.cpus) if experiment.cpus else ()
    return [
        (choice, planned, subject_of(planned, choice.threads, cpus))
        for choice, planned in zip(experiment.choices, cases, strict=True)
    ]


def lacking(experiment: Experiment, kept: Mapping[str, Kept]) -> dict[str, Choice]:
    """Choices that nothing is kept for, by the key of their subject."""
    return {s.key: choice for choice, _, s in subjects(experiment) if s.key not in kept}


def cases(experiment: Experiment, results: Results | None, hardware: Mapping[str, Any]) -> tuple[Planned, ...]:
    """The cases of an experiment, with the parameters that its policy says. NotAvailable where a tuning lacks."""
    if experiment.policy == DEFAULT:
        return plan(experiment)
    kept = known(results, hardware)
    found = subjects(experiment)
    without = {s.key: s.command(choice.network) for choice, _, s in found if s.key not in kept}
    if without:
        first = next(iter(without.values()))
        if experiment.seed:
            first += f" --seed {experiment.seed}"
        where = f" --results {results.path}" if results is not None else ", and name its results file"
        others = (
            f" (and {len(without) - 1} more: `hwprof tune --for EXPERIMENT` does them all)" if len(without) > 1 else ""
        )
        raise NotAvailable(
            f"no tuning of this machine is kept for {len(without)} of {len(found)} cases", f"{first}{where}{others}"
        )
    return tuple(_applied(planned, kept[s.key]) for _, planned, s in found)


def _applied(planned: Planned, kept: Kept) -> Planned:
    return dataclasses.replace(
        planned, case=kept.applied(planned.case), tuned=kept.facts() | {"distributions": kept.evidence["distributions"]}
    )


def doubts(planned: Planned, software: Mapping[str, Any]) -> Sequence[Doubt]:
    """A tuning of other versions than those that run now."""
    if not planned.tuned:
        return []
    before, now = planned.tuned["distributions"], software.get("distributions", {})
    changed = [
        f"{name} {before.get(name)} -> {now.get(name)}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    return [Doubt("tuned-before", {"changed": ", ".join(changed)})] if changed else []
