"""A comparison as words, tables and JSON. Renders only."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from hwprof.analysis.comparison.compare import Change, Comparison, Judgement
from hwprof.analysis.comparison.pairing import Pairing
from hwprof.analysis.estimator import Estimator
from hwprof.collectors.vocabulary import Name
from hwprof.records import to_json
from hwprof.reports.tables import Report, Table, terminal

FORMAT = 1
HEADER = (
    "verdict",
    "case",
    "over",
    "FPS",
    "throughput",
    "CPU ms",
    "ratio",
    "by",
    "95 %",
    "q",
    "insn",
    "task-clock",
    "doubts",
)
MOST_FACTS = 20
# Verdicts that a drift of the machine between the two sides could have caused.
DECIDED = (Judgement.REGRESSION, Judgement.SLOWER, Judgement.FASTER, Judgement.SAME)
APART = "not in turn"


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
    if c.unknown:
        lines.append(
            f"FPS is disturbed in {cases(len(c.unknown))} of which one side has nothing "
            f"but FPS, so that nothing can be said: {'; '.join(case.title for case in c.unknown)}"
        )
    if not c.changes:
        return [
            *lines,
            "Nothing can be compared." if c.unknown else "No case is on both sides: nothing can be compared.",
        ]
    by = {v: sum(x.verdict is v for x in c.changes) for v in Judgement}
    lines.append(f"{len(c.changes)} cases: " + ", ".join(f"{n} {v.value}" for v, n in by.items() if n))
    if not c.tested:
        lines.append(
            "Nothing was tested: every case has one round on a side, and without an interval a difference may be "
            "chance. Measure two rounds at least (--rounds)."
        )
    worst = sorted(c.regressions, key=lambda x: x.ratio)[:3]
    if worst:
        names = "; ".join(f"{x.case.title} {factor(x.ratio)}{by_what(x)}" for x in worst)
        lines.append(
            f"REGRESSION beyond {100 * c.threshold:g} %: {names}" + ("; ..." if len(c.regressions) > 3 else "")
        )
    lines += [*disturbed(c), *contradictions(c), *apart(c)]
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


def cases(count: int) -> str:
    """`1 case`, `3 cases`."""
    return f"{count} case{'' if count == 1 else 's'}"


def by_what(x: Change) -> str:
    """` by throughput` where a case is not compared by FPS."""
    return "" if x.choice.estimator is Estimator.FPS else f" by {x.choice.estimator.value}"


def disturbed(c: Comparison) -> list[str]:
    """Which cases are not compared by FPS, by what they are, and why."""
    found = []
    for estimator in (Estimator.THROUGHPUT, Estimator.CPU_TIME):
        several = [x for x in c.changes if x.choice.estimator is estimator]
        if several:
            why = "; ".join(f"{x.case.title}: {x.choice.why}" for x in several[:3]) + "; ..." * (len(several) > 3)
            found.append(f"compared by {estimator.value}, not FPS: {cases(len(several))} ({why})")
    return found


def contradictions(c: Comparison) -> list[str]:
    """The cases of which slices and bare stretches contradict each other."""
    several = [x for x in c.changes if x.conflict]
    if not several:
        return []
    names = "; ".join(
        f"{x.case.title} {factor(x.ratio)} {span(x.low, x.high)} by slices, {factor(x.alone.value)} "
        f"{span(x.alone.low, x.alone.high)} by bare stretches"
        for x in several
    )
    return [f"slices and bare stretches contradict each other in {cases(len(several))}, nothing is concluded: {names}"]


def apart(c: Comparison) -> list[str]:
    """That rounds were not measured in turn, and what follows from it."""
    several = [x for x in c.changes if not x.in_turn and x.low is not None]
    if not several:
        return []
    regressions = sum(x.verdict is Judgement.REGRESSION for x in several)
    of_them = f", {regressions} of them a regression" if regressions else ""
    return [
        f"OLD and NEW were not measured in turn in {cases(len(several))}{of_them}: a session's drift (load, clock, "
        "placement) is in no interval. Two sessions of the same program may differ beyond it."
    ]


def note(c: Comparison) -> str:
    """What the table's figures are."""
    of = {pairing: sum(x.pairing is pairing for x in c.changes) for pairing in Pairing}
    ways = {
        Pairing.SETS: "paired t over sets of which both sides have a run, by slices",
        Pairing.ROUNDS: "paired t over rounds that were measured in turn",
        Pairing.NONE: "Welch's t on logarithms of rounds",
    }
    how = "; ".join(f"{ways[pairing]} ({cases(n)})" for pairing, n in of.items() if n)
    estimators = {x.choice.estimator for x in c.changes}
    ratios = {
        Estimator.FPS: "FPS in NEW / FPS in OLD",
        Estimator.THROUGHPUT: "throughput in NEW / throughput in OLD",
        Estimator.CPU_TIME: "CPU time per frame in OLD / CPU time per frame in NEW",
    }
    what = ", or ".join(text for estimator, text in ratios.items() if estimator in estimators)
    return (
        f"FPS, throughput, CPU ms (CPU time per frame): OLD -> NEW, means over rounds. ratio: {what}, geometric means; "
        f"by: the one that survives; 95 % interval: {how}. q: Benjamini-Hochberg over the {c.tested} tested cases of "
        f"this comparison. regression: q <= {c.alpha:g} and slower by more than {100 * c.threshold:g} %; same: the "
        "whole interval lies within that; unclear: the rounds can't tell. insn, task-clock: ratio of instructions and "
        "of task-clock per frame."
    )


def row(x: Change) -> tuple[str, ...]:
    """One line of the table."""
    instructions = x.counts.get(Name.INSTRUCTIONS, x.counts.get(Name.INSTRUCTIONS.user))
    rounds = f"{len(x.old)} + {len(x.new)}"
    over = {Pairing.SETS: f"{x.pairs} sets", Pairing.ROUNDS: f"{x.pairs} pairs", Pairing.NONE: rounds}[x.pairing]
    old, new = x.speeds
    return (
        x.verdict.value + (f", {APART}" if x.verdict in DECIDED and not x.in_turn else ""),
        x.case.title,
        over,
        both(old.fps, new.fps),
        both(old.throughput, new.throughput),
        both(old.cpu_s, new.cpu_s, 1e3),
        factor(x.ratio),
        x.choice.estimator.value,
        span(x.low, x.high),
        "" if x.q is None else f"{x.q:.2g}",
        "" if instructions is None else factor(instructions),
        "" if Name.TASK_CLOCK not in x.counts else factor(x.counts[Name.TASK_CLOCK]),
        "; ".join([*remarks(x), *x.doubts]),
    )


def remarks(x: Change) -> list[str]:
    """What belongs to the estimator: the ratio that contradicts it, and how long threads waited."""
    found = [f"by bare stretches {factor(x.alone.value)} {span(x.alone.low, x.alone.high)}"] if x.conflict else []
    old, new = x.speeds
    if x.other_load or x.choice.estimator is not Estimator.FPS:
        shares = " -> ".join("-" if v is None else f"{100 * v:.0f} %" for v in (old.waiting, new.waiting))
        found.append("the machine was not the same: " * x.other_load + f"waiting for a CPU {shares}")
    return found


def both(old: float | None, new: float | None, scale: float = 1.0) -> str:
    """`40 -> 30`; "" where neither side has it."""
    if old is None and new is None:
        return ""
    return " -> ".join("-" if v is None else f"{scale * v:.4g}" for v in (old, new))


def span(low: float | None, high: float | None) -> str:
    """`0.942 ... 1.020`; "" where there is no interval."""
    return "" if low is None or high is None else f"{low:.3f} ... {high:.3f}"


def factor(value: float) -> str:
    """x1.32."""
    return f"x{value:.3f}" if 0.5 < value < 2 else f"x{value:.2f}"


def short(value: str, most: int = 48) -> str:
    """Long facts cut in the middle."""
    return value if len(value) <= most else f"{value[: most - 15]} ... {value[-10:]}"


def document(c: Comparison, old: str, new: str, failed: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """The JSON form."""
    plain = to_json({f.name: getattr(c, f.name) for f in dataclasses.fields(c)})
    for x, change in zip(c.changes, plain["changes"], strict=True):
        change["log_ratio"] = math.log(x.ratio)
        change["paired"] = x.pairing is not Pairing.NONE
        change["by"] = x.choice.estimator.value
        change["speeds"] = {name: one._asdict() for name, one in zip(("old", "new"), x.speeds, strict=True)}
        change["alone"] = x.alone._asdict()
    return {
        "format": FORMAT,
        "old": old,
        "new": new,
        "regressions": [x.case.title for x in c.regressions],
        "failed_in_new": dict(failed),
        **plain,
    }
