"""A comparison as words, tables and JSON. Renders only."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from hwprof.analysis.comparison.compare import Change, Comparison, Judgement, Overall
from hwprof.analysis.comparison.measured import OUTPUTS, UNFAITHFUL
from hwprof.analysis.comparison.pairing import Pairing
from hwprof.analysis.estimator import Estimator
from hwprof.collectors.vocabulary import Name
from hwprof.printable import plural
from hwprof.records import to_json
from hwprof.reports.tables import Report, Table
from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.session_noise import describe

FORMAT = 2  # 1: rounds of one session were tested as if there were no session noise
# Of the cases: what is left out first where the terminal is narrow has the highest `drop`.
CASES = (
    GridColumn("verdict"),
    GridColumn("case", shortens=True, is_key=True),
    GridColumn("over", drop=4),
    GridColumn("FPS", drop=3),
    GridColumn("throughput", drop=6),
    GridColumn("CPU ms", drop=5),
    GridColumn("ratio"),
    GridColumn("by", drop=2),
    GridColumn("95 %"),
    GridColumn("q", drop=1),
    GridColumn("insn", drop=7),
    GridColumn("task-clock", drop=8),
    GridColumn("doubts", flows=True),
)
MISSING = (GridColumn("missing in"), GridColumn("case", shortens=True, is_key=True), GridColumn("failure", flows=True))
FACTS = (
    GridColumn("part"),
    GridColumn("fact", shortens=True, is_key=True),
    GridColumn("old", shortens=True),
    GridColumn("new", shortens=True),
    GridColumn("cases", right=True),
)
GRIDS = {"Cases": CASES, "Cases that one side lacks": MISSING, "What differs between OLD and NEW": FACTS}
MOST_FACTS = 20
HOW_TO_TEST = (
    "Two sessions of one program differ too (load, clock, placement), and no round of theirs shows by how much. "
    "Measure both side by side (`hwprof compare --run`, or one experiment), or one of them in several sessions half an "
    "hour apart, or calibrate this machine (`hwprof compare --calibrate`)."
)
UNDATED = (
    "tables of other benchmarks state one figure for a case, and not by how much two sessions of theirs differ. Each "
    "ratio is what they state. Cases that are measured here (`hwprof run`) can have a verdict."
)
MORE_SETS = "Measure two rounds at least (--rounds)."


def report(c: Comparison, old: str, new: str, failed: Sequence[tuple[str, str]] = ()) -> Report:
    """Summary, cases, missing cases, differences. `failed`: (case, message) of cases that failed in NEW."""
    header = tuple(one.title for one in CASES)
    tables = [Table("Cases", header, tuple(row(x) for x in c.changes), note(c))] if c.changes else []
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


def text(c: Comparison, old: str, new: str, failed: Sequence[tuple[str, str]] = (), width: int | None = None) -> str:
    """The report of them as the terminal shows it, in lines of `width` (None: as wide as stdout takes)."""
    return grid.report_text(report(c, old, new, failed), GRIDS, width)


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
    lines.append(f"{plural(len(c.changes), 'case')}: " + ", ".join(f"{n} {v.value}" for v, n in by.items() if n))
    worst = sorted(c.regressions, key=lambda x: x.ratio)[:3]
    if worst:
        names = "; ".join(f"{title(x)} {factor(x.ratio)}{by_what(x)}{outputs(x)}" for x in worst)
        lines.append(
            f"REGRESSION beyond {100 * c.threshold:g} %: {names}" + ("; ..." if len(c.regressions) > 3 else "")
        )
    lines += [*undecided(c), *without_verdict(c), *disturbed(c), *contradictions(c), *calibrated(c)]
    if c.overall is not None:
        lines.append(mean(c.overall) + of_doubtful_outputs(c))
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
        lines.append(
            f"{plural(missing[0], 'case is', 'cases are')} missing in NEW, {missing[1]} in OLD: they are named below"
        )
    return lines


def title(x: Change) -> str:
    """The case, and its machine where there are several."""
    return f"{x.case.title} on {x.machine}" if x.machine else x.case.title


def cases(count: int) -> str:
    """`1 case`, `3 cases`."""
    return plural(count, "case")


def by_what(x: Change) -> str:
    """` by throughput` where a case is not compared by FPS."""
    return "" if x.choice.estimator is Estimator.FPS else f" by {x.choice.estimator.value}"


def outputs(x: Change) -> str:
    """` (UNFAITHFUL (new))` where the outputs of a side are wrong or could not be compared: what stands by a ratio."""
    found = [doubt for doubt in x.doubts if doubt.startswith((UNFAITHFUL, OUTPUTS))]
    return f" ({'; '.join(found)})" if found else ""


def of_doubtful_outputs(c: Comparison) -> str:
    """In how many cases of the mean outputs are wrong, and in how many they could not be compared."""
    ratios = [x for x in c.changes if not x.conflict]
    wrong = sum(any(doubt.startswith(UNFAITHFUL) for doubt in x.doubts) for x in ratios)
    unknown = sum(bool(outputs(x)) for x in ratios) - wrong
    words = [f"outputs UNFAITHFUL in {cases(wrong)}"] if wrong else []
    words += [f"outputs not comparable in {cases(unknown)}"] if unknown else []
    return "".join(f"; {text}" for text in words)


def disturbed(c: Comparison) -> list[str]:
    """Which cases are not compared by FPS, by what they are, and why."""
    found = []
    for estimator in (Estimator.THROUGHPUT, Estimator.CPU_TIME):
        several = [x for x in c.changes if x.choice.estimator is estimator]
        if several:
            why = "; ".join(f"{title(x)}: {x.choice.why}" for x in several[:3]) + "; ..." * (len(several) > 3)
            found.append(f"compared by {estimator.value}, not FPS: {cases(len(several))} ({why})")
    return found


def contradictions(c: Comparison) -> list[str]:
    """The cases of which slices and bare stretches contradict each other."""
    several = [x for x in c.changes if x.conflict]
    if not several:
        return []
    names = "; ".join(
        f"{title(x)} {factor(x.ratio)} {span(x.low, x.high)} by slices, {factor(x.alone.value)} "
        f"{span(x.alone.low, x.alone.high)} by bare stretches{outputs(x)}"
        for x in several
    )
    return [f"slices and bare stretches contradict each other in {cases(len(several))}, nothing is concluded: {names}"]


def undecided(c: Comparison) -> list[str]:
    """The cases that are slower, of which it is open whether by more than the threshold."""
    several = [x for x in c.undecided if x.verdict is Judgement.SLOWER]
    if not several:
        return []
    names = "; ".join(f"{title(x)} {factor(x.ratio)} {span(x.low, x.high)}{outputs(x)}" for x in several[:3])
    rest = "; ..." * (len(several) > 3)
    return [f"slower, beyond {100 * c.threshold:g} % or not is open: {names}{rest}"]


def without_verdict(c: Comparison) -> list[str]:
    """Why cases have no verdict, and what is known of those that look slower."""
    if not c.untested:
        return []
    found = []
    for undated in (False, True):
        several = [x for x in c.untested if x.undated is undated]
        whys = dict.fromkeys(x.why for x in several)
        remedy = HOW_TO_TEST if any(x.pairing is Pairing.NONE for x in several) else MORE_SETS
        if several:
            why = UNDATED if undated else f"{', '.join(whys)}. {remedy}"
            found.append(f"no verdict in {cases(len(several))}: {why}")
    large = sorted((x for x in c.untested if x.ratio < 1 - c.threshold), key=lambda x: x.ratio)
    if large:
        names = "; ".join(f"{title(x)} {factor(x.ratio)}{by_what(x)}{chance(x)}{outputs(x)}" for x in large[:3])
        found.append(f"SLOWER beyond {100 * c.threshold:g} % and not tested: {names}" + "; ..." * (len(large) > 3))
    return found


def chance(x: Change) -> str:
    """By how much sessions would have to differ (sd) for such a ratio to be chance in one of twenty comparisons."""
    if x.side_by_side:
        return ""
    return f" (by chance if sessions differ by {100 * x.needed_noise:.2g} % or more)"


def calibrated(c: Comparison) -> list[str]:
    """The session noise that was taken from earlier sessions of this machine."""
    known = {x.choice.estimator: x.noise for x in c.changes if x.noise is not None}
    return [
        f"session noise of this machine, from sessions until {noise.date[:10]}: {describe(noise, by.value)}"
        for by, noise in known.items()
    ]


def mean(o: Overall) -> str:
    """The mean over networks, with its interval or why there is none."""
    if o.low is not None and o.high is not None:
        between = f" [{o.low:.3f}, {o.high:.3f}] over {plural(o.networks, 'network')}"
    else:
        between = f" over {plural(o.networks, 'network')}; "
        between += (
            "four are needed for an interval"
            if o.side_by_side
            else "no interval, since sessions have noise that all networks share"
        )
    return f"NEW is {factor(o.ratio)} as fast as OLD (geometric mean{between})"


def note(c: Comparison) -> str:
    """What the table's figures are."""
    of = {pairing: sum(x.pairing is pairing for x in c.changes) for pairing in Pairing}
    ways = {
        Pairing.SETS: "paired t over sets of which both sides have a run, by slices",
        Pairing.ROUNDS: "paired t over rounds that were measured in turn",
        Pairing.SESSIONS: "Student's t over means of sessions",
        Pairing.CALIBRATED: "t with the calibrated session noise of this machine",
        Pairing.NONE: "none, but Welch's t over the rounds within these sessions",
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
        f"this comparison. regression: q <= {c.alpha:g}, and the whole interval is slower by more than "
        f"{100 * c.threshold:g} %; same: the whole interval lies within that; unclear: the interval holds both. insn, "
        "task-clock: ratio of instructions and of task-clock per frame."
    )


def row(x: Change) -> tuple[str, ...]:
    """One line of the table."""
    instructions = x.counts.get(Name.INSTRUCTIONS, x.counts.get(Name.INSTRUCTIONS.user))
    sessions = "{} + {} sessions".format(*x.sessions)
    over = {
        Pairing.SETS: plural(x.pairs, "set"),
        Pairing.ROUNDS: plural(x.pairs, "pair"),
        Pairing.SESSIONS: sessions,
        Pairing.CALIBRATED: f"{sessions}, calibrated",
        Pairing.NONE: f"{len(x.old)} + {plural(len(x.new), 'round')}",
    }
    old, new = x.speeds
    within = span(x.within.low, x.within.high) if x.pairing is Pairing.NONE else ""
    return (
        x.verdict.value,
        title(x),
        over[x.pairing],
        both(old.fps, new.fps),
        both(old.throughput, new.throughput),
        both(old.cpu_s, new.cpu_s, 1e3),
        factor(x.ratio),
        x.choice.estimator.value,
        f"within sessions {within}" if within else span(x.low, x.high),
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
    """`[0.942, 1.020]`; "" where there is no interval."""
    return "" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"


def factor(value: float) -> str:
    """`1.32x`."""
    return f"{value:.3f}x" if 0.5 < value < 2 else f"{value:.2f}x"


def short(value: str, most: int = 48) -> str:
    """Long facts cut in the middle."""
    return value if len(value) <= most else f"{value[: most - 15]} ... {value[-10:]}"


def document(c: Comparison, old: str, new: str, failed: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """The JSON form."""
    plain = to_json({f.name: getattr(c, f.name) for f in dataclasses.fields(c)})
    for x, change in zip(c.changes, plain["changes"], strict=True):
        change["log_ratio"] = math.log(x.ratio)
        change["side_by_side"] = x.side_by_side
        change["by"] = x.choice.estimator.value
        change["speeds"] = {name: one._asdict() for name, one in zip(("old", "new"), x.speeds, strict=True)}
        change["alone"] = x.alone._asdict()
        change["within"] = x.within._asdict()
    return {
        "format": FORMAT,
        "old": old,
        "new": new,
        "regressions": [x.case.title for x in c.regressions],
        "undecided": [x.case.title for x in c.undecided],
        "no_verdict": [x.case.title for x in c.untested],
        "failed_in_new": dict(failed),
        **plain,
    }
