"""The text of `hwprof run -- COMMAND`, and the report's rows of commands. Reads records only."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.analysis.executions import ExecutionTimes, execution_times
from hwprof.collectors.review import is_perf_reading
from hwprof.collectors.vocabulary import Name
from hwprof.machine.kinds import cpu_title
from hwprof.printable import plural, sentence
from hwprof.records import Exactness, Kind, Reading, Run
from hwprof.reports.terminal import counts as metrics
from hwprof.reports.terminal import machine_power
from hwprof.reports.terminal.run import document as document
from hwprof.reports.terminal.run import doubt_lines, emulation, input_of
from hwprof.reports.terminal.style import FULL, PLAIN, Palette, wrap
from hwprof.speed import between_rounds

HIDDEN = ("runner", "declared")
HANGING = " " * 12  # below the label of a line
MOST_OUTLIERS = 5  # that are named
SOURCES = {
    "frames": "--frames / elapsed",
    "region": "frames / time in what hwprof.h counts",
    "output": "from the command's own output",
}


def text(
    runs: Sequence[Run],
    *,
    asked: Sequence[str] = (),
    everything: bool = False,
    width: int = FULL,
    palette: Palette = PLAIN,
) -> str:
    """Text of all rounds of one command or process; the arguments as of `run.text`."""
    good = [r for r in runs if r.failure is None]
    first, *others = (wrap(line, width, "", "  ") for line in heading(runs).splitlines())
    lines = [palette.headline(line) for line in first]
    lines += [palette.secondary(line) for several in others for line in several]
    lines += [palette.doubt(line) for line in emulation(runs[0])]
    for run in runs:
        if run.failure is not None:
            reason = wrap(f"round {run.round + 1} failed: {sentence(run.failure.message)}", width, "  ", "    ")
            lines += [palette.doubt(line) for line in reason]
            lines += [f"    | {line}" for line in run.failure.log.splitlines()[-5:]]
    if not any(run.windows for run in runs):
        return "\n".join(lines)
    # a command that failed was counted all the same
    shown = good or list(runs)
    per = "per execution" if not regions(runs[:1]) else "per counted stretch"
    per = "per frame" if runs[0].facts.get("fps_source") in ("frames", "region") else per
    if runs[0].case.option("attached"):
        per = "while observed"
    lines += ["", *speed(shown, width), *machine_power.lines(shown, per, 10, everything, width), ""]
    lines += metrics.lines(shown, per, asked=asked, everything=everything, width=width, palette=palette)
    lines += [palette.doubt(line) for line in doubt_lines(shown, width)]
    return "\n".join(lines)


def heading(runs: Sequence[Run]) -> str:
    """The command, who counted, how often it was executed."""
    run = runs[0]
    command = str(run.case.option("command", run.case.network))
    if run.case.option("runner"):
        command = declared_title(run)
    if run.case.option("attached"):
        return f"process {run.facts['pid']}: {command}\ncounted by {run.facts['backend']} as a whole, not in slices"
    executions = sum(len(r.facts.get("executions", ())) for r in runs)
    cpus = cpu_title(run.case.cpus, run.facts)
    rounds, passes = len(runs), len(run.facts.get("executions", ()))
    times = plural(rounds, "round") + (
        f" of {plural(passes, 'pass', 'passes')}: {plural(executions, 'execution')}" if passes > 1 else ""
    )
    backend = run.facts.get("backend", "nobody")
    return f"{command}\n{times} · cpu {cpus} · counted by {backend} as a whole, not in slices"


def declared_title(run: Run) -> str:
    """A network in a framework's own benchmark program, with its command line."""
    case = run.case
    side = input_of(run)
    options = "".join(f" {k}={v}" for k, v in case.options if k not in HIDDEN)
    threads = plural(case.threads, "thread")
    version = run.facts.get("version") or ""
    lines = [f"{case.network} {side} {case.precision} · {case.option('runner')} {version}{options} · {threads}"]
    if "argv" in run.facts:
        lines.append(shlex.join(run.facts["argv"]))
    return "\n".join(lines)


def elapsed_s(runs: Sequence[Run]) -> list[float]:
    """Seconds of each round that recorded them: median over its executions."""
    found = [[e["elapsed_ns"] for e in r.facts.get("executions", ()) if "elapsed_ns" in e] for r in runs]
    return [statistics.median(times) / 1e9 for times in found if times]


def result_line(runs: Sequence[Run]) -> str:
    """One line: the command, FPS where it is known, elapsed time."""
    good = [r for r in runs if r.failure is None]
    if not good:
        return f"{runs[0].case.network}: no round was good"
    fps = [r.facts["fps"] for r in good if r.facts.get("fps")]
    parts = [_interval(fps, " FPS").strip()] if fps else []
    parts += [f"elapsed {_interval(times, ' s').strip()}"] if (times := elapsed_s(good)) else []
    return f"{runs[0].case.network}: {'; '.join(parts) or 'counted'}"


def speed(runs: Sequence[Run], width: int = FULL) -> list[str]:
    """FPS where it is known, elapsed time, peak memory."""
    lines = []
    fps = [r.facts["fps"] for r in runs if r.facts.get("fps")]
    if fps:
        source = str(runs[0].facts["fps_source"])
        lines += wrap(f"FPS       {_interval(fps)}  {SOURCES.get(source, source)}", width, "  ", HANGING)
    if times := elapsed_s(runs):
        lines += wrap(f"elapsed   {_interval(times, ' s')}", width, "  ", HANGING)
        lines += spread(runs, width)
    if found := regions(runs):
        lines += wrap(f"counted   {counted(found)}", width, "  ", HANGING)
    if peaks := [r.facts["peak_rss_bytes"] for r in runs if "peak_rss_bytes" in r.facts]:
        lines.append(f"  peak RSS  {max(peaks) / 2**20:>12,.1f} MiB")
    return lines


def regions(runs: Sequence[Run]) -> list[Mapping[str, Any]]:
    """What each execution said of its counted region; empty: of the whole execution."""
    return [e["region"] for r in runs for e in r.facts.get("executions", ()) if "region" in e]


def counted(found: Sequence[Mapping[str, Any]]) -> str:
    """How much of an execution was counted, and what came before it."""
    number = statistics.median(one["stretches"] for one in found)
    inside, before = (statistics.median(one[name] for one in found) / 1e9 for name in ("elapsed_ns", "before_ns"))
    of = plural(number, "stretch", "stretches", form="g")
    return f"{inside:>12,.3f} s in {of} (hwprof.h); the {before:,.3f} s before are in no count"


def spread(runs: Sequence[Run], width: int = FULL) -> list[str]:
    """How the times of single executions scatter, and which of them are outliers; nothing of a single one."""
    times = execution_times(runs)
    if times is None or times.deviation_s is None:
        return []
    low, high = min(times.times_s), max(times.times_s)
    says = (
        f"median {times.median_s:,.3f} s, from {low:,.3f} to {high:,.3f} s, standard deviation {times.deviation_s:.3g}"
    )
    lines = wrap(f"{says} s, of {plural(len(times.times_s), 'execution')}", width, HANGING)
    if not times.outliers:
        return lines
    which = ", ".join(f"{place + 1} ({times.times_s[place]:,.3f} s)" for place in times.outliers[:MOST_OUTLIERS])
    more = f" and {len(times.outliers) - MOST_OUTLIERS} more" if len(times.outliers) > MOST_OUTLIERS else ""
    says = f"{plural(len(times.outliers), 'outlier')}: execution {which}{more}. {advice(times)}"
    return [*lines, *wrap(says, width, HANGING)]


def advice(times: ExecutionTimes) -> str:
    """What to do about outliers."""
    if times.is_first_slow:
        return "The first one may have filled caches: execute it before it is counted (-w 1)."
    return "Something else may have run: repeat it on a quieter machine, with more executions (-r)."


def _interval(values: Sequence[float], unit: str = "") -> str:
    mean, low, high = between_rounds(list(values))
    bounds = "" if low is None or high is None else f"  [{low:,.3f}, {high:,.3f}], 95 % between rounds"
    return f"{mean:>12,.3f}{unit}{bounds}"


def rows(runs: Sequence[Run]) -> tuple[tuple[str, ...], ...]:
    """One row per command for the report's table: title, rounds, FPS, elapsed, CPU time, peak RSS, IPC."""
    cases: dict[str, list[Run]] = {}
    for run in runs:
        if run.kind is Kind.COMMAND and run.failure is None:
            cases.setdefault(run.case.key, []).append(run)
    found = []
    for group in cases.values():
        fps = [r.facts["fps"] for r in group if r.facts.get("fps")]
        elapsed = elapsed_s(group)
        clock, cycles, work = (_median(group, name) for name in (Name.TASK_CLOCK, Name.CYCLES, Name.INSTRUCTIONS))
        peaks = [r.facts["peak_rss_bytes"] for r in group if "peak_rss_bytes" in r.facts]
        found.append(
            (
                group[0].case.network,
                title(group[0]),
                str(len(group)),
                _interval(fps).strip() if fps else "-",
                _interval(elapsed, " s").strip() if elapsed else "-",
                "-" if clock is None else f"{clock / 1e9:,.3f} s",
                "-" if not cycles or work is None else f"{work / cycles:.2f}",
                f"{max(peaks) / 2**20:,.0f} MiB" if peaks else "-",
            )
        )
    return tuple(sorted(found))


def title(run: Run) -> str:
    """The command line; of a declared runner its name and the case."""
    case = run.case
    if case.option("runner"):
        side = f"{case.side} b{case.batch} t{case.threads} {case.precision}"
        return " ".join([str(case.option("runner")), side, *(f"{k}={v}" for k, v in case.options if k not in HIDDEN)])
    return str(case.option("command", ""))


COUNTS = "Counts of commands"
UNOPENED = "perf"  # source of what perf can't count here (collectors.readings.missing_readings)
COUNTS_HEADER = ("name", "event", "per execution", "unit", "exactness", "meaning")
COUNTS_NOTE = "Medians over executions; exactness is the worst of them. What was not counted has its reason."


def counts(runs: Sequence[Run]) -> tuple[tuple[str, ...], ...]:
    """A row for each command and perf event that was counted in it, or could not be."""
    found: dict[tuple[str, str, str], list[Reading]] = {}
    for run in runs:
        if run.kind is Kind.COMMAND and run.failure is None:
            for reading in (r for w in run.windows for r in w.readings if is_perf_reading(r) or r.source == UNOPENED):
                found.setdefault((run.case.network, title(run), reading.metric), []).append(reading)
    rows, order = [], list(Exactness)
    for (name, _, metric), readings in found.items():
        values = [r.value for r in readings if r.value is not None]
        worst = max(readings, key=lambda r: order.index(r.exactness))
        count = f"{statistics.median(values):,.0f}" if values else "-"
        why = "; ".join(filter(None, (worst.meaning, worst.why)))
        rows.append((name, metric, count, worst.unit, worst.exactness.value, why))
    return tuple(rows)


HEADER = ("name", "command", "rounds", "FPS", "elapsed", "CPU time", "IPC", "peak RSS")


def _median(runs: Sequence[Run], metric: str) -> float | None:
    values = [
        x.value for r in runs for w in r.windows for x in w.readings if x.metric == metric and x.value is not None
    ]
    return statistics.median(values) if values else None
