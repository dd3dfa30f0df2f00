"""The answer to a need: what meets the reader's conditions, as a table, sentences, JSON, and lines of a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hwprof.analysis.configurations.judge import ConditionResult, NeedAnswer, NeedOutcome, NeedResult
from hwprof.analysis.configurations.need import NeedCondition
from hwprof.printable import plural, printable
from hwprof.reports.page.configurations import READ, configuration_document, interval_document
from hwprof.reports.page.words import interval, number
from hwprof.reports.tables import Report, Table
from hwprof.speed import Interval

TITLE = "Need"
NOTE = (
    "Meets: in all of its 95 % interval. Nearly: in a part of it, within 10 % of the limit, of one round, or "
    "disturbed. Latency is that of one inference of the whole batch. What was not measured is never taken as 0."
)
WIDTH = 80
HEADS = {
    NeedOutcome.MEETS: "Meets it, in all of its interval",
    NeedOutcome.NEARLY: "Nearly meets it",
    NeedOutcome.UNKNOWN: "Can't be judged",
    NeedOutcome.FAILS: "Does not meet it",
}
# Configurations that a terminal shows of each outcome.
SHOWN = {NeedOutcome.MEETS: 20, NeedOutcome.NEARLY: 8, NeedOutcome.UNKNOWN: 8, NeedOutcome.FAILS: 4}


def table(need: NeedAnswer) -> Table:
    """A row for each configuration: its outcome, each value with its interval, and by how much it misses."""
    header = ("outcome", "network", "framework", "configuration", *(c.text for c in need.conditions), "why")
    rows = tuple(
        (
            result.outcome.value,
            result.configuration.network,
            result.configuration.framework,
            result.configuration.label,
            *(value_text(one) for one in result.conditions),
            "; ".join(result.reasons) or "-",
        )
        for result in need.results
    )
    return Table(f"{TITLE}: {need.text}", header, rows, f"{READ} {NOTE}")


def value_text(one: ConditionResult) -> str:
    """`120 [110, 130]` in the unit of the condition; a dash where it was not measured."""
    found = shown_interval(one.condition, one.found)
    if found is None:
        return "-"
    bounds = interval(found.low, found.high)
    return number(found.value) + ("" if bounds == "-" else f" {bounds}")


def shown_interval(condition: NeedCondition, found: Interval | None) -> Interval | None:
    """An interval in the unit of a condition."""
    if found is None:
        return None
    low, high = (None if v is None else condition.shown(v) for v in (found.low, found.high))
    return Interval(condition.shown(found.value), low, high)


def sentences(need: NeedAnswer) -> list[str]:
    """How many configurations meet it, nearly do, do not; what was not measured, and why."""
    counts = {outcome: len(need.of(outcome)) for outcome in NeedOutcome}
    meet = plural(counts[NeedOutcome.MEETS], "meets it", "meet it")
    fail = plural(counts[NeedOutcome.FAILS], "does not", "do not")
    lines = [
        f"Of {plural(len(need.results), 'configuration')} {meet}, {counts[NeedOutcome.NEARLY]} nearly, {fail}, and "
        f"{counts[NeedOutcome.UNKNOWN]} can't be judged."
    ]
    return lines + [f"Not measured: {name}. {why[:1].upper()}{why[1:]}." for name, why in need.gaps.items()]


def extend(report: Report) -> Report:
    """The report with the answer to a need in front; as it is where none was asked for."""
    need = report.need
    if need is None:
        return report
    summary = (f"Need: {need.text}.", *sentences(need), *(f"{c.command}: {c.shows}." for c in need.commands))
    return replace(report, summary=(*summary, *report.summary), tables=(table(need), *report.tables))


def document(need: NeedAnswer) -> dict[str, Any]:
    """The answer as plain JSON values; values in the units of the conditions."""
    return {
        "conditions": [
            {
                "text": c.text,
                "quantity": c.quantity.name,
                "operator": c.operator,
                "limit": c.shown(c.limit),
                "unit": c.shown_unit,
            }
            for c in need.conditions
        ],
        "met": need.is_met,
        "results": [
            {
                "outcome": r.outcome.value,
                **configuration_document(r.configuration),
                "conditions": [_condition_document(one) for one in r.conditions],
                "reason": r.reason,
            }
            for r in need.results
        ],
        "not_measured": dict(need.gaps),
        "commands": [{"command": c.command, "shows": c.shows} for c in need.commands],
    }


def _condition_document(one: ConditionResult) -> Mapping[str, Any]:
    values = interval_document(shown_interval(one.condition, one.found))
    return {"outcome": one.outcome.value, **values, "reason": one.reason, "miss": one.miss}


def text(need: NeedAnswer, width: int = WIDTH) -> str:
    """For a terminal: counts, the configurations of each outcome with their values, commands for what is missing."""
    lines = [*_wrap(f"Need: {need.text}", width)]
    for sentence in sentences(need):
        lines += _wrap(sentence, width)
    for outcome, head in HEADS.items():
        found = need.of(outcome)
        if not found:
            continue
        lines.append(f"{head}:")
        for result in found[: SHOWN[outcome]]:
            lines += _result(result, width)
        if len(found) > SHOWN[outcome]:
            lines.append(f"  and {len(found) - SHOWN[outcome]} more (report.md and report.html have all)")
    if need.commands:
        lines.append("Next:")
        lines += [f"  {printable(c.command)}\n    {printable(c.shows)}" for c in need.commands]
    return "\n".join(lines)


def _result(result: NeedResult, width: int) -> Iterator[str]:
    one = result.configuration
    yield from _wrap(f"  {one.framework} {one.network}: {one.title}", width)
    parts = [
        f"{r.condition.quantity.name} {value_text(r)} {r.condition.shown_unit}"
        for r in result.conditions
        if r.found is not None and r.condition.shown_unit != "FPS"
    ]
    fps = [f"{value_text(r)} FPS" for r in result.conditions if r.found is not None and r.condition.shown_unit == "FPS"]
    if parts or fps:
        yield from _wrap(f"    {'; '.join((*fps, *parts))}", width)
    if result.reasons:
        yield from _wrap(f"    {'; '.join(result.reasons)}", width)


def _wrap(line: str, width: int) -> list[str]:
    line = printable(line)
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False)
