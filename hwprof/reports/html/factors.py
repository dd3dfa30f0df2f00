"""The ratio of two frameworks as a product of factors: which pairs, their waterfalls, and the table of all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwprof import machine
from hwprof.analysis import decomposition
from hwprof.analysis.decomposition import Factor, Identity
from hwprof.records import Run
from hwprof.reports.content import Table
from hwprof.reports.html.model import Figure
from hwprof.reports.html.svg import LETTER, Drawing, axis

MOST = 6  # waterfalls: one per pair of frameworks, the widest apart first
NOTE = (
    "A factor above 1 speeds the first one up; the factors multiply to the FPS ratio. Means of logarithms over rounds, "
    "95 % intervals by Welch between rounds (none: one round). Causal words would need an intervention: these "
    "are parts."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two frameworks on one case, the faster one first; the last factor is the ratio of FPS."""

    fast: str
    slow: str
    case: str
    factors: tuple[Factor, ...]
    merged: str
    emulated: bool = False

    @property
    def ratio(self) -> Factor:
        """FPS over FPS."""
        return self.factors[-1]


def pairs(
    runs: Sequence[Run],
    variants: Mapping[str, str],
    emulated: frozenset[str] = frozenset(),
    identities: Mapping[str, Identity] | None = None,
) -> list[Pair]:
    """Every pair of frameworks on every case that both have; `variants`: run uid -> name of the framework's variant.

    `emulated`: uids of runs on an emulator; such a pair says so. `identities`: factors of each run by uid, if known.
    """
    cases: dict[tuple[str, ...], dict[str, list[tuple[Run, Identity]]]] = {}
    known = decomposition.identities(runs) if identities is None else identities
    for run in runs:
        if run.uid not in variants or (found := known.get(run.uid)) is None:
            continue
        c = run.case
        place = f"{c.network} {c.size}px b{c.batch} t{c.threads} {c.precision}"
        key: tuple[str, ...] = (machine.machine_id(run.machine), place, ",".join(map(str, c.cpus)), c.recipe)
        cases.setdefault(key, {}).setdefault(variants[run.uid], []).append((run, found))
    out = []
    several = len({key[0] for key in cases}) > 1
    for key, measured in sorted(cases.items()):
        names = sorted(measured)
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                pair = _pair(a, b, measured, emulated)
                if pair is not None:
                    label = machine.label(measured[a][0][0].machine)
                    out.append(_named(pair, f"{key[1]} on {label}" if several else key[1]))
    return out


def _named(pair: Pair, case: str) -> Pair:
    return Pair(pair.fast, pair.slow, case, pair.factors, pair.merged, pair.emulated)


def _pair(
    a: str, b: str, measured: Mapping[str, Sequence[tuple[Run, Identity]]], emulated: frozenset[str]
) -> Pair | None:
    x, y = ([i for _, i in measured[name]] for name in (a, b))
    if {tuple(i.factors) for i in x} != {tuple(i.factors) for i in y} or len({tuple(i.factors) for i in x}) != 1:
        return None  # rounds that could count other things than others have other factors
    if math.log(x[0].fps) < math.log(y[0].fps):
        a, b, x, y = b, a, y, x
    marked = any(run.uid in emulated for name in (a, b) for run, _ in measured[name])
    return Pair(a, b, "", decomposition.ratio(x, y), x[0].merged, marked)


def shown(found: Sequence[Pair]) -> list[Pair]:
    """One per two frameworks, that with the largest ratio; the largest of these first."""
    widest: dict[frozenset[str], Pair] = {}
    for pair in found:
        key = frozenset((pair.fast, pair.slow))
        if key not in widest or abs(math.log(pair.ratio.ratio)) > abs(math.log(widest[key].ratio.ratio)):
            widest[key] = pair
    return sorted(widest.values(), key=lambda p: -abs(math.log(p.ratio.ratio)))[:MOST]


def says(factor: Factor) -> str:
    """x1.32 [1.20 ... 1.45]."""
    bounds = "" if factor.low is None or factor.high is None else f" [{factor.low:.2f} … {factor.high:.2f}]"
    return f"×{factor.ratio:.2f}{bounds}"


def waterfall(pair: Pair, key: str) -> Figure:
    """From the slower one's FPS to the faster one's, factor by factor, on a logarithmic axis."""
    *steps, whole = pair.factors
    left = 14 + LETTER * max(len(f.name) for f in pair.factors)
    draw = Drawing(left + 620, 0, f"{pair.fast} against {pair.slow}")
    reached, edges = 1.0, [1.0, whole.ratio]
    for f in steps:
        edges += [reached * v for v in (f.ratio, f.low, f.high) if v is not None]
        reached *= f.ratio
    # an interval of two rounds may span orders of magnitude: the bars stay legible, the words have it in full
    middle = [1.0, whole.ratio, *(math.prod(f.ratio for f in steps[: i + 1]) for i in range(len(steps)))]
    span = max(1.5, max(middle) / min(middle))
    edges = [v for v in edges if min(middle) / span <= v <= max(middle) * span]
    x = axis(edges, left, left + 420, log=True)
    top, high = 8.0, 26.0
    bottom = top + high * len(pair.factors)
    draw.x_axis(x, bottom, top, f"× the FPS of {pair.slow} (log)")
    draw.line(x.at(1), top, x.at(1), bottom, "zero")
    at = 1.0
    for index, f in enumerate(pair.factors):
        y, start = top + high * index, 1.0 if f is whole else at
        end = start * f.ratio
        a, b = sorted((x.at(start), x.at(end)))
        kind = "whole" if f is whole else "gain" if f.ratio >= 1 else "loss"
        draw.text(left - 8, y + 17, "FPS" if f is whole else f.name, "t strong" if f is whole else "t", "end")
        draw.add(
            "rect", title=f"{f.name} {says(f)}", x=a, y=y + 5, width=max(1.5, b - a), height=high - 10, class_=kind
        )
        if f.low is not None and f.high is not None:
            low, high_end = (min(max(start * v, x.low), x.high) for v in (f.low, f.high))
            draw.line(x.at(low), y + high / 2, x.at(high_end), y + high / 2, "whisker")
        draw.text(left + 430, y + 17, says(f), "t strong" if f is whole else "t")
        if f is not whole:
            draw.line(x.at(end), y + 5, x.at(end), y + high + 5, "link")
            at = end
    draw.height = bottom + 38
    rows = tuple((f.name, f.ratio, f.low, f.high) for f in pair.factors)
    mark = " · EMULATED" if pair.emulated else ""
    title = f"{pair.fast} is {says(whole)} as fast as {pair.slow}, in factors: {pair.case}{mark}"
    return Figure(key, title, draw.render(), ("factor", "ratio", "low", "high"), rows, pair.merged)


def table(found: Sequence[Pair]) -> Table:
    """Every pair on every case, in its factors."""
    names = list(dict.fromkeys(f.name for pair in found for f in pair.factors[:-1]))
    rows = []
    for pair in found:
        by_name = {f.name: f for f in pair.factors}
        cells = [says(by_name[n]) if n in by_name else "-" for n in names]
        mark = " EMULATED" if pair.emulated else ""
        rows.append((pair.fast, pair.slow, pair.case, says(pair.ratio) + mark, *cells))
    return Table("Every pair in its factors", ("faster", "slower", "case", "FPS", *names), tuple(rows), NOTE)
