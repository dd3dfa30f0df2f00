"""The table of what was counted in a run: what was asked for, what follows from it, what is missing with the reason.

Reads records only.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hwprof.analysis.factors.evidence import per_run
from hwprof.collectors.perf.slots import count_slots
from hwprof.collectors.perf.tables import slot_formulas
from hwprof.collectors.vocabulary import LEVEL1, SLOTS, Name
from hwprof.printable import plural, sentence
from hwprof.records import TEST_EQUIPMENT, Exactness, Origin, Reading, Role, Run, Shape, Window
from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.style import FULL, PLAIN, Palette, wrap
from hwprof.store.columns import shape_of

# Units of time -> factor to ms.
TIME_UNITS = {"ns": 1e-6, "s": 1e3}
# Shown where no event was named: what a first look needs. Those that a machine lacks are one line with their reason.
DEFAULT: tuple[str, ...] = (
    Name.CYCLES,
    Name.INSTRUCTIONS,
    Name.BRANCH_MISSES,
    Name.L1D_MISSES,
    Name.L2_MISSES,
    Name.LLC_MISSES,
    "cache-misses",
    Name.TASK_CLOCK,
    Name.PAGE_FAULTS,
    "context-switches",
    Name.ENERGY,
    Name.POWER,
)
IPC = "IPC"
PER_INSTRUCTIONS = "per k-insn"
MPKI_NOTE = "per k-insn: per 1,000 instructions; of misses this is MPKI."
ABSENT = "<not available>"


@dataclass(frozen=True, slots=True)
class MetricCount:
    """One metric over all rounds of a case. `value`: the median of `rounds`, per frame, of a level or per window;
    None: it was not counted in any, and `why`. `exactness`: the worst of its readings, `running`: the least share of
    the time for which it was counted (None: not known)."""

    metric: str
    value: float | None
    rounds: tuple[float, ...]
    reading: Reading
    exactness: Exactness
    running: float | None
    why: str = ""

    @property
    def domain(self) -> str:
        """`:u` of what was counted in user mode alone."""
        domain = self.reading.domain
        return "" if domain in ("user+kernel", "process", "system") else f":{domain[0]}"

    @property
    def per(self) -> str:
        """frame, level or window."""
        return {Shape.COUNT: "frame", Shape.LEVEL: "level", Shape.TOTAL: "window"}[shape_of(self.reading)]


def counted(runs: Sequence[Run]) -> dict[str, MetricCount]:
    """Metric -> what the counted windows of all rounds say of it, in the order in which they were read."""
    found: dict[str, list[Reading]] = {}
    of_runs: dict[str, list[float]] = {}
    for run in runs:
        values: dict[str, list[tuple[Reading, Window, int]]] = {}
        for window in (w for w in run.windows if w.role is Role.COUNTED):
            for reading in window.readings:
                found.setdefault(reading.metric, []).append(reading)
                if reading.value is not None and window.latencies_ns:
                    values.setdefault(reading.metric, []).append((reading, window, run.case.batch))
        for name, several in values.items():
            of_runs.setdefault(name, []).append(per_run(several))
    return {name: _count(name, readings, of_runs.get(name, [])) for name, readings in found.items()}


def _count(name: str, readings: Sequence[Reading], rounds: Sequence[float]) -> MetricCount:
    worst = max((r.exactness for r in readings), key=list(Exactness).index)
    running = [r.running for r in readings if r.running is not None]
    suspicion = next((r.why for r in readings if r.exactness is Exactness.SUSPECT), "")
    value = statistics.median(rounds) if rounds else None
    why = suspicion if value is not None else next((r.why for r in readings if r.why), "")
    return MetricCount(name, value, tuple(rounds), readings[0], worst, min(running, default=None), why)


def is_chosen(metric: str, names: Iterable[str]) -> bool:
    """Whether a metric is one of these: itself, of one kind of core (`cycles@cpu_atom`), or of one core (`[cpu1]`)."""
    forms = {metric, metric.partition("[")[0], metric.partition("@")[0], metric.partition(":")[0]}
    return not forms.isdisjoint(names)


def lines(
    runs: Sequence[Run],
    per: str = "per frame",
    *,
    asked: Sequence[str] = (),
    everything: bool = False,
    width: int = FULL,
    palette: Palette = PLAIN,
) -> list[str]:
    """The metrics that were `asked` for (none: a short set), what follows from them, and how many others there are.

    `everything`: every metric with what it means. A missing one is never left out silently: those that were chosen are
    listed by reason, the others are in the number of the last line.
    """
    found = counted(runs)
    names = asked or DEFAULT
    chosen = {n: c for n, c in found.items() if everything or is_chosen(n, names)}
    instructions = _value(found, Name.INSTRUCTIONS)
    there = {name: count for name, count in chosen.items() if count.value is not None}
    rows = [_row(one, instructions, everything) for one in there.values()]
    rows += [*_ipc(found, there), *_topdown(runs, found, there)]
    out = []
    if rows:
        table = [
            GridColumn(per, right=True),
            GridColumn("event", shortens=True, is_key=True),
            GridColumn(PER_INSTRUCTIONS, right=True, drop=1),
            GridColumn("running", right=True, drop=2),
            GridColumn("exactness"),
            GridColumn("", flows=True),
        ]
        out += grid.lines(table, rows, width, rest="-v or --json has them")
        out[0] = palette.secondary(out[0])
        out = [palette.doubt(line) if _is_suspect(line) else line for line in out]
        if any(row[2] for row in rows) and not everything:
            out += [palette.secondary(line) for line in wrap(MPKI_NOTE, width, "  ")]
    out += missing_lines([c for c in chosen.values() if c.value is None], width)
    silent = [name for name in asked if not any(is_chosen(metric, (name,)) for metric in found)]
    out += wrap(f"{ABSENT}  {', '.join(silent)}: no reading was recorded", width, "  ", "    ") if silent else []
    others = [c for name, c in found.items() if name not in chosen]
    if others:
        absent = sum(c.value is None for c in others)
        recorded = plural(len(others) - absent, "metric")
        lacking = f"; {absent} not available" if absent else ""
        out += [palette.secondary(f"  Also recorded: {recorded}{lacking} (-v shows them)")]
    return out


def _is_suspect(line: str) -> bool:
    return f"  {Exactness.SUSPECT.value}" in line


def _value(found: dict[str, MetricCount], name: str) -> float | None:
    return found[name].value if name in found else None


def _row(one: MetricCount, instructions: float | None, everything: bool) -> tuple[str, ...]:
    assert one.value is not None
    reading, shape = one.reading, shape_of(one.reading)
    shown, unit = amount(reading, one.value)
    is_event = shape is Shape.COUNT and reading.unit not in TIME_UNITS
    is_event &= one.metric != Name.INSTRUCTIONS
    ratio = f"{1000 * one.value / instructions:.2f}" if is_event and instructions else ""
    running = "" if one.running is None else f"{100 * one.running:.0f} %"
    per_window = "per window" if shape is Shape.TOTAL else ""
    is_made_up = reading.meaning.startswith(TEST_EQUIPMENT)  # then who counted is never left to -v
    meaning = reading.meaning if everything else reading.meaning.partition(";")[0] if is_made_up else ""
    remarks = (one.why, per_window, meaning)
    return shown, one.metric + one.domain + unit, ratio, running, quality(one), "; ".join(filter(None, remarks))


def quality(*counts: MetricCount) -> str:
    """The worst exactness of these, and who counted where that was no machine."""
    worst = max((one.exactness for one in counts), key=list(Exactness).index)
    origins = dict.fromkeys(one.reading.origin for one in counts)
    unreal = [origin.value for origin in origins if origin not in (Origin.HARDWARE, Origin.KERNEL)]
    return f"{worst.value} ({', '.join(unreal)})" if unreal else worst.value


def _ipc(found: dict[str, MetricCount], shown: dict[str, MetricCount]) -> list[tuple[str, ...]]:
    """Rows of instructions per cycle: each domain, and kind of core, of which both were counted and one is shown."""
    rows: list[tuple[str, ...]] = []
    for name, cycles in found.items():
        work = found.get(name.replace(Name.CYCLES, Name.INSTRUCTIONS, 1)) if is_chosen(name, (Name.CYCLES,)) else None
        if work is None or not cycles.value or work.value is None or not ({name, work.metric} & shown.keys()):
            continue
        suffix = name.removeprefix(Name.CYCLES) or (cycles.domain if cycles.domain == work.domain else "")
        ratio = f"{work.value / cycles.value:.3f}"
        rows.append((ratio, IPC + suffix, "", "", quality(cycles, work), f"instructions / cycles{suffix}"))
    return rows


def _topdown(
    runs: Sequence[Run], found: dict[str, MetricCount], shown: dict[str, MetricCount]
) -> list[tuple[str, ...]]:
    """Rows of the shares of the slots, where the core counts them, or its table has formulas for what was counted."""
    formulas = slot_formulas(runs[0].machine)
    for suffix in ("", ":u"):
        events = {name: found[name + suffix] for name in (*LEVEL1.values(), SLOTS) if name + suffix in found}
        values = {name: one.value for name, one in events.items() if one.value is not None}
        slots = None
        if all(name in values for name in LEVEL1.values()):
            parts = [values[name] for name in LEVEL1.values()]
            slots = count_slots(parts, values.get(SLOTS, sum(parts)))
        elif not isinstance(formulas, str) and all(name + suffix in found for name in formulas.events):
            events = {name: found[name + suffix] for name in formulas.events}
            values = {name: one.value for name, one in events.items() if one.value is not None}
            slots = formulas.count(values) if len(values) == len(events) else None
        if slots is not None and any(one.metric in shown for one in events.values()):
            why = "; ".join(("of the slots", *slots.cautions))
            word = quality(*events.values())
            pairs = zip(LEVEL1, slots.shares, strict=True)
            return [(f"{100 * share:.1f} %", f"top-down {part}{suffix}", "", "", word, why) for part, share in pairs]
    return []


def missing_lines(absent: Sequence[MetricCount], width: int = FULL) -> list[str]:
    """Reason -> metrics, so that one missing PMU is one line and not twenty."""
    reasons: dict[str, list[str]] = {}
    for one in absent:
        reasons.setdefault(one.why, []).append(one.metric)
    out = []
    for why, names in reasons.items():
        out += wrap(f"{ABSENT}  {', '.join(names)}: {sentence(why)}", width, "  ", "    ")
    return out


def amount(reading: Reading, value: float) -> tuple[str, str]:
    """The number as text, and the unit that follows the name."""
    if reading.unit in TIME_UNITS:
        return f"{value * TIME_UNITS[reading.unit]:,.3f}", " ms"
    if reading.unit in ("B", "bytes"):
        return f"{value / 2**20:,.1f}", " MiB"
    if reading.unit == "Hz":
        return f"{value / 1e9:,.3f}", " GHz"
    unit = f" {reading.unit}" if reading.unit and reading.unit not in ("count", "events") else ""
    large = value >= 1000 and shape_of(reading) is not Shape.LEVEL
    return (f"{value:,.0f}" if large else f"{value:,.3f}"), unit
