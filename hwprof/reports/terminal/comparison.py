"""A comparison as words, tables and JSON. Renders only."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from typing import Any

from hwprof.analysis.comparison.compare import Change, Comparison, Judgement
from hwprof.collectors.vocabulary import Name
from hwprof.records import to_json
from hwprof.reports.tables import Report, Table, terminal

FORMAT = 1
HEADER = ("verdict", "case", "FPS old", "FPS new", "ratio", "95 %", "q", "insn", "CPU time", "doubts")
MOST_FACTS = 20


def report(c: Comparison, old: str, new: str, failed: Sequence[tuple[str, str]] = ()) -> Report:
    """Summary, cases, missing cases, differences. `failed`: (case, message) of cases that failed in NEW."""
    tables = [Table("Cases", HEADER, tuple(row(x) for x in c.changes), note(c))] if c.changes else []
    messages = dict(failed)
    absent = [("NEW", case.title, messages.get(case.title, "")) for case in c.only_old]
    absent += [("OLD", case.title, "") for case in c.only_new]
    if absent:
        tables.append(Table("Cases that one side lacks", ("missing in", "case", "failure"), tuple(absent)))
    if c.differences:
        shown = c.differences[:MOST_FACTS]
        rows = tuple((d.part, d.name, short(d.old), short(d.new), str(d.cases)) for d in shown)
        rest = len(c.differences) - len(shown)
        more = f"{rest} more facts differ: --json has them" if rest else ""
        tables.append(Table("What differs between OLD and NEW", ("part", "fact", "old", "new", "cases"), rows, more))
    return Report(tuple(summary(c, old, new)), tuple(tables))


def text(c: Comparison, old: str, new: str, failed: Sequence[tuple[str, str]] = ()) -> str:
    """The report of them as the terminal shows it."""
    return terminal(report(c, old, new, failed))


def summary(c: Comparison, old: str, new: str) -> list[str]:
    """Sentences: the two sides, the verdict, and doubts on it."""
    lines = [f"OLD: {old}", f"NEW: {new}"]
    if not c.changes:
        return [*lines, "No case is on both sides: nothing can be compared."]
    by = {v: sum(x.verdict is v for x in c.changes) for v in Judgement}
    lines.append(f"{len(c.changes)} cases: " + ", ".join(f"{n} {v.value}" for v, n in by.items() if n))
    worst = sorted(c.regressions, key=lambda x: x.ratio)[:3]
    if worst:
        names = "; ".join(f"{x.case.title} {factor(x.ratio)}" for x in worst)
        lines.append(
            f"REGRESSION beyond {100 * c.threshold:g} %: {names}" + ("; ..." if len(c.regressions) > 3 else "")
        )
    if c.overall is not None:
        o = c.overall
        between = (
            "" if o.low is None or o.high is None else f" [{o.low:.3f} ... {o.high:.3f}] over {o.networks} networks"
        )
        why = "" if between else f" over {o.networks} network{'s' * (o.networks != 1)}; four are needed for an interval"
        lines.append(f"NEW is {factor(o.ratio)} as fast as OLD (geometric mean{between or why})")
    if c.common is not None:
        lines.append(
            f"all cases moved alike, by about {factor(c.common)}: suspect what they share (the machine's clock, load, "
            "interpreter) before any one framework"
        )
    parts = {d.part for d in c.differences} & {"machine", "host state", "software"}
    if parts:
        lines.append(f"not the same {', '.join(sorted(parts))} on both sides: see what differs")
    lines += c.notes
    missing = len(c.only_old), len(c.only_new)
    if any(missing):
        lines.append(f"{missing[0]} cases are missing in NEW, {missing[1]} in OLD: they are named below")
    return lines


def note(c: Comparison) -> str:
    """What the table's figures are."""
    paired = sum(x.paired for x in c.changes)
    how = "Welch's t on logarithms of rounds"
    if paired:
        how = f"paired by round in {paired} of {len(c.changes)} cases whose rounds were interleaved, else {how}"
    return (
        f"ratio: FPS in NEW / FPS in OLD, geometric means over rounds; 95 % interval: {how}. q: Benjamini-Hochberg "
        f"over the {c.tested} tested cases of this comparison. regression: q <= {c.alpha:g} and slower by more than "
        f"{100 * c.threshold:g} %; same: the whole interval lies within that; unclear: the rounds can't tell. insn, "
        "CPU time: ratio of instructions and of task-clock per frame."
    )


def row(x: Change) -> tuple[str, ...]:
    """One line of the table."""
    interval = "" if x.low is None or x.high is None else f"{x.low:.3f} ... {x.high:.3f}"
    instructions = x.counts.get(Name.INSTRUCTIONS, x.counts.get(Name.INSTRUCTIONS.user))
    return (
        x.verdict.value,
        x.case.title,
        f"{statistics.geometric_mean(x.old):.4g} ({len(x.old)})",
        f"{statistics.geometric_mean(x.new):.4g} ({len(x.new)})",
        factor(x.ratio),
        interval,
        "" if x.q is None else f"{x.q:.2g}",
        "" if instructions is None else factor(instructions),
        "" if Name.TASK_CLOCK not in x.counts else factor(x.counts[Name.TASK_CLOCK]),
        "; ".join(x.doubts),
    )


def factor(value: float) -> str:
    """x1.32."""
    return f"x{value:.3f}" if 0.5 < value < 2 else f"x{value:.2f}"


def short(value: str, most: int = 48) -> str:
    """Long facts cut in the middle."""
    return value if len(value) <= most else f"{value[: most - 15]} ... {value[-10:]}"


def document(c: Comparison, old: str, new: str, failed: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """The JSON form."""
    plain = to_json({f.name: getattr(c, f.name) for f in dataclasses.fields(c)})
    for change in plain["changes"]:
        change["log_ratio"] = math.log(change["ratio"])
    return {
        "format": FORMAT,
        "old": old,
        "new": new,
        "regressions": [x.case.title for x in c.regressions],
        "failed_in_new": dict(failed),
        **plain,
    }
