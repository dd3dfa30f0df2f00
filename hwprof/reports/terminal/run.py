"""The text of `hwprof run`. Reads records only."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from hwprof import doubts
from hwprof.analysis import overhead
from hwprof.analysis.factors.evidence import per_run
from hwprof.collectors import modelled_caches
from hwprof.collectors.vocabulary import Name
from hwprof.errors import sentence
from hwprof.networks.blocks import input_title
from hwprof.networks.inputs import TensorSpec
from hwprof.printable import plural, printable
from hwprof.records import Exactness, Kind, Origin, Reading, Role, Run, Shape, Window, to_json
from hwprof.reports import over_time
from hwprof.reports.terminal import speed
from hwprof.store.columns import shape_of, simulator_of

INPUTS_SHOWN = 6  # in a heading
# Units of time -> factor to ms.
TIME_UNITS = {"ns": 1e-6, "s": 1e3}
FIRST_EDITION = "Counted by an earlier hwprof, with 8 to 10 million instructions of its own worker in each run."


def text(runs: Sequence[Run]) -> str:
    """Text of all rounds of one case, and of its simulated run where there is one."""
    native = [r for r in runs if r.kind is Kind.NATIVE]
    good = [r for r in native if r.failure is None]
    lines = [heading(native[0], len(good))] if native else []
    lines += failures(native)
    if good:
        lines += ["", *speed.lines(good), "", *counters(good)]
    for run in runs:
        if run.kind is Kind.SIMULATED:
            lines += ["", *simulation_lines(run)]
    if good:
        lines += doubt_lines(good)
    return "\n".join(lines)


def document(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The records of the runs as they are stored, as plain JSON; `facts` has what they show over time, too."""
    found = [to_json(run) for run in runs]
    for run, data in zip(runs, found, strict=True):
        if run.kind is Kind.NATIVE and run.failure is None:
            data["facts"]["over_time"] = over_time.document([run])
    return found


def failures(runs: Sequence[Run]) -> list[str]:
    """Each kind of failure once; the last lines of a worker's log only where the message is not an exception's own."""
    lines = []
    failed = [run.failure for run in runs if run.failure is not None]
    for code, message in dict.fromkeys((f.code, f.message) for f in failed):
        alike = [f for f in failed if (f.code, f.message) == (code, message)]
        lines.append(f"  {len(alike)} of {plural(len(runs), 'attempt')} failed: {code}: {message}")
        if alike[-1].remedy:
            lines.append(f"    {alike[-1].remedy}")
        if code not in ("memory", "framework"):
            lines += [f"    | {line}" for line in alike[-1].log.splitlines()[-5:]]
    return lines


def heading(run: Run, good: int) -> str:
    """The case with its inputs, its CPUs, and the number of rounds and windows."""
    case = run.case
    # numpy is recorded with the framework's distributions, of which a vendor's build may have none
    own = (v for name, v in run.software.get("distributions", {}).items() if v and name != "numpy")
    version = run.facts.get("version") or next(own, "")
    options = "".join(f" {name}={value}" for name, value in case.options)
    cpus = ",".join(map(str, case.cpus)) or "any"
    first = (
        f"{case.network} {input_of(run)} {case.precision} · {case.framework} {version}{options} · "
        f"{plural(case.threads, 'thread')} on cpu {cpus}"
    )
    windows = [w.role.value for w in run.windows if w.slices is None]
    of = ", ".join([*slice_counts(run), *(f"{windows.count(role)} {role}" for role in dict.fromkeys(windows))]) or "no"
    iterations = sum(len(w.latencies_ns) for w in run.windows)
    second = f"{plural(good, 'round')} x ({of} window) · {plural(iterations, 'iteration', form=',')} in the first"
    unknown = run.facts.get("macs_unknown") if run.macs is None else None
    macs = [f"MACs unknown: {printable(str(unknown))}"] if unknown else []
    macs += [f"MACs: {printable(str(note))}" for note in run.facts.get("macs_notes", ())]
    return "\n".join([first, *input_lines(run), second, *macs, *emulation(run)])


def input_of(run: Run) -> str:
    """What goes in for one inference: `4x3x224x224`, `batch 4, ids 128, mask 128`."""
    case, inputs = run.case, recorded_inputs(run)
    if case.shape and len(inputs) == 1:
        return inputs[0].title
    return printable(input_title(case.network, case.size, case.batch, case.shape))


def input_lines(run: Run) -> list[str]:
    """The inputs by name with their shapes and types, where there are several."""
    inputs = recorded_inputs(run)
    if len(inputs) < 2:
        return []
    names = [printable(f"{one.name} {one.title}") for one in inputs[:INPUTS_SHOWN]]
    more = f" and {len(inputs) - INPUTS_SHOWN} more" if len(inputs) > INPUTS_SHOWN else ""
    return [f"{len(inputs)} inputs: {', '.join(names)}{more}"]


def recorded_inputs(run: Run) -> list[TensorSpec]:
    """The inputs that the run recorded; none by earlier versions."""
    return [
        TensorSpec(str(one["name"]), tuple(one["shape"]), str(one["dtype"])) for one in run.facts.get("inputs") or ()
    ]


def slice_counts(run: Run) -> list[str]:
    """How many pairs of slices there are; without counters, how many bare slices."""
    sliced = [(w.role, len(w.slices.t0_ns)) for w in run.windows if w.slices]
    bare, pairs = (sum(n for role, n in sliced if role is wanted) for wanted in (Role.PAIRED, Role.COUNTED))
    return [f"{plural(pairs, 'pair')} of slices" if pairs else f"{bare} bare slices"] if bare else []


def emulation(run: Run) -> list[str]:
    """The mark on times and speeds of an emulated machine."""
    counted = any(r.origin is Origin.EMULATED for w in run.windows for r in w.readings)
    if not counted and not run.host_state.get("emulated"):
        return []
    return ["EMULATED: FPS, latency and all other times are the emulator's, no machine's"]


def counters(runs: Sequence[Run], per: str = "per frame") -> list[str]:
    """The table of events: per frame, per thousand instructions, share of time counted, exactness."""
    found: dict[str, list[Reading]] = {}
    of_runs: dict[str, list[float]] = {}
    for run in runs:
        counted: dict[str, list[tuple[Reading, Window, int]]] = {}
        for window in (w for w in run.windows if w.role is Role.COUNTED):
            for reading in window.readings:
                found.setdefault(reading.metric, []).append(reading)
                if reading.value is not None and window.latencies_ns:
                    counted.setdefault(reading.metric, []).append((reading, window, run.case.batch))
        for name, pairs in counted.items():
            of_runs.setdefault(name, []).append(per_run(pairs))
    per_frame = {name: statistics.median(values) for name, values in of_runs.items()}
    instructions = per_frame.get(Name.INSTRUCTIONS)
    lines = [f"  {per:>16}  {'event':<26}{'per k-insn':>11}  {'running':>7}  exactness"]
    absent = []
    for name, readings in found.items():
        value, reading = per_frame.get(name), readings[0]
        if value is None:
            absent.append(reading)
            continue
        shape = shape_of(reading)
        shown, unit = amount(reading, value)
        events = shape is Shape.COUNT and reading.unit not in TIME_UNITS
        ratio = f"{1000 * value / instructions:.2f}" if events and instructions else "-"
        worst = max((r.exactness for r in readings), key=list(Exactness).index)
        running = [r.running for r in readings if r.running is not None]
        share = f"{100 * min(running):.0f} %" if running else "-"
        domain = "" if reading.domain in ("user+kernel", "process", "system") else f":{reading.domain[0]}"
        suspicion = next((r.why for r in readings if r.exactness is Exactness.SUSPECT), "")
        per_window = "per window" if shape is Shape.TOTAL else ""
        remarks = "; ".join(filter(None, (suspicion, per_window, reading.meaning)))
        note = f"  # {remarks}" if remarks else ""
        origin = "" if reading.origin.value in ("hardware", "kernel") else f" ({reading.origin.value})"
        lines.append(f"  {shown:>16}  {name + domain + unit:<26}{ratio:>11}  {share:>7}  {worst.value}{origin}{note}")
    for why, names in by_reason(absent).items():
        lines.append(f"  {'<not available>':>16}  {', '.join(names)}")
        lines.append(f"  {'':>16}    {why}")
    return lines


def by_reason(absent: Iterable[Reading]) -> dict[str, list[str]]:
    """Reason -> metrics, so that one missing PMU is one line and not twenty."""
    reasons: dict[str, list[str]] = {}
    for reading in absent:
        reasons.setdefault(reading.why, []).append(reading.metric)
    return reasons


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


def simulation_lines(run: Run) -> list[str]:
    """Counts of a simulated run, marked as such, with the instruction sets that the simulator lacks."""
    if run.failure is not None:
        return [f"  simulation: none: {sentence(run.failure.message, run.failure.remedy)}"]
    tool = simulator_mark(run)
    if tool.startswith("riscv64"):
        cpu, program = run.facts.get("simulator_cpu", ""), run.facts.get("simulator_version", "")
        lines = [f"  simulated riscv64 ({cpu}; {program}): one inference after three to warm up"]
    else:
        lines = [f"  simulated by {tool}: {_inferences(run)}"]
        lines += [f"    {FIRST_EDITION}"] if tool == "callgrind-v1" else []
    for window in run.windows:
        frames = len(window.latencies_ns) * run.case.batch
        lines += [
            f"  {_per_frame(reading, frames)}  {reading.metric}@{tool}  # {reading.meaning}"
            for reading in window.readings
            if reading.value is not None
        ]
    if caches := modelled_caches.describe(run.facts.get("simulator_caches", {})):
        lines.append(f"    simulated caches, as sysfs has them: {caches}")
    inside, outside = set(run.facts.get("cpu_features", ())), set(run.facts.get("native_cpu_features", ()))
    if lost := sorted(outside - inside):
        lines.append(f"    instruction sets of this CPU that the simulator lacks: {', '.join(lost)};")
        lines.append("    kernels may differ from those of the native run")
    return lines


def simulator_mark(run: Run) -> str:
    """The mark of a simulated run's counts, as in their columns."""
    tool = str(run.facts.get("simulator", "callgrind"))
    marks = (simulator_of(r.source) for w in run.windows for r in w.readings if r.origin is Origin.SIMULATED)
    return next((mark for mark in marks if mark.startswith(tool)), tool)


def _inferences(run: Run) -> str:
    """How many inferences callgrind counted."""
    count = sum(len(w.latencies_ns) for w in run.windows)
    counted = "one inference" if count == 1 else f"mean of {count} inferences"
    return f"{counted} after {run.facts.get('simulator_warmup', 1)} to warm up"


def simulations(runs: Sequence[Run]) -> list[str]:
    """A sentence on each simulator that was used."""
    cases: dict[str, int] = {}
    caches: dict[str, dict[str, None]] = {}
    for run in runs:
        if run.kind is Kind.SIMULATED and run.failure is None:
            tool = simulator_mark(run)
            cases[tool] = cases.get(tool, 0) + 1
            modelled = modelled_caches.describe(run.facts.get("simulator_caches", {}))
            caches.setdefault(tool, {}).update({modelled: None} if modelled else {})
    lines = []
    for tool, count in cases.items():
        what = (
            "Debian's riscv64 build of the framework in QEMU, every instruction of user space"
            if tool.startswith("riscv64")
            else "those of a model of a CPU with simulated caches, and of the kernels that a framework chooses inside "
            "the simulator"
        )
        lines.append(f"Counts marked @{tool} are simulated ({plural(count, 'case')}, batch 1): {what}.")
        if tool == "callgrind-v1":
            lines[-1] += f" {FIRST_EDITION}"
        if caches[tool]:
            lines[-1] += f" Simulated caches: {'; or '.join(caches[tool])}."
    return lines


def _per_frame(reading: Reading, frames: int) -> str:
    assert reading.value is not None
    value = reading.value / frames if shape_of(reading) is Shape.COUNT else reading.value
    return f"{value:>16.4%}" if reading.unit == "ratio" else f"{value:>16,.0f}"


def doubt_lines(runs: Sequence[Run]) -> list[str]:
    """Every doubt once, with how many rounds raised it."""
    found: dict[str, tuple[str, set[int]]] = {}
    for run in runs:
        for doubt in run.doubts:
            _, rounds = found.setdefault(doubt.code, (doubts.text(doubt), set()))
            rounds.add(run.round)
    for doubt in overhead.doubts(runs):
        found[doubt.code] = (doubts.text(doubt), {run.round for run in runs})
    if not found:
        return []
    of = f" of {len(runs)} rounds" if len(runs) > 1 else ""
    return ["", "  Doubts", *(f"    {text}" + (f" ({len(n)}{of})" if of else "") for text, n in found.values())]
