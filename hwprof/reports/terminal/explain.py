"""Explanations as text for the terminal: the answer, its factors, the strongest evidence; the rest where it is asked
for. `document` is the same as plain data.
"""

from __future__ import annotations

import math
import shutil
import textwrap
from collections.abc import Sequence

from hwprof.analysis.answer.model import Answer
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.explain import verdicts
from hwprof.analysis.explain.explanation import Explanation, Intervention
from hwprof.analysis.explain.strength import strongest
from hwprof.analysis.explain.wording import ASSOCIATION, CAUSES, Summary, bounded, interval, name_of, reach
from hwprof.analysis.factors import clues as factors_clues
from hwprof.analysis.factors.identity import Factor
from hwprof.analysis.factors.ratio import Decomposition, Weight, excludes_one
from hwprof.analysis.units import ROUNDS, WITHIN
from hwprof.collectors.vocabulary import Name
from hwprof.printable import plural
from hwprof.reports.tables import answer_lines
from hwprof.reports.terminal import causes, explain_pairs
from hwprof.reports.terminal.explain_data import document, speeds
from hwprof.speed import Speed

__all__ = ["ORDER", "document", "effects", "pair_text", "speeds", "text"]
SHOWN = 0.01  # of the time: a smaller share of waiting is not worth a word
ORDER = ("parallelism", "clock", "ipc", "work")


def text(
    explanations: Sequence[Explanation],
    summary: Summary | None,
    width: int | None = None,
    answer: Answer | None = None,
    full: bool = False,
) -> str:
    """The answer, then of one pair its factors and the strongest evidence, of several the factors over networks and a
    line for each. `full`: everything that is known of every pair.
    """
    columns = width or max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
    blocks = ["\n".join(answer_lines(answer, columns)).rstrip()] if answer is not None else []
    if tested := causes.of_pairs(verdicts.of_pairs(explanations), columns):
        blocks.append("\n".join(tested))
    if full:
        blocks += [summary_text(summary, explanations)] if summary is not None else []
        blocks += [pair_text(e, columns) for e in explanations]
    elif len(explanations) == 1:
        blocks.append(short_text(explanations[0], columns, answer is None))
    else:
        blocks.append(explain_pairs.text(explanations, answer, columns))
        if reruns := _reruns(explanations, columns):
            blocks.append(reruns)
    return "\n\n".join(blocks)


def summary_text(s: Summary, explanations: Sequence[Explanation]) -> str:
    """Geometric means over networks."""
    a, b = explanations[0].a.label, explanations[0].b.label
    counts = f"{plural(s.networks, 'network')}, {plural(s.pairs, 'pair')}"
    lines = [f"{a} over {b}: {counts}; geometric means, 95 % intervals over networks"]
    lines += [f"  {bar(f)}  {name_of(f.name)}" for f in s.factors]
    lines.append(f"  {bar(s.whole)}  = {_whole(s.choice.estimator)}" + (f" ({s.choice.why})" if s.choice.why else ""))
    return "\n".join([*lines, *(f"  {note}" for note in s.notes)])


def _whole(by: Estimator) -> str:
    """What the ratio is of."""
    return "speed by CPU time per frame" if by is Estimator.CPU_TIME else by.value


def short_text(e: Explanation, columns: int, alone: bool = False) -> str:
    """One pair below its answer: what both have in common, factors, strongest evidence, reruns, notes.

    `alone`: no answer stands above it, so that the headline has to say it.
    """
    lines = textwrap.wrap(e.context, columns)
    said = [e.headline] if alone else e.additions
    lines += [line for sentence in said for line in textwrap.wrap(f"{sentence}.", columns)]
    lines += ["", *factor_lines(e, columns)]
    found = strongest(e)
    if found:
        lines += ["", f"  Strongest evidence ({ASSOCIATION})"]
        for one in found:
            texts = "; ".join(clue.text for clue in one.clues)
            lines += _wrap(f"on {name_of(one.factor)}: {texts}", columns, "    - ")
    for done in e.interventions:
        lines += ["", *intervention(done, e, columns)]
    lines += _notes(e, columns)
    hidden = len(e.clues) - sum(len(one.clues) for one in found)
    if hidden:
        lines += ["", f"  {plural(hidden, 'more observation')}, and the speed of both sides: --full"]
    return "\n".join(lines)


def pair_text(e: Explanation, columns: int = 100) -> str:
    """One pair with everything: headline, factors, the evidence on them, interventions, notes."""
    d = e.decomposition
    lines = [*textwrap.wrap(e.context, columns), *textwrap.wrap(f"{e.headline}.", columns), ""]
    lines += factor_lines(e, columns)
    lines += [
        line
        for side, members in zip((e.a, e.b), d.speeds, strict=True)
        for line in _wrap(f"{side.label}: {_speeds(members)}", columns, "  ")
    ]
    clues = sorted(e.clues, key=lambda c: ORDER.index(c.factor))
    for factor in dict.fromkeys(c.factor for c in clues):
        lines += ["", f"  Evidence on {name_of(factor)} ({ASSOCIATION})"]
        for clue in (c for c in clues if c.factor == factor):
            lines += _wrap(clue.text, columns, "    - ")
    for done in e.interventions:
        lines += ["", *intervention(done, e, columns)]
    return "\n".join([*lines, *_notes(e, columns)])


def factor_lines(e: Explanation, columns: int) -> list[str]:
    """The factors of one pair with their intervals and what the rounds show of each; what the intervals are made of."""
    d = e.decomposition
    lines = [f"  {e.a.label} over {e.b.label}; above 1: {e.a.label} is faster by it"]
    rows = [(f, f"{name_of(f.name)}{_values(f.name, e)}{shown(d, f)}") for f in d.factors]
    if len(d.factors) > 1 and d.throughput is not None:
        rows.append((d.throughput, "= throughput while counting"))
    rows += [(f, f"{name_of(f.name)}{shown(d, f)}") for f in (d.observer, d.tail) if f is not None]
    rows.append((d.whole, f"= {_whole(d.choice.estimator)}"))
    for factor, words in rows:
        lines += bar_lines(factor, words, columns)
    return lines + _wrap(how(d) + (f". Not separable: {d.merged}" if d.merged else "") + ".", columns, "  ")


def _notes(e: Explanation, columns: int) -> list[str]:
    lines = ["", "  Notes"] if e.notes else []
    for note in e.notes:
        lines += _wrap(note, columns, "    - ")
    return lines


def how(d: Decomposition) -> str:
    """What the intervals are made of."""
    if min(d.units) < 2:
        text = "No intervals"
    else:
        by = "paired t" if d.paired else "Welch's t"
        text = f"95 % intervals (of all factors together) by {by} over {d.over}, {d.units[0]} and {d.units[1]}"
        text += f", {WITHIN}" if d.over == ROUNDS else ""
    return text + ("; measured side by side" if d.sets else "; not measured side by side")


def shown(d: Decomposition, factor: Factor) -> str:
    """What the rounds show of a factor; "" without an interval, and where nothing varies or it is the whole ratio."""
    part = d.parts[factor.name]
    hidden = part.weight is Weight.HIDDEN
    if part.least is None or len(d.terms) < 2 or (hidden and part.least <= 1):
        return ""
    below = f" below {reach(part.least)}" if hidden else ""
    return f": {part.weight}{below}"


def _reruns(explanations: Sequence[Explanation], columns: int) -> str:
    """The effects of reruns of several pairs: the only text that names a cause."""
    lines = []
    for e in explanations:
        for done in e.interventions:
            for sentence in effects(done):
                lines += _wrap(f"{e.a.evidence.case.network}: {sentence}", columns, "  - ")
    return "\n".join([f"Reruns with {_changed(explanations)} changed", *lines]) if lines else ""


def _changed(explanations: Sequence[Explanation]) -> str:
    return ", ".join(dict.fromkeys(CAUSES[done.kind] for e in explanations for done in e.interventions))


def intervention(done: Intervention, e: Explanation, columns: int) -> list[str]:
    """The result of a rerun: the only text that names a cause."""
    lines = [f"  Rerun with {CAUSES[done.kind]} changed"]
    for sentence in effects(done):
        lines += _wrap(sentence, columns, "    - ")
    lines.append(f"    {e.a.label} over {e.b.label} as a product with it:")
    for factor in done.chain:
        lines += bar_lines(factor, name_of(factor.name), columns, "    ")
    lines += bar_lines(done.before.whole, f"= {_whole(done.before.choice.estimator)}", columns, "    ")
    if done.rerun.merged:
        lines += _wrap(f"Not separable: {done.rerun.merged}.", columns, "    ")
    return lines


def effects(done: Intervention) -> list[str]:
    """The effect of a rerun on each side, a sentence each."""
    sentences = []
    estimator = done.before.choice.estimator
    by = "" if estimator is Estimator.FPS else f" by {estimator}"
    for effect in done.effects:
        if excludes_one(effect.speed):
            verb = f"{effect.label} {bounded(effect.speed)} as fast{by}"
        else:
            verb = f"no difference to {effect.label} that these rounds can show{by}: {bounded(effect.speed)}"
        text = f"{_cause(done.kind)} {verb}"
        if effect.cpu is not None and estimator is not Estimator.CPU_TIME:
            text += f", at {bounded(effect.cpu)} the CPU time per frame"
        sentences.append(text + f" (against {effect.change}" + (f"; {effect.limit}" if effect.limit else "") + ")")
    return sentences


def _cause(kind: str) -> str:
    return {
        "spin": "Spin-waiting makes",
        "affinity": "Where it runs makes",
        "simd": "Vectors wider than the cap make",
        "graph": "Graph optimisation makes",
        "pages": "Small pages make",
        "allocator": "Giving memory back makes",
    }[kind]


def bar(f: Factor) -> str:
    """`1.320x  [1.28, 1.36]` in columns, with a small bar of the logarithm."""
    cells = round(8 * min(1.0, abs(math.log2(f.ratio)) / 2))
    left = ("<" * cells).rjust(8) if f.ratio < 1 else " " * 8
    right = (">" * cells).ljust(8) if f.ratio >= 1 else " " * 8
    return f"{f.ratio:.3f}x".ljust(8) + f"{interval(f).strip():<15} {left}|{right}"


def bar_lines(f: Factor, words: str, columns: int, indent: str = "  ") -> list[str]:
    """A factor with its bar and its name, which goes on below itself where the line is too short for it."""
    start = f"{indent}{bar(f)}  "
    first, *rest = textwrap.wrap(words, max(24, columns - len(start)))
    return [start + first, *(" " * len(start) + part for part in rest)]


def _values(name: str, e: Explanation) -> str:
    """The factor itself on both sides, where it has a unit."""
    if name == "parallelism":
        found = [factors_clues.cpus_used(s.evidence) for s in (e.a, e.b)]
        form = "{:.2f}"
    elif name.endswith("ipc x work") and name.startswith("clock"):
        found = [None if (t := factors_clues.cpu_per_frame(s.evidence)) is None else 1e3 * t for s in (e.a, e.b)]
        form = "{:.3g} ms"
    elif name == "work":
        found = [
            None if (q := s.evidence.best(Name.INSTRUCTIONS, False)) is None else q.value / 1e6 for s in (e.a, e.b)
        ]
        form = "{:.4g} M"
    else:
        return ""
    return f" ({form.format(found[0])} against {form.format(found[1])})" if None not in found else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _speeds(members: Sequence[tuple[int, Speed]]) -> str:
    """FPS, throughput and CPU time of one side: geometric means over rounds, with what disturbed it."""
    found = speeds(members)
    parts = [f"FPS {_number(found['fps'])}"] if found["fps"] else []
    parts += [f"throughput {_number(found['throughput'])} frames/s"] if found["throughput"] else []
    parts += [f"CPU time {found['cpu_ms']:.4g} ms per frame"] if found["cpu_ms"] else []
    for name, words in (("waiting", "in the run queue"), ("stolen", "stolen by the hypervisor")):
        share = found[name]
        parts += [f"{100 * share:.0f} % of the time {words}"] if share is not None and share >= SHOWN else []
    return ", ".join(parts)


def _wrap(text: str, columns: int, indent: str) -> list[str]:
    return textwrap.wrap(text, columns, initial_indent=indent, subsequent_indent=" " * len(indent))
