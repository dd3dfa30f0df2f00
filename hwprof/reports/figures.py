"""Figures of a report: which there are, and what each shows. plots.py draws them, drawing.py in several processes."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hwprof.analysis.findings import Analysis, Correlation
from hwprof.analysis.partial import MIN_TESTED
from hwprof.analysis.strata import NETWORK, VARIANT
from hwprof.reports import places
from hwprof.reports.jobs import Added, Coefficient, Job, Speed

SCATTERS = 4
MOST = 25  # metrics in a heat map: more can't be read, and the CSV beside it has all


def jobs(fps: pd.DataFrame, analyses: Sequence[Analysis]) -> list[Job]:
    """Every figure that the results allow, in reading order."""
    out: list[Job] = []
    several = places.fullest(fps) if len(fps) else []
    for number, (where, part) in enumerate(several, 1):
        suffix, where = "" if len(several) == 1 else f"-{number}", f" ({where})" if where else ""
        where += " EMULATED" if part["emulated"].any() else ""
        data, shown = _csv(fps), speeds(part)
        work = 14 * part["batch"].nunique() * part[VARIANT].nunique() + 5 * part[NETWORK].nunique()
        out.append(Job(f"FPS per network and framework{where}", f"fps{suffix}", "dots", shown, data, work))
        known = [s for s in shown if s.macs == s.macs]
        networks = len({s.network for s in known})
        if networks > 1:
            caption = f"FPS against the size of the network{where}"
            out.append(Job(caption, f"fps-macs{suffix}", "against_macs", known, data, 140 + 3 * networks))
    for analysis in analyses:
        alike = [a for a in analyses if a.target == analysis.target]
        suffix = "" if len(alike) == 1 else f"-{next(i for i, a in enumerate(alike) if a is analysis) + 1}"
        where = "" if len(alike) == 1 else f" ({analysis.stratum.title})"
        of = "" if analysis.target == "FPS" else f" with {analysis.target}"
        suffix += "" if analysis.target == "FPS" else f"-{analysis.target.replace(' ', '-')}"
        table = coefficients(analysis)
        if len(table):
            cells = heat(most(table))
            more = "" if len(cells) == len(table) else f", the {MOST} metrics with the largest |r|"
            caption = f"Correlation with {analysis.target}, given the size of the network{where}{more}"
            out.append(Job(caption, f"correlations{suffix}", "heat_map", cells, _csv(table), 2 * len(cells)))
        chosen = strongest(analysis)
        if chosen:
            points = pd.concat([_points(c) for c in chosen])
            caption = f"Behind the strongest coefficients{of}{where}"
            added = [_added(c) for c in chosen]
            out.append(Job(caption, f"scatters{suffix}", "scatters", added, _csv(points), 5 * len(points)))
    return out


def _csv(table: pd.DataFrame) -> str:
    return str(table.to_csv(index=False))


def speeds(part: pd.DataFrame) -> list[Speed]:
    """Rows of the table of speeds (content.speeds) for `dots` and `against_macs`."""
    kinds = {NETWORK: str, VARIANT: str, "batch": int, **dict.fromkeys(("fps", "low", "high", "macs"), float)}
    columns = [part[name].astype(kind).tolist() for name, kind in kinds.items()]
    solid = (part["faithful"].astype(bool) & ~part["emulated"].astype(bool)).tolist()
    return [Speed(*row) for row in zip(*columns, solid, strict=True)]


def coefficients(analysis: Analysis) -> pd.DataFrame:
    """One row per metric and framework: r, low, high, n, status, why; metrics that vary only."""
    shown = {c.metric.name for c in analysis.correlations if c.given.r is not None}
    return pd.DataFrame(
        [
            {
                "framework": c.framework,
                "metric": c.metric.label,
                "r": c.given.r,
                "low": c.given.low,
                "high": c.given.high,
                "n": c.given.n,
                "status": c.status,
                "why": c.given.why,
            }
            for c in analysis.correlations
            if c.metric.name in shown
        ]
    )


def most(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the MOST metrics with the largest |r| in any framework."""
    strength = table["r"].astype(float).abs().groupby(table["metric"]).max()
    kept = strength.sort_values(ascending=False, kind="stable").index[:MOST]
    return table[table["metric"].isin(kept)]


def heat(table: pd.DataFrame) -> list[Coefficient]:
    """Rows of `coefficients` as cells of the heat map."""
    r, low, high = (table[c].astype(float) for c in ("r", "low", "high"))
    sure = ((low > 0) | (high < 0)) & (table["n"] >= MIN_TESTED)
    rows = zip(table["metric"], table["framework"], r, table["n"], sure, strict=True)
    return [Coefficient(str(m), str(f), None if v != v else v, int(n), bool(s)) for m, f, v, n, s in rows]


def strongest(analysis: Analysis) -> list[Correlation]:
    """The few with points to show, lowest q first; one per group of metrics that can't be told apart."""
    found = [c for c in analysis.correlations if c.points is not None]
    found.sort(key=lambda c: (c.q if c.q is not None else 2.0, -abs(c.given.r or 0.0), c.metric.name))
    chosen: list[Correlation] = []
    for c in found:
        if len(chosen) == SCATTERS:
            break
        if all((c.framework, c.group) != (o.framework, o.group) or c.group < 0 for o in chosen):
            chosen.append(c)
    return chosen


def _points(c: Correlation) -> pd.DataFrame:
    assert c.points is not None
    return pd.DataFrame(
        {
            "framework": c.framework,
            "metric": c.metric.label,
            "network": c.points.networks,
            "log_metric": c.points.x,
            f"log_{_column(c)}": c.points.y,
            "metric_given": c.points.rx,
            f"{_column(c)}_given": c.points.ry,
        }
    )


def _column(c: Correlation) -> str:
    return c.target.lower().replace(" ", "_")


def _added(c: Correlation) -> Added:
    assert c.points is not None
    title = f"{c.framework}: {c.metric.label}\nr {c.given.r:+.2f}, N {c.given.n}, {c.status}"
    x, y = (tuple(float(v) for v in values) for values in (c.points.rx, c.points.ry))
    return Added(title, c.target, tuple(c.points.networks), x, y, c.given.slope)
