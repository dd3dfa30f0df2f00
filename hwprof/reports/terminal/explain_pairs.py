"""Several pairs in short: the factors over all networks, then one line for each pair."""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter
from collections.abc import Sequence

from hwprof.analysis.answer.aggregate import NETWORKS
from hwprof.analysis.answer.model import Answer, PairAnswer
from hwprof.analysis.answer.wording import share, times
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.explain.explanation import Explanation
from hwprof.analysis.explain.strength import strongest
from hwprof.analysis.explain.wording import ASSOCIATION, bounded, cause_of, name_of, named_factors, phrase
from hwprof.analysis.factors.ratio import Decomposition, Weight
from hwprof.printable import plural
from hwprof.records.agreement import mark, worst

MOST = 2  # kinds of evidence shown
SEPARATOR = " · "  # of the parts of a context


def text(explanations: Sequence[Explanation], answer: Answer | None, columns: int) -> str:
    """The factors of every two over their networks, what all pairs have in common, and a line for each pair."""
    blocks = [] if answer is None else [factors_of(p, columns) for p in answer.pairs if p.factors]
    blocks.append(table(explanations, columns))
    blocks += [found] if (found := evidence(explanations, columns)) else []
    blocks.append("Every pair with its factors and evidence: --full")
    return "\n\n".join(blocks)


def factors_of(p: PairAnswer, columns: int) -> str:
    """The factors of one answer with what is shown of each, below the ratio that they belong to."""
    whole = p.beside or p.ratio
    where = f" on {p.where}" if p.where else ""
    head = f"{p.fast} over {p.slow}{where}, {plural(p.factored, 'network')}: {times(whole)} by {p.choice.estimator}"
    what = "geometric means over networks" if p.over == NETWORKS else f"over {p.over}"
    lines = textwrap.wrap(f"{head}; {what}, 95 % intervals that hold together", columns, subsequent_indent="  ")
    for one in p.factors:
        lines += textwrap.wrap(f"{share(one)}: {one.weight}", columns, initial_indent="  ", subsequent_indent="    ")
    if p.merged:
        lines += textwrap.wrap(f"Not separable: {p.merged}.", columns, initial_indent="  ", subsequent_indent="  ")
    return "\n".join(lines)


def table(explanations: Sequence[Explanation], columns: int) -> str:
    """A line for each pair, the largest ratio first; of A over B where all are of the same two."""
    parts = [e.context.split(SEPARATOR) for e in explanations]
    common = [part for part in parts[0] if all(part in own for own in parts)]
    names = _names(explanations, common)
    labels = {(e.a.label, e.b.label) for e in explanations}
    estimators = dict.fromkeys(e.decomposition.choice.estimator for e in explanations)
    rows = []
    for name, e in zip(names, explanations, strict=True):
        both = f"{e.a.label} / {e.b.label}" if len(labels) > 1 else ""
        rows.append(
            (e.decomposition.whole.ratio, (both, name, bounded(e.decomposition.whole), _found(e, len(estimators) > 1)))
        )
    rows.sort(key=lambda row: (row[1][0], -row[0]))
    of = "ratio of A / B" if len(labels) > 1 else f"ratio of {explanations[0].a.label} to {explanations[0].b.label}"
    by = f" by {next(iter(estimators))}" if len(estimators) == 1 else ""
    head = f"{plural(len(rows), 'pair')}, {of}{by}, 95 % intervals"
    lines = textwrap.wrap(head + (f"; all: {SEPARATOR.join(common)}" if common else ""), columns)
    widths = [max(len(cells[i]) for _, cells in rows) for i in range(3)]
    for _, cells in rows:
        start = "  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=False) if w)
        first, *rest = textwrap.wrap(cells[3], max(20, columns - len(start) - 4)) or [""]
        lines.append(f"  {start}  {first}".rstrip())
        lines += [" " * (len(start) + 4) + one for one in rest]
    return "\n".join(lines)


def _names(explanations: Sequence[Explanation], common: Sequence[str]) -> list[str]:
    """As many of the parts that differ as distinguish the pairs: the network alone where that is enough."""
    parts = [[part for part in e.context.split(SEPARATOR) if part not in common] for e in explanations]
    for count in range(1, max(map(len, parts), default=0) + 1):
        names = [" ".join(own[:count]) for own in parts]
        if len({(n, e.a.label, e.b.label) for n, e in zip(names, explanations, strict=True)}) == len(names):
            return names
    return [" ".join(own) for own in parts]


def _found(e: Explanation, several: bool) -> str:
    """What the rounds show of one pair, in a few words, with what weakens it. `several`: the estimators differ."""
    d = e.decomposition
    words = [_verdict(e, d)]
    outputs = mark(worst((e.a.evidence.fidelity, e.b.evidence.fidelity)))
    words += ["EMULATED"] if e.a.evidence.emulated or e.b.evidence.emulated else []
    words += [outputs] if outputs else []
    if several and d.choice.estimator is not Estimator.FPS:
        words.append(f"by {d.choice.estimator}")
    return ", ".join(words)


def _verdict(e: Explanation, d: Decomposition) -> str:
    if d.conflict:
        return "not ranked: slices and bare stretches contradict each other"
    if d.whole.low is None:
        return "one round, no interval"
    if not d.decided:
        return "not distinguishable"
    if cause := cause_of(d, e.interventions):
        return cause
    named = named_factors(d)
    if not named:
        return "no factor is distinguishable"
    first = max(named, key=lambda f: (d.parts[f.name].weight is Weight.MAINLY, abs(math.log(f.ratio))))
    # what is merged is said once above the table
    return f"{d.parts[first.name].weight} {re.sub(r' [(].*?[)]', '', phrase(first, True))}"


def evidence(explanations: Sequence[Explanation], columns: int) -> str:
    """The kinds of evidence that are among the strongest of most pairs, as the pair with the widest ratio has them."""
    found = [(e, strongest(e)) for e in explanations]
    counts = Counter((one.factor, one.code) for _, own in found for one in own)
    if not counts:
        return ""
    found.sort(key=lambda item: -abs(math.log(item[0].decomposition.whole.ratio)))
    lines = [f"Strongest evidence ({ASSOCIATION})"]
    for (factor, code), count in counts.most_common(MOST):
        e, one = next((e, o) for e, own in found for o in own if (o.factor, o.code) == (factor, code))
        said = "; ".join(clue.text for clue in one.clues)
        where = f"{e.a.evidence.case.network}; among the strongest of {count} of {plural(len(found), 'pair')}"
        lines += textwrap.wrap(
            f"- on {name_of(factor)}: {said} ({where})", columns, initial_indent="  ", subsequent_indent="    "
        )
    return "\n".join(lines)
