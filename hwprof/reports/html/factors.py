"""The ratio of two frameworks as a product of factors: waterfalls, the evidence on them, the table of every pair.

Which factors there are, and what is said of them, is the business of hwprof.analysis.explain.every_pair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hwprof.analysis.estimator import Estimator
from hwprof.analysis.explain.every_pair import PairFactors
from hwprof.analysis.explain.explanation import Explanation
from hwprof.analysis.explain.wording import name_of
from hwprof.analysis.factors.identity import Factor
from hwprof.analysis.units import WITHIN
from hwprof.reports.html.model import Figure
from hwprof.reports.html.svg import LETTER, Svg, axis
from hwprof.reports.tables import Table
from hwprof.reports.terminal import explain

LATENCIES = {"observer": "measurement overhead", "tail": "tail latency"}
NOTE = (
    "A factor above 1 makes the first one faster. The factors multiply to the ratio of the speed. Measurement "
    "overhead: bare against counted windows, with their noise. Tail latency: mean against median. The speed is FPS. "
    "Where a run is disturbed it is by CPU time per frame (one thread) or throughput. Means of logarithms, 95 % "
    "intervals by the paired t over sets measured side by side, else by t over sessions, else by Welch's t over the "
    f"rounds {WITHIN} (none: one round). Those of the factors of a pair hold together. Factors that are not separable "
    "are one, with a name that says so. These are associations. Causes are shown by reruns alone (hwprof explain A B "
    "--test spin)."
)


def ratio_text(factor: Factor) -> str:
    """1.32x [1.20, 1.45]."""
    bounds = "" if factor.low is None or factor.high is None else f" [{factor.low:.2f}, {factor.high:.2f}]"
    return f"{factor.ratio:.2f}x{bounds}"


def short_name(name: str) -> str:
    """A factor's name in the pictures."""
    return LATENCIES.get(name, name.replace(" x ", " × "))


def speed_name(by: Estimator) -> str:
    """What the ratio is of, in the pictures."""
    return "speed by CPU time" if by is Estimator.CPU_TIME else by.value


def waterfall(pair: PairFactors, key: str, headline: str = "") -> Figure:
    """From the slower one's speed to the faster one's, factor by factor, on a logarithmic axis."""
    found, (fast, slow) = pair.decomposition, pair.names
    steps, whole, by = found.terms, found.whole, found.choice.estimator
    everything = (*steps, whole)
    left = 14 + 1.12 * LETTER * max(len(by.value) + 1, *(len(short_name(f.name)) for f in steps))
    draw = Svg(left + 620, 0, f"{fast} against {slow}")
    reached, edges = 1.0, [1.0, whole.ratio]
    for f in steps:
        edges += [reached * v for v in (f.ratio, f.low, f.high) if v is not None]
        reached *= f.ratio
    # an interval of two rounds may span orders of magnitude: the bar is cut, the text has it in full
    middle = [1.0, whole.ratio, *(math.prod(f.ratio for f in steps[: i + 1]) for i in range(len(steps)))]
    span = max(1.5, max(middle) / min(middle))
    edges = [v for v in edges if min(middle) / span <= v <= max(middle) * span]
    x = axis(edges, left, left + 420, log=True)
    top, high = 8.0, 26.0
    bottom = top + high * len(everything)
    draw.x_axis(x, bottom, top, f"times the {speed_name(by)} of {slow} (log)")
    draw.line(x.at(1), top, x.at(1), bottom, "zero")
    at = 1.0
    for index, f in enumerate(everything):
        y, start = top + high * index, 1.0 if f is whole else at
        end = start * f.ratio
        a, b = sorted((x.at(start), x.at(end)))
        kind = "whole" if f is whole else "gain" if f.ratio >= 1 else "loss"
        draw.text(
            left - 8, y + 17, by.value if f is whole else short_name(f.name), "t strong" if f is whole else "t", "end"
        )
        draw.add(
            "rect",
            title=f"{short_name(f.name)} {ratio_text(f)}",
            x=a,
            y=y + 5,
            width=max(1.5, b - a),
            height=high - 10,
            class_=kind,
        )
        if f.low is not None and f.high is not None:
            low, high_end = (min(max(start * v, x.low), x.high) for v in (f.low, f.high))
            draw.line(x.at(low), y + high / 2, x.at(high_end), y + high / 2, "whisker")
        draw.text(left + 430, y + 17, ratio_text(f), "t strong" if f is whole else "t")
        if f is not whole:
            draw.line(x.at(end), y + 5, x.at(end), y + high + 5, "link")
            at = end
    draw.height = bottom + 38
    rows = tuple((f.name, f.ratio, f.low, f.high) for f in everything)
    mark = "".join(f" · {word}" for word in pair.marks)
    how = "" if by is Estimator.FPS else f" by {by}"
    claim = f"{fast} is {ratio_text(whole)} as fast as {slow}{how}"
    if found.conflict:
        claim = f"{fast} and {slow} are not ranked{how}: slices and bare stretches contradict each other"
    title = f"{claim}, in factors: {pair.case}{mark}"
    merged = f"Not separable: {found.merged}." if found.merged else ""
    note = " ".join(part for part in (headline and f"{headline}.", merged) if part)
    return Figure(key, title, draw.render(), ("factor", "ratio", "low", "high"), rows, note)


def evidence_table(found: Sequence[tuple[PairFactors, Explanation]]) -> Table:
    """The evidence on the factors of the pairs that are drawn, their reruns, and notes."""
    rows = []
    for pair, explanation in found:
        names = (*pair.names, pair.case)
        clues = sorted(explanation.clues, key=lambda c: explain.ORDER.index(c.factor))
        rows += [(*names, name_of(c.factor), c.text) for c in clues]
        rows += [(*names, f"rerun: {i.kind}", text) for i in explanation.interventions for text in explain.effects(i)]
        rows += [(*names, "note", note) for note in explanation.notes]
    title = "Evidence on the factors"
    note = "Associations, not causes. A rerun changed one thing and shows its effect."
    return Table(title, ("faster", "slower", "case", "factor", "evidence"), tuple(rows), note)


def table(found: Sequence[PairFactors]) -> Table:
    """Every pair on every case, in its factors."""
    names = list(dict.fromkeys(f.name for pair in found for f in pair.decomposition.terms))
    rows = []
    for pair in found:
        decomposition = pair.decomposition
        by_name = {f.name: f for f in decomposition.terms}
        cells = [ratio_text(by_name[n]) if n in by_name else "-" for n in names]
        mark = "".join(f" {word}" for word in pair.marks)
        ratio = ratio_text(decomposition.whole) + (" not ranked" if decomposition.conflict else "") + mark
        rows.append((*pair.names, pair.case, ratio, decomposition.choice.estimator.value, *cells))
    header = ("faster", "slower", "case", "speed", "by", *(short_name(n) for n in names))
    return Table("Every pair in its factors", header, tuple(rows), NOTE)
