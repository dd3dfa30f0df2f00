"""Sentences on what correlates with the target, and coefficients with their intervals in words.

A sentence needs its q of the one family of the report, its interval, and that it holds without any one network
(`is_found`). Slopes over all frameworks lead; intervals of what was picked allow for the picking.
"""

from __future__ import annotations

from hwprof.analysis.correlation.findings import Analysis, Correlation, LeftOut, PooledSlope, percent_per_tenth
from hwprof.analysis.statistics import power
from hwprof.analysis.statistics.partial import MIN_TESTED, Partial
from hwprof.printable import plural
from hwprof.reports.page.words import coefficient

MEDIATED = 3  # metrics of a framework whose association through instructions has a line


def sentences(analysis: Analysis) -> list[str]:
    """The findings of one stratum: over all frameworks, then of each."""
    if analysis.refusal:
        return [f"{analysis.stratum.title}: no correlation with {analysis.target}: {analysis.refusal}."]
    if analysis.correlations and not any(c.is_asked for c in analysis.correlations):
        return []  # a kind of layer: the sentence is that of all blocks
    return [
        *pooled_sentences(analysis),
        *(_of_framework(analysis, name) for name in analysis.frameworks),
        *(_of_work(c) for c in analysis.work if c.q is not None),
    ]


def _of_work(c: Correlation) -> str:
    """Instructions at equal MACs, which the other sentences control for."""
    if c.is_found:
        return (
            f"{c.framework}: at equal MACs, {c.metric.label} per frame correlate with {c.target}: r {picked(c)}, "
            f"q {c.q:.3f}, {c.partial.sample}{elasticity_words(c)}. An association, not a cause."
        )
    without = "" if c.leave_out is None else f", {range_without_one(c.leave_out)} as each network is left out"
    return (
        f"{c.framework}: at equal MACs, it is not shown that {c.metric.label} per frame correlate with {c.target}: "
        f"r {with_interval(c.partial)}, q {c.q:.3f}{without}."
    )


def pooled_sentences(analysis: Analysis) -> list[str]:
    """Sentences on all frameworks together; none where nothing was tested."""
    tested = [s for s in analysis.pooled if s.q is not None]
    if not tested:
        return []
    sure = sorted((s for s in tested if s.is_found), key=lambda s: s.rank)
    if not sure:
        degrees = sorted(s.df for s in tested)[len(tested) // 2]
        reach = None if analysis.critical is None else power.of_shuffles(analysis.critical, degrees)
        return [
            f"Over all frameworks: of {plural(len(tested), 'metric')}, none differs between frameworks together with "
            f"{analysis.target} on the same network (q < 0.05 of {plural(tested[0].family, 'test')}, family-wise "
            f"p < 0.05, an interval without 0, and the same without any one network).{missed(reach)}"
        ]
    first = sure[0]
    others = "" if len(sure) == 1 else f" {len(sure) - 1} more: see the pooled slopes."
    return [
        f"Over all frameworks: on the same network, {first.metric.label} per frame correlates with {first.target}: "
        f"{pooled_elasticity(first)}, {plural(first.n, 'network')}, q {first.q:.3f}, family-wise p "
        f"{first.p_family:.3f}. "
        f"An association, not a cause.{others}"
    ]


def _of_framework(analysis: Analysis, framework: str) -> str:
    found = [c for c in analysis.correlations if c.framework == framework]
    sure = sorted((c for c in found if c.is_found), key=lambda c: (c.q or 0.0, c.metric.name))
    tested = [c for c in found if c.status == "tested"]
    if sure:
        c = sure[0]
        rest = f" {len(sure) - 1} more: see the table." if len(sure) > 1 else ""
        return (
            f"{framework}: controlling for network size, {c.metric.label} per frame correlates with {c.target}: "
            f"r {picked(c)}, q {c.q:.3f}, {c.partial.sample}{elasticity_words(c)}. An association, not a cause."
            f"{rest}"
        )
    if tested:
        reach = power.of_family([c.partial for c in tested], tested[0].among)
        return (
            f"{framework}: of {len(tested)} tested metrics none correlates with {analysis.target} beyond the size of "
            f"the network (q < 0.05 of {plural(tested[0].family, 'test')}, an interval without 0, and the same without "
            f"any one network).{missed(reach)}"
        )
    if why := next((c.why for c in found if c.status == "descriptive"), ""):
        return f"{framework}: {why}. Coefficients are a description."
    most = max((c.partial.n for c in found), default=0)
    if most >= MIN_TESTED:
        return f"{framework}: nothing can be tested: {'; '.join(sorted({c.why for c in found}))}."
    return (
        f"{framework}: nothing can be tested: {plural(most, 'network')} with all covariates, {MIN_TESTED} are needed "
        "(4 for an exploratory coefficient)."
    )


def missed(reach: float | None) -> str:
    """What the tests that found nothing could not see; "": that is not known."""
    return "" if reach is None else f" A correlation below {reach:.2f} would have been missed in 20 % or more."


def mediation(analysis: Analysis, framework: str) -> list[str]:
    """What of the strongest associations of a framework goes through instructions, total and direct beside it.

    Only where the interval excludes 0 at a level that allows for all metrics of the framework.
    """
    own = [
        (c, c.through, c.partial.slope)
        for c in analysis.correlations
        if c.framework == framework and c.through is not None and c.partial.slope is not None
    ]
    level = 1 - 0.05 / max(len(own), 1)
    sure = [(c, t, direct, t.interval(level)) for c, t, direct in own]
    sure = [found for found in sure if found[3][0] > 0 or found[3][1] < 0]
    sure.sort(key=lambda found: -abs(found[1].slope) / max(found[1].se, 1e-300))
    lines = []
    for c, t, direct, bounds in sure[:MEDIATED]:
        lines.append(
            f"{c.metric.label} per frame: +10 % of it with {percent_per_tenth(direct + t.slope):+.1f} % {c.target} "
            f"controlling for MACs (total), {percent_per_tenth(direct):+.1f} % controlling for instructions too "
            f"(direct). The difference, {percent_per_tenth(t.slope):+.1f} % {percent_interval(bounds)}, goes through "
            "instructions or what grows with them. An association, not a cause."
        )
    more = len(sure) - len(lines)
    return lines + ([f"{more} more differ between total and direct: see the table."] if more > 0 else [])


def picked(c: Correlation) -> str:
    """r with the interval that allows for its having been picked."""
    bounds = c.partial.interval(c.level) if c.level is not None else None
    return f"{coefficient(c.partial.r)} {_interval(bounds)}" if bounds else coefficient(c.partial.r)


def elasticity_words(c: Correlation) -> str:
    """` (+10 % of it with -8.2 % FPS [-11.0, -5.3])`; "": ranks have none."""
    if c.elasticity is None:
        return ""
    bounds = c.partial.slope_interval(c.level or 0.95)
    words = f" {percent_interval(bounds)}" if bounds else ""
    return f" (+10 % of it with {c.elasticity:+.1f} % {c.target}{words})"


def pooled_elasticity(s: PooledSlope) -> str:
    """`+10 % of it with -8.2 % FPS [-11.0, -5.3]`, by the interval that allows for the picking."""
    words = f" {percent_interval(s.bounds)}" if s.bounds else ""
    return f"+10 % of it with {percent_per_tenth(s.slope or 0.0):+.1f} % {s.target}{words}"


def with_interval(found: Partial) -> str:
    """`-0.93 [-0.99, -0.70]`, without the bounds where there are none."""
    r = coefficient(found.r)
    if found.low is None or found.high is None:
        return r
    return f"{r} {_interval((found.low, found.high))}"


def _interval(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:+.2f}, {bounds[1]:+.2f}]"


def percent_interval(bounds: tuple[float, float]) -> str:
    """`[-11.0, -5.3]`: bounds of a slope as change in percent per 10 % more."""
    low, high = sorted(percent_per_tenth(b) for b in bounds)
    return f"[{low:+.1f}, {high:+.1f}]"


def q_text(one: Correlation | PooledSlope) -> str:
    """The q-value; a star where a sentence may be said of it, which is also what the map shows solid."""
    return "-" if one.q is None else f"{one.q:.3f}{' *' if one.is_found else ''}"


def range_without_one(found: LeftOut) -> str:
    """`-0.93 to -0.41 (resnet18)`: the range as each network is left out, and the one that moves it most."""
    return f"{found.low:+.2f} to {found.high:+.2f} ({found.network})"
