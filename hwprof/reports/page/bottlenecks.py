"""What bounds each case, as a table: a row for each bottleneck that was found, and what could not be decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hwprof.analysis.bottlenecks.certainty import State
from hwprof.analysis.bottlenecks.diagnosis import Diagnosis, frequent
from hwprof.printable import plural
from hwprof.reports.page.words import number
from hwprof.reports.tables import Table

HEADER = ("case", "FPS", "bottleneck", "certainty", "because", "try", "extent", "ruled out", "not decided")
FOUND = (State.YES, State.PARTLY)
SHOWN = 4  # metrics that a rule lacks


def table(found: Sequence[Diagnosis]) -> Table:
    """Every case with what was found of it; a case of which nothing was found has a row that says so."""
    machines = len({d.machine for d in found}) > 1
    rows = []
    for d in found:
        title = f"{d.case.title} on {d.machine}" if machines else d.case.title
        fps = number(d.context.evidence.fps.value) + (" EMULATED" if d.context.evidence.emulated else "")
        rest = tuple(
            ", ".join(v.code for v in d.verdicts if v.state is state) or "-" for state in (State.NO, State.UNKNOWN)
        )
        hits = [v for v in d.verdicts if v.state in FOUND]
        for v in hits:
            extent = "in part" if v.state is State.PARTLY else "mainly"
            rows.append((title, fps, v.code, v.sure.value, v.because, v.advice or "-", extent, *rest))
        if not hits:
            rows.append((title, fps, "none found", "-", "-", "-", "-", *rest))
    note = (
        "certainty: high where the interval between rounds stays clear of every limit of the rule. not decided: what "
        "the rule needs was not measured, which is no 'no'."
    )
    return Table("Bottlenecks of each case", HEADER, tuple(rows), note)


def sentences(found: Sequence[Diagnosis]) -> list[str]:
    """How often each bottleneck was found, and what the rules that could never decide lack."""
    hits = [(code, count, judged) for code, count, judged in frequent(found) if count]
    lines = [f"{plural(len(found), 'case')}."]
    if hits:
        words = ", ".join(f"{code} in {count} of {judged} that could be judged" for code, count, judged in hits)
        lines = [f"{plural(len(found), 'case')}: {words}."]
    lacking: dict[str, Counter[str]] = {}
    for v in (v for d in found for v in d.verdicts if v.state is State.UNKNOWN):
        lacking.setdefault(v.code, Counter()).update(v.missing)
    never = {code: lacking[code] for code, _, judged in frequent(found) if not judged and lacking.get(code)}
    if never:
        words = "; ".join(
            f"{code} ({', '.join(name for name, _ in missing.most_common(SHOWN))})" for code, missing in never.items()
        )
        lines.append(f"Never decided, for lack of what stands in brackets: {words}.")
    return lines
