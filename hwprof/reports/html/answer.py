"""The first screen of the page: the answer, four numbers, one chart, how far to trust it, and what to do next.

All of it is read off the `Answer`; nothing is worked out here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hwprof import __version__
from hwprof.analysis.answer import wording
from hwprof.analysis.answer.model import Answer, PairAnswer, Ranking
from hwprof.analysis.correlation.findings import Analysis, count_significant
from hwprof.analysis.correlation.strata import NETWORK, UNSTATED, thread_title
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.factors.identity import WORK, Factor
from hwprof.analysis.factors.ratio import Weight
from hwprof.machine import facts
from hwprof.printable import plural
from hwprof.records import Origin, Run
from hwprof.reports.html.gather import Material
from hwprof.reports.html.model import Figure, FirstScreen, Tile
from hwprof.reports.html.svg import LETTER, Svg, axis
from hwprof.store.columns import version_of

MOST = 10  # networks in the chart: the rest is in the table
SHORT = {Estimator.CPU_TIME: "speed by CPU time"}
MEASURES = {
    "energy": "hwprof doctor",
    "top-down": "hwprof run -e topdown",
    "roofline": "hwprof roofline --measure",
    "layers": "hwprof layers",
}


def first_screen(material: Material) -> FirstScreen:
    """The first screen of the page."""
    answer = material.report.answer or Answer("No answer was asked for")
    trust = answer.trust
    if trust is None:
        level, reasons, bounds = "", "", ""
    else:
        level = trust.level.value
        reasons = "; ".join(r.text for r in trust.reasons) or "no rule lowers it"
        bounds = " ".join(
            f"{name}: {'; '.join(texts)}."
            for name, texts in (("Safe", trust.safe), ("Not safe", trust.unsafe))
            if texts
        )
    return FirstScreen(
        _machine(material),
        _made(material),
        answer.verdict,
        answer.detail,
        (answer.why[0][:1].upper() + answer.why[0][1:], *answer.why[1:]) if answer.main and answer.why else answer.why,
        "Why" if answer.main is not None and not answer.main.emulated else "",
        _tiles(material, answer),
        _chart(answer),
        level,
        f"{reasons[:1].upper()}{reasons[1:]}." if reasons else "",
        bounds,
        answer.commands,
        _missing(material),
    )


def _machine(material: Material) -> tuple[str, str]:
    """The machine, and in what state and with what it was measured; several are named one after another."""
    good = [r for r in material.runs if r.failure is None] or list(material.runs)
    if not good:
        return "No run", ""
    labels = list(dict.fromkeys(facts.description(r.machine) for r in good))
    last = good[-1]
    kernels = dict.fromkeys(str(r.host_state["kernel"]) for r in good if r.host_state.get("kernel"))
    versions = dict.fromkeys(version_of(r.software) or r.case.framework for r in good)
    cases = [r.case for r in good]
    parts = [
        f"kernel {', '.join(kernels)}" if kernels else "",
        _some(list(versions)),
        "virtual machine" if last.host_state.get("virtualisation") else "",
        _some(sorted({thread_title(c.threads or UNSTATED) for c in cases})),
        _some(sorted({c.precision for c in cases})),
    ]
    return _some(labels), " · ".join(part for part in parts if part)


def _some(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _made(material: Material) -> str:
    runs: Sequence[Run] = material.runs
    days = sorted(r.started_utc[:16].replace("T", " ") for r in runs if r.started_utc)
    when = f" · {days[-1]} UTC" if days else ""
    which = " ".join(material.report.scope).replace("`", "") or plural(len(runs), "run")
    return f"hwprof {__version__}{when} · {material.source}: {which}"


def _tiles(material: Material, answer: Answer) -> tuple[Tile, ...]:
    """Four numbers: ratio, work, the largest other factor, correlations; else of a ranking, or how much there is."""
    if answer.main is not None and not answer.main.emulated:
        pair = answer.main
        what = f"{SHORT.get(pair.choice.estimator, pair.choice.estimator.value)}, {pair.fast} / {pair.slow}"
        found = [Tile(f"{pair.ratio.ratio:.2f}x", what), _work(pair), *_other(pair)]
    elif answer.rankings:
        places = answer.rankings[0].places
        found = [Tile("1x", places[0].name)]
        found += [
            Tile("-" if p.ratio is None else f"{p.ratio.ratio:.2f}x", f"{p.name}, of {places[0].name}")
            for p in places[1:3]
        ]
    else:
        fps = material.report.fps
        networks = int(fps[NETWORK].nunique()) if len(fps) else 0
        found = [
            Tile(str(networks), "networks" if networks != 1 else "network"),
            Tile(str(len(fps)), "cases with a speed"),
            Tile(str(len(material.runs)), "runs"),
        ]
    return (*found[:3], correlation_tile([*material.report.analyses]))


def _work(pair: PairAnswer) -> Tile:
    counted = next((s for s in pair.factors if s.factor.name == WORK), None)
    words = f"instructions per frame, {pair.slow} / {pair.fast}"
    if counted is not None:
        return Tile(f"{counted.factor.ratio:.2f}x", words)
    if pair.work is not None:
        return Tile(f"{pair.work.factor.ratio:.2f}x", words, pair.work.origin.name)
    return Tile("-", f"{words}: not counted")


def _other(pair: PairAnswer) -> list[Tile]:
    """The factor with the largest share beside instructions per frame, with what is shown of it."""
    rest = [s for s in pair.factors if s.factor.name != WORK]
    if not rest:
        return []
    first = max(rest, key=lambda s: abs(math.log(s.factor.ratio)))
    shown = "" if first.weight is not Weight.HIDDEN else ": not distinguishable from 1"
    return [Tile(f"{first.factor.ratio:.2f}x", f"{wording.name_of(first.factor.name)}{shown}")]


def correlation_tile(analyses: Sequence[Analysis]) -> Tile:
    """How many metrics are significant beyond the size of the network, and where instructions at equal MACs are."""
    found, tested = count_significant(analyses)
    if not tested:
        return Tile("-", "metrics that correlate with speed beyond network size: none could be tested")
    target = next(c.target for a in analyses for c in a.correlations if c.q is not None)
    words = f"metrics correlate with {target} beyond network size (significant, q < 0.05)"
    work = sorted({c.framework for a in analyses for c in a.work if c.is_found})
    if work:
        words += f"; instructions do at equal MACs in {', '.join(work)}"
    return Tile(f"{found} of {tested}", words)


def _missing(material: Material) -> tuple[tuple[str, str], ...]:
    """What was not measured, with the command for it."""
    if not len(material.report.fps):
        return ()
    keys = {
        "energy": not material.report.energy_why and bool(material.report.energy),
        "top-down": material.has_slots,
        "roofline": bool(material.placements),
        "layers": bool(material.layers),
    }
    return tuple((name, MEASURES[name]) for name, there in keys.items() if not there)


def _chart(answer: Answer) -> Figure | None:
    if answer.main is not None and not answer.main.emulated:
        return _networks(answer.main)
    return _ranking(answer.rankings[0]) if len(answer.rankings) == 1 else None


def _bar(draw: Svg, ends: tuple[float, float], y: float, height: float, class_: str, title: str) -> None:
    low, high = sorted(ends)
    draw.add("rect", title=title, x=low, y=y, width=max(1.5, high - low), height=height, class_=class_)


def _networks(pair: PairAnswer) -> Figure:
    """Both ratios of each network: of speed, and of instructions per frame."""
    by = SHORT.get(pair.choice.estimator, pair.choice.estimator.value)
    shown = pair.networks[:MOST]
    names = [n.network if len(n.network) <= 22 else f"{n.network[:21]}…" for n in shown]
    left = 16 + LETTER * max(map(len, names))
    width = 470.0
    draw = Svg(width, 0, f"{by} and instructions per frame, {pair.fast} against {pair.slow}")
    values = [1.0, *(n.ratio.ratio for n in shown), *(n.work for n in shown if n.work)]
    x = axis(values, left, width - 54, log=True)
    step, top = (26.0 if len(shown) > 1 else 40.0), 6.0
    bottom = top + step * len(shown)
    draw.x_axis(x, bottom, top, "ratio (log); above 1: " + f"{pair.fast} is faster, executes fewer", 5)
    draw.line(x.at(1), top, x.at(1), bottom, "zero")
    for index, (n, name) in enumerate(zip(shown, names, strict=True)):
        y = top + step * index
        draw.text(left - 8, y + 15, name, "t", "end")
        ratio = f"{n.network}: {by} {wording.times(n.ratio)}"
        _bar(draw, (x.at(1), x.at(n.ratio.ratio)), y + 3, 9, "solid s0", ratio)
        draw.text(max(x.at(n.ratio.ratio), x.at(1)) + 5, y + 11, f"{n.ratio.ratio:.2f}x", "t strong")
        if n.work is None:
            draw.text(x.at(1) + 5, y + 22, "instructions not counted", "m")
        else:
            origin = "" if n.work_origin is None else n.work_origin.name
            kind = "solid s1" if n.work_origin is Origin.HARDWARE else "hollow s1"
            _bar(draw, (x.at(1), x.at(n.work)), y + 13.5, 6, kind, f"{n.network}: work {n.work:.2f}x {origin}")
    draw.height = bottom + 34
    rows = tuple(
        (
            n.network,
            n.ratio.ratio,
            n.ratio.low,
            n.ratio.high,
            n.work,
            None if n.work_origin is None else n.work_origin.value,
        )
        for n in pair.networks
    )
    simulated = any(n.work_origin not in (None, Origin.HARDWARE) for n in shown)
    note = f"Blue: ratio of {by}. Orange: ratio of instructions per frame"
    note += ", hollow where SIMULATED, so that the two bars are no parts of one product." if simulated else "."
    rest = len(pair.networks) - len(shown)
    note += f" {plural(rest, 'network', 'networks')} with smaller ratios in the data." if rest else ""
    header = ("network", "ratio", "low", "high", "work", "origin of work")
    return Figure("answer", f"{by[:1].upper()}{by[1:]} and work per network", draw.render(), header, rows, note)


def _ranking(ranking: Ranking) -> Figure:
    """Each framework's speed of the fastest one's, with its interval."""
    first = ranking.places[0]
    left = 16 + LETTER * max(len(p.name) for p in ranking.places)
    draw = Svg(470, 0, f"speed of each framework of that of {first.name}")
    factors = [p.ratio or Factor(p.name, 1.0, None, None) for p in ranking.places]
    x = axis([1.0, *(f.ratio for f in factors)], left, 416, zero=True)
    top, step = 6.0, 24.0
    bottom = top + step * len(factors)
    draw.x_axis(x, bottom, top, f"× the speed of {first.name}", 5)
    draw.line(x.at(1), top, x.at(1), bottom, "zero")
    for index, (place, f) in enumerate(zip(ranking.places, factors, strict=True)):
        y = top + step * index
        draw.text(left - 8, y + 15, place.name, "t", "end")
        _bar(draw, (x.at(0), x.at(f.ratio)), y + 5, 12, "solid s0", f"{place.name} {wording.times(f)}")
        end = x.at(f.ratio)
        if f.low is not None and f.high is not None:
            low, high = (x.at(min(max(v, x.low), x.high)) for v in (f.low, f.high))
            draw.line(low, y + 11, high, y + 11, "whisker")
            end = max(end, high)
        draw.text(end + 5, y + 15, f"{f.ratio:.2f}x", "t strong")
    draw.height = bottom + 34
    rows = tuple((p.name, f.ratio, f.low, f.high, p.tied) for p, f in zip(ranking.places, factors, strict=True))
    header = ("framework", "ratio", "low", "high", "tied with the one before")
    return Figure("answer", "Speed against the fastest framework", draw.render(), header, rows)
