"""Tables and sentences of the correlation analysis in full: per framework, and over all frameworks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from hwprof.analysis.correlation.across import sign_flips
from hwprof.analysis.correlation.findings import Analysis, Correlation, percent_per_tenth
from hwprof.analysis.statistics.partial import MIN_NETWORKS, MIN_TESTED
from hwprof.printable import plural
from hwprof.reports.page import associations, configurations, groups, speeds
from hwprof.reports.page.groups import rank
from hwprof.reports.page.words import coefficient
from hwprof.reports.tables import Report, Table

COLUMNS = (
    *("metric", "r controlling for all", "q", "elasticity", "95 % of it", "without one network", "N (cases)", "origin"),
    *("kind", "group", "p90/p10", "r raw", "r controlling for MACs", "same sign", "reliability", "controlling for"),
    "note",
)
READ = (
    "r: correlation of the log of {target} with the log of the metric per frame, over network means, with 95 % by "
    "Fisher's z. Raw it is mostly network size. Controlling for MACs it holds all of the metric's association (total), "
    "controlling for instructions too what does not act through instructions, or grow with them (direct). q: "
    "Benjamini-Hochberg, one family for the whole report. Significant (*): q < 0.05, the interval excludes 0, and both "
    "hold without any one network. 'without one network': the range of r as each network is left out, and the one that "
    "moves it most. group: metrics with one number are not separable (|r| > .7) and have one row. The first has the "
    "smallest q. The data (CSV) of the map have each of them. p90/p10: spread between networks. same sign: in k of F "
    "frameworks. reliability: share of the variance that is not noise between rounds; below .8 more rounds are needed."
)


def elasticity(c: Correlation) -> str:
    """In words: the change of the target with 10 % more of the metric."""
    return "-" if c.elasticity is None else f"+10 % ↔ {c.elasticity:+.1f} % {c.target}".replace("-", "−")


def origin(c: Correlation) -> str:
    """Origin and exactness of the values; marks on their quality are in capitals."""
    loud = {"simulated", "emulated", "suspect", "scaled", "missing"}
    words = [*c.metric.origins, *c.metric.exactness.split("+")]
    marks = [w.upper() if w in loud else w for w in words if w]
    return ", ".join([*marks, *(["user mode only"] if c.metric.user_only else [])]) or "-"


def framework_table(analysis: Analysis, framework: str) -> Table:
    """Every group of metrics of one framework, strongest first; then metrics without a coefficient, with the reason."""
    found = sorted(
        (c for c in analysis.correlations if c.framework == framework), key=lambda c: (c.partial.r is None, *rank(c))
    )
    signs: dict[str, list[float]] = {}
    for c in analysis.correlations:
        if c.partial.r:
            signs.setdefault(c.metric.name, []).append(c.partial.r)
    cells = [_cells(c, others, signs.get(c.metric.name, [])) for c, others in groups.coefficients(found)]
    cells += [
        {
            "metric": d.metric,
            "kind": "time in other units",
            "note": f"{d.why} (R² {d.r2:.3f}, slope on time {d.slope:+.2f})",
        }
        for d in analysis.disguises
    ]
    cells += [{"metric": m.label, "kind": m.kind.value, "note": why} for m, why in analysis.untested]
    rows = tuple(tuple(one.get(name, "-") for name in COLUMNS) for one in cells)
    return Table(f"Metrics of {framework}{_other(analysis)}", COLUMNS, rows, READ.replace("{target}", analysis.target))


def _cells(c: Correlation, others: Sequence[str], signs: Sequence[float]) -> dict[str, str]:
    """Column -> cell; what is not there has a dash."""
    positive = sum(r > 0 for r in signs)
    agree = positive if (c.partial.r or 0) > 0 else len(signs) - positive
    weak = f" ({c.status})" if c.status in ("exploratory", "descriptive") else ""
    cells = {
        "metric": groups.named(c.metric.label, others),
        "kind": c.metric.kind.value,
        "origin": origin(c),
        "N (cases)": f"{c.partial.n} ({c.cells})",
        "r raw": associations.with_interval(c.raw),
        "r controlling for MACs": associations.with_interval(c.sized),
        "r controlling for all": associations.with_interval(c.partial) + weak,
        "elasticity": elasticity(c),
        "q": associations.q_text(c),
        "controlling for": ", ".join(c.covariates) or "-",
        "note": "; ".join([*c.notes, *([c.why] if c.why else [])]),
    }
    if c.group >= 0:
        cells["group"] = str(c.group + 1)
    if c.spread is not None:
        cells["p90/p10"] = f"{c.spread:.1f}x"
    if (slope := c.partial.slope_interval()) is not None:
        cells["95 % of it"] = associations.percent_interval(slope)
    if c.leave_out is not None:
        cells["without one network"] = associations.range_without_one(c.leave_out)
    if c.partial.r is not None:
        cells["same sign"] = f"{agree} of {len(signs)}"
    if c.reliability is not None:
        cells["reliability"] = f"{c.reliability:.2f}"
    return cells


def gates(analysis: Analysis) -> list[str]:
    """The statistics that need more networks or frameworks, in one sentence each."""
    if analysis.refusal:
        return [f"No correlation with {analysis.target}: {analysis.refusal}."]
    counts = [c.partial.n for c in analysis.correlations]
    most, lines = max(counts, default=0), list(analysis.remarks)
    if analysis.why:
        lines.append(f"Metrics are set against {analysis.target}, not FPS: in the worst run {analysis.why}.")
    if most < MIN_NETWORKS:
        lines.append(f"{plural(most, 'network')}: a coefficient needs at least {MIN_NETWORKS}.")
    elif most < MIN_TESTED:
        lines.append(f"{plural(most, 'network')}: coefficients are exploratory. A q-value needs at least {MIN_TESTED}.")
    else:
        few = sorted({c.metric.label for c in analysis.correlations if c.partial.n < MIN_TESTED})
        if few:
            lines.append(f"No q-value, which needs at least {MIN_TESTED} networks: {_some(few)}.")
    if len(analysis.blocks) > 1:
        named = "; ".join(name or "runs on their own" for name in analysis.blocks)
        lines.append(f"Experiments and sessions are blocks, no rounds of one: {named}.")
    lines += _without_covariates(analysis)
    count = len(analysis.frameworks)
    if count < 2:
        lines.append("One framework: pooled slopes need at least 2, as they are of differences between frameworks.")
    if count < 5:
        lines.append(f"{plural(count, 'framework')}: a test between frameworks needs at least 5.")
    if analysis.unchecked:
        lines.append(f"{plural(analysis.unchecked, 'run')} had no reference to compare their outputs with.")
    return lines


def _without_covariates(analysis: Analysis) -> list[str]:
    """Networks omitted from a framework for lack of a covariate, and metrics only described for lack of one."""
    lines = []
    for framework in analysis.frameworks:
        found = [c for c in analysis.correlations if c.framework == framework]
        lacking: dict[str, set[str]] = {}
        for network, covariate in (pair for c in found for pair in c.omissions):
            lacking.setdefault(covariate, set()).add(network)
        lines += [
            f"{framework}: omitted, as {covariate} is missing or zero: {_some(sorted(names))}."
            for covariate, names in sorted(lacking.items())
        ]
    reasons: dict[str, set[str]] = {}
    for c in analysis.correlations:
        if c.status == "descriptive":
            reasons.setdefault(c.why, set()).add(c.metric.label)
    return lines + [f"{_some(sorted(names))}: {why}." for why, names in sorted(reasons.items())]


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


POOLED = (
    *("metric", "slope", "95 %", "q", "p family-wise", "elasticity", "without one network", "same sign", "N"),
    *("frameworks", "group", "controlling for", "note"),
)


def pooled_table(analysis: Analysis) -> Table:
    """Slopes over all frameworks with leave-one-network-out intervals, a row for each group of metrics."""
    rows = []
    ranked = sorted(analysis.pooled, key=lambda s: (s.p if s.p is not None else 2.0, s.metric.name))
    for s, others in groups.slopes(ranked):
        words = "-" if s.slope is None else f"+10 % ↔ {percent_per_tenth(s.slope):+.1f} % {s.target}".replace("-", "−")
        known = s.slope is not None and s.low is not None and s.high is not None
        rows.append(
            (
                groups.named(s.metric.label, others),
                coefficient(s.slope),
                f"[{s.low:+.2f}, {s.high:+.2f}]" if known else "-",
                associations.q_text(s),
                "-" if s.p_family is None else f"{s.p_family:.3f}",
                words,
                "-" if s.leave_out is None else associations.range_without_one(s.leave_out),
                f"{s.same_sign[0]} of {s.same_sign[1]}",
                str(s.n),
                str(s.frameworks),
                "-" if s.group < 0 else str(s.group + 1),
                ", ".join(s.covariates) or "-",
                s.why,
            )
        )
    return Table(
        f"Over all frameworks: pooled slopes{_other(analysis)}",
        POOLED,
        tuple(rows),
        f"Slope of log {analysis.target} on the log of the metric per frame after two-way centring (network and "
        "framework). 95 % by leaving out one network at a time and centring anew, t(N - 1). "
        "p family-wise: max-T, whole networks shuffled jointly over frameworks and metrics (Freedman-Lane). q: that p "
        "as one of the strata of the whole report, which share half of the level; from 7 networks on. Significant (*): "
        "q and p family-wise below 0.05, the interval excludes 0, and both hold without any one network. Over blocks "
        "the signs of parents change instead, and q is of p between parents.",
    )


def _other(analysis: Analysis) -> str:
    """The target in a title, where it is not FPS."""
    return "" if analysis.target == "FPS" else f" ({analysis.target})"


def groups_table(analysis: Analysis) -> Table:
    """Metrics that are not separable, as groups."""
    several = [(i, names) for i, names in enumerate(analysis.groups) if len(names) > 1]
    rows = tuple((str(i + 1), str(len(names)), ", ".join(names)) for i, names in several)
    return Table(
        f"Metrics that are not separable{_other(analysis)}",
        ("group", "metrics", "which"),
        rows,
        "Average linkage on 1 - |r| of what is left controlling for size, cut at |r| = .7. What is said of one may be "
        "due to another.",
    )


def influence_table(analysis: Analysis) -> Table:
    """How many coefficients each network moves most, and the largest shift."""
    found: dict[str, list[tuple[float, Correlation]]] = {}
    for c in analysis.correlations:
        if c.leave_out is not None and c.partial.r is not None:
            left = c.leave_out
            shift = max(abs(left.low - c.partial.r), abs(left.high - c.partial.r))
            found.setdefault(left.network, []).append((shift, c))
    rows = []
    for name, moved in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        shift, worst = max(moved, key=lambda pair: pair[0])
        turned = sum(1 for _, c in moved if c.leave_out and c.leave_out.low < 0 < c.leave_out.high)
        r = f"r {coefficient(worst.partial.r)}"
        example = f"{worst.metric.label} in {worst.framework}: {r}, without it moved by {shift:.2f}"
        rows.append((name, str(len(moved)), str(turned), example))
    return Table(
        f"Influence of each network{_other(analysis)}",
        ("network", "moves most", "sign changes without it", "largest"),
        tuple(rows),
        "In how many coefficients r changes most where this network is left out, and in how many of them its sign "
        "changes.",
    )


def flips_table(analyses: Sequence[Analysis]) -> Table:
    """Metrics whose correlation with FPS has different signs in frameworks or strata."""
    return Table(
        "Signs that differ between frameworks or strata",
        ("metric", "positive in", "negative in"),
        tuple(sign_flips(analyses)),
        "Only where both 95 % intervals exclude 0.",
    )


def warnings(analysis: Analysis, framework: str, doubts: pd.Series) -> list[str]:
    """Cautions on one framework's correlations. `doubts`: code -> share of its runs that have it."""
    found = [c for c in analysis.correlations if c.framework == framework]
    lines = []
    for what, hit in (
        (
            "reliability below .8 (more rounds needed)",
            [c for c in found if c.reliability is not None and c.reliability < 0.8],
        ),
        (
            "the sign changes when one network is left out",
            [c for c in found if c.leave_out and c.leave_out.low < 0 < c.leave_out.high],
        ),
        ("SIMULATED, never pooled with counts of the machine", [c for c in found if c.metric.simulated]),
        ("counted in user mode only", [c for c in found if c.metric.user_only]),
        ("SCALED: events shared counters (multiplexed)", [c for c in found if "scaled" in c.metric.exactness]),
        (
            "SUSPECT: failed validation on this machine, saw a part of a run only, or contradicts another reading",
            [c for c in found if "suspect" in c.metric.exactness],
        ),
    ):
        if hit:
            lines.append(f"{what}: {_some([c.metric.label for c in hit])}.")
    often = [f"{code} ({share:.0%})" for code, share in doubts.items() if share >= 0.1]
    return lines + ([f"doubts in at least a tenth of its runs: {', '.join(often)}."] if often else [])


def extend(report: Report) -> Report:
    """The report with the statistics over all frameworks: sentences in the summary, tables before the factors."""
    everything = (*report.analyses, *report.energy)
    several = len({a.stratum for a in everything}) > 1
    sentences = [
        f"{a.stratum.title}: {s}" if several else s
        for a in everything
        if not a.refusal
        for s in (f"With {a.target}: {g}" if _other(a) else g for g in gates(a))
    ]
    more = [
        replace(t, title=f"{t.title} ({a.stratum.title})") if several else t
        for a in everything
        for t in (pooled_table(a), groups_table(a), influence_table(a))
        if t.rows
    ]
    more += [t for t in (flips_table(report.analyses),) if t.rows]
    shown = (speeds.TITLE, configurations.TITLE, configurations.EVERY)
    first = sum(t.title in shown or "Correlation with" in t.title for t in report.tables)
    tables = (*report.tables[:first], *more, *report.tables[first:])
    return replace(report, summary=(*report.summary, *sentences), tables=tables)
