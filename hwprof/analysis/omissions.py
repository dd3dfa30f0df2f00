"""What can't be analysed is left out by name: one case never costs the others their answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hwprof.records import Kind, Role, Run

MOST_NAMED = 12
ACCURACIES_ALONE = "its table states accuracies and no speeds (`hwprof report` shows them)"


@dataclass(frozen=True, slots=True)
class Omission:
    """One case or pair that an analysis leaves out, and why, as half a sentence."""

    what: str
    why: str


def lines(found: Iterable[Omission]) -> list[str]:
    """A sentence for each reason, with all that it concerns, each once."""
    reasons: dict[str, dict[str, None]] = {}
    for one in found:
        reasons.setdefault(one.why, {})[one.what] = None
    return [f"Left out, because {why}: {_named(list(names))}." for why, names in reasons.items()]


def _named(names: Sequence[str]) -> str:
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: MOST_NAMED - 1])} and {len(names) - MOST_NAMED + 1} more (`hwprof list cases`)"


def why_no_speed(runs: Sequence[Run]) -> str:
    """Why good native rounds give no latency of hwprof's own; for those without factors."""
    native = [run for run in runs if run.kind is Kind.NATIVE]
    formats = {str(run.facts["imported"].get("format", "")) for run in native if run.facts.get("imported")}
    if native and all((run.facts.get("imported") or {}).get("accuracy") for run in native):
        return ACCURACIES_ALONE
    if formats:
        return f"it was imported from {' and '.join(sorted(formats))}, which hands over no single latencies"
    if any(w.role is Role.BARE and w.latencies_ns for run in native for w in run.windows):
        return "the clock stood still in its windows"
    return "no round of it has a bare window with latencies"
