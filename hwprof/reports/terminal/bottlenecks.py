"""What bounds cases: one case in detail, several as a table with what holds for all of them said once; and as JSON."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

from hwprof.analysis.bottlenecks import bounds
from hwprof.analysis.bottlenecks.bounds import Gap, bound_name, found_verdicts
from hwprof.analysis.bottlenecks.certainty import State
from hwprof.analysis.bottlenecks.diagnosis import Diagnosis, frequent
from hwprof.analysis.bottlenecks.needs import command_for
from hwprof.analysis.bottlenecks.verdicts import Context, Verdict
from hwprof.analysis.estimator import Estimator, is_disturbed
from hwprof.analysis.explain.explanation import Explanation
from hwprof.analysis.explain.verdicts import of_case
from hwprof.analysis.roofline import mean_rate
from hwprof.printable import plural, printable
from hwprof.records import agreement
from hwprof.reports.terminal import causes
from hwprof.reports.terminal.bottlenecks_data import cpu_s, document

__all__ = ["case", "document", "table", "text", "verdict"]
HEADER = ("framework", "network", "bounded by", "certainty", "evidence")
SHORTEST = 8  # letters that are left of a name
UNBROKEN = "\u00a0"  # a space at which no line is broken
MOST_NEEDS = 5  # named of one gap; the document has all
MANY = 3  # findings named as the most frequent ones


def text(
    found: Sequence[Diagnosis],
    everything: bool = False,
    width: int | None = None,
    commands: Sequence[tuple[str, str]] = (),
    reruns: Sequence[Explanation] = (),
    within: Sequence[str] = (),
) -> str:
    """One case in detail with its reruns, several as a table; then the next commands.

    `within`: of one case a heading, and sentences on what varies within its runs.

    `everything`: of one case also the numbers of what was ruled out or is not known; of several every case in detail
    below the table.
    """
    columns = width or max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
    blocks = [case(found[0], columns, everything)] if len(found) == 1 else [table(found, columns)]
    if everything and len(found) > 1:
        machines = len({d.machine for d in found}) > 1
        blocks += [case(d, columns, everything, machines) for d in found]
    if tested := causes.of_case(of_case(reruns), columns):
        blocks.insert(0, "\n".join(tested))
    if within:
        head, *sentences = within
        blocks.append("\n".join([f"{head}:", *(line for s in sentences for line in _wrap(s, columns, "  "))]))
    if reruns:
        lines = ["Measured again with one thing changed:"]
        for e in reruns:
            lines += _wrap(f"- {e.headline}.", columns, "  ")
        blocks.append("\n".join(lines))
    if commands:
        blocks.append("\n".join(f"  {command}    {shows}" for command, shows in commands))
    return "\n\n".join(blocks)


def table(found: Sequence[Diagnosis], columns: int) -> str:
    """One line per case; below it what is the same for all of them."""
    names = bounds.labels(found)
    head = plural(len(found), "case") + (f": {printable(names.common)}" if names.common else "")
    lines = [*_wrap(head, columns, ""), *_frequent(found, columns), ""]
    rows = [(*map(printable, own), *_bound(d)) for own, d in zip(names.names, found, strict=True)]
    lines += _align([HEADER, *rows], columns)
    legend = [words for mark, words in (("~", "~: in part"), ("+", "+N: N more were found")) if _has(rows, mark)]
    lines += ["; ".join(legend)] if legend else []
    below = [*_marks(found, columns), *_ruled_out(found, columns), *_gaps(found, columns)]
    return "\n".join([*lines, "", *below] if below else lines)


def _has(rows: Sequence[Sequence[str]], mark: str) -> bool:
    return any(row[2].startswith(mark) or f" {mark}" in row[2] for row in rows)


def _bound(d: Diagnosis) -> tuple[str, str, str]:
    """(what bounds it, how sure, the figure it stands on)"""
    hits = found_verdicts(d)
    if not hits:
        judged = sum(v.state is not State.UNKNOWN for v in d.verdicts)
        return "none found", "-", f"{judged} of {plural(len(d.verdicts), 'rule')} judged"
    first = hits[0]
    more = f" +{len(hits) - 1}" if len(hits) > 1 else ""
    partly = "~" if first.state is State.PARTLY else ""
    return f"{partly}{bound_name(first.code)}{more}", first.sure.value, first.figure


def _align(rows: Sequence[Sequence[str]], columns: int) -> list[str]:
    """Rows in columns; names are cut in the middle where they would not fit."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    for place in (1, 0):  # network, then framework
        over = sum(widths) + 2 * (len(widths) - 1) - columns
        if over > 0:
            widths[place] = max(min(widths[place], len(HEADER[place])), SHORTEST, widths[place] - over)
    lines = ["  ".join(_cut(c, w).ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * w for w in widths), *lines[1:]]


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    front = (width - 2) // 2
    return f"{text[:front]}..{text[len(text) - (width - 2 - front) :]}"


def _frequent(found: Sequence[Diagnosis], columns: int) -> list[str]:
    hits = [(code, count, judged) for code, count, judged in frequent(found) if count][:MANY]
    parts = [f"{bound_name(code)} in {count} of {judged}" for code, count, judged in hits]
    text = f"Most often found, of the cases that could be judged: {', '.join(parts)}."
    return _wrap(text, columns, "") if hits else []


def _marks(found: Sequence[Diagnosis], columns: int) -> list[str]:
    """Outputs that are wrong, times that are an emulator's: named, or said of all."""
    marks: dict[str, list[str]] = {}
    for d in found:
        words = agreement.mark(d.context.evidence.fidelity)
        for mark in filter(None, (words, "EMULATED" * d.context.evidence.emulated)):
            marks.setdefault(mark, []).append(f"{d.case.framework} {d.case.network}")
    lines = []
    for mark, names in marks.items():
        who = "every case" if len(names) == len(found) else printable(", ".join(dict.fromkeys(names)))
        what = "EMULATED, times are the emulator's" if mark == "EMULATED" else f"Outputs {mark}"
        lines += _wrap(f"{what}: {who}.", columns, "")
    return lines


def _ruled_out(found: Sequence[Diagnosis], columns: int) -> list[str]:
    codes = bounds.codes_in_every_case(found, State.NO)
    return _wrap(f"Ruled out in every case: {', '.join(codes)}.", columns, "") if codes else []


def _gaps(found: Sequence[Diagnosis], columns: int) -> list[str]:
    """What is not known of any case, with the command that would measure it; then what is not known of some."""
    every = bounds.gaps(found)
    lines = ["Not known for any case:"] if every else []
    for gap in every:
        lines += gap_lines(gap, columns)
    counts = bounds.state_counts(found, State.UNKNOWN)
    some = [f"{code} ({n} of {len(found)})" for code, n in counts.items() if n < len(found)]
    return lines + (_wrap(f"Not known for some cases: {', '.join(some)}.", columns, "") if some else [])


def gap_lines(gap: Gap, columns: int) -> list[str]:
    """`compute-bound, because not measured: peak FLOP/s. To know it: hwprof doctor`; the command in one line."""
    text = ", ".join(gap.codes)
    if gap.because:
        text += f", because {gap.because}"
    if gap.needs:
        shown = gap.needs[:MOST_NEEDS]
        more = f" and {len(gap.needs) - len(shown)} more" if len(gap.needs) > len(shown) else ""
        text += f", because not measured: {', '.join(shown)}{more}"
        text += "".join(f". {why[0].upper()}{why[1:]}" for why in dict.fromkeys(w.partition(". ")[0] for w in gap.why))
    text += "." + (f" To know it: {gap.command.replace(' ', UNBROKEN)}" if gap.command else "")
    return [line.replace(UNBROKEN, " ") for line in _wrap(text, columns, "  ")]


def case(d: Diagnosis, columns: int = 100, everything: bool = False, machine: bool = False) -> str:
    """One case: what bounds it, with all numbers; what was ruled out; what is not known, and what would measure it."""
    fps = d.context.evidence.fps
    limits = f" [{fps.low:.4g}, {fps.high:.4g}]" if fps.low is not None and fps.high is not None else ""
    off = " (disturbed)" if any(is_disturbed(s) for s in d.context.speeds) else ""
    head = [d.case.title, f"{fps.value:.4g} FPS{off}{limits}", *other_speeds(d.context), *([d.machine] * machine)]
    lines = _wrap(" · ".join(head), columns, "")
    if d.context.evidence.emulated:
        lines.append("EMULATED: times are the emulator's, no machine's.")
    if outputs := agreement.mark(d.context.evidence.fidelity):
        lines += _wrap(f"Outputs {outputs}.", columns, "")
    lines += _wrap(summary(d), columns, "")
    for v in found_verdicts(d):
        lines += verdict(v, d, columns)
    ruled_out = [v for v in d.verdicts if v.state is State.NO]
    if everything:
        for v in ruled_out:
            lines += verdict(v, d, columns)
    elif ruled_out:
        lines += _wrap(f"Ruled out: {', '.join(v.code for v in ruled_out)}.", columns, "")
    silent = [v for v in d.verdicts if v.state is State.UNKNOWN]
    if everything:
        for v in silent:
            lines += verdict(v, d, columns)
    elif silent:
        lines.append("Not known (which rules nothing out):")
        for gap in bounds.gaps([d]):
            lines += gap_lines(gap, columns)
    return "\n".join(lines)


def summary(d: Diagnosis) -> str:
    """What bounds it, in a sentence or two."""
    hits = found_verdicts(d)
    if not hits:
        judged = sum(v.state is not State.UNKNOWN for v in d.verdicts)
        rules = plural(len(d.verdicts), "rule")
        return f"Nothing that bounds it was found by the {judged} of {rules} that could judge it."
    first, *others = hits
    partly = "partly " if first.state is State.PARTLY else ""
    said = f"It is {partly}bounded by {bound_name(first.code)} (certainty {first.sure.value}): {first.because}."
    return said + (f" Also found: {', '.join(bound_name(v.code) for v in others)}." if others else "")


def other_speeds(context: Context) -> list[str]:
    """Throughput and CPU time per frame, where known."""
    throughput, cpu = mean_rate(context.speeds, Estimator.THROUGHPUT), cpu_s(context)
    words = [] if throughput is None else [f"{throughput:.4g} frames/s"]
    return words if cpu is None else [*words, f"{1e3 * cpu:.4g} ms of CPU time per frame"]


def verdict(v: Verdict, d: Diagnosis, columns: int) -> list[str]:
    """State, certainty, numbers, advice."""
    mark = {State.YES: "!", State.PARTLY: "~", State.NO: " ", State.UNKNOWN: "?"}[v.state]
    sure = "" if v.state is State.UNKNOWN else f", certainty {v.sure.value}"
    lines = _wrap(f"{mark} {v.code}: {v.state.value}{sure}: {v.because}", columns, "  ")
    for n in v.numbers:
        lines += _wrap(n.text, columns, "      ")
    for caution in v.cautions:
        lines += _wrap(f"less sure, because {caution}", columns, "      ")
    if v.missing and v.state is not State.NO:
        lines += _wrap(f"would settle it: {'; '.join(v.missing)}", columns, "      ")
        commands = dict.fromkeys(c for need in v.missing if (c := command_for(need, d.case)))
        lines += _wrap(f"by: {'; '.join(commands)}", columns, "      ") if commands else []
    if v.advice and v.state is not State.NO:
        lines += _wrap(f"to try: {v.advice}", columns, "      ")
    return lines


def _wrap(text: str, columns: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        columns,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
        break_long_words=False,
    )
