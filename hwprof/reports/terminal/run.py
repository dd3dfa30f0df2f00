"""The text of `hwprof run`. Reads records only."""

from __future__ import annotations

from collections.abc import Sequence

from hwprof import doubts
from hwprof.analysis import overhead
from hwprof.analysis.comparison.calibration import MachineNoise
from hwprof.analysis.omissions import why_no_speed
from hwprof.collectors import modelled_caches
from hwprof.collectors.vocabulary import Name
from hwprof.machine.kinds import cpu_title
from hwprof.networks.blocks import input_title
from hwprof.networks.inputs import TensorSpec
from hwprof.printable import advice, plural, printable, sentence
from hwprof.records import Kind, Origin, Reading, Role, Run, Shape
from hwprof.reports.terminal import counts, grid, machine_power, speed
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.run_document import document as document
from hwprof.reports.terminal.style import FULL, PLAIN, Palette, wrap
from hwprof.speed import Interval, of_run
from hwprof.store.columns import shape_of, simulator_of

INPUTS_SHOWN = 6  # in a heading
LOG_LINES = 5
FIRST_EDITION = "Counted by an earlier hwprof, with 8 to 10 million instructions of its own worker in each run."


def text(
    runs: Sequence[Run],
    *,
    asked: Sequence[str] = (),
    everything: bool = False,
    noise: MachineNoise | None = None,
    width: int = FULL,
    palette: Palette = PLAIN,
) -> str:
    """Text of all rounds of one case, and of its simulated run where there is one.

    `asked`: the metrics that were named, none: a short set; `everything`: all of them, with what they mean. `noise`:
    what is known of how sessions of this machine differ.
    """
    native = [r for r in runs if r.kind is Kind.NATIVE]
    good = [r for r in native if r.failure is None]
    lines = heading(native[0], len(good), width, palette) if native else []
    lines += [palette.doubt(line) for line in failures(native, width)]
    if good:
        lines += ["", *speed.lines(good, noise, width, palette)]
        lines += machine_power.lines(good, "per frame", everything=everything, width=width)
        lines += ["", *counts.lines(good, asked=asked, everything=everything, width=width, palette=palette)]
    for run in runs:
        if run.kind is Kind.SIMULATED:
            lines += ["", *simulation_lines(run, width, palette)]
    if good:
        lines += [palette.doubt(line) for line in doubt_lines(good, width)]
    return "\n".join(lines)


def result_line(runs: Sequence[Run]) -> str:
    """One line for scripts and eyes: the case, FPS, throughput and CPU time per frame with their intervals.

    Of a case without a speed: why there is none.
    """
    native = [r for r in runs if r.kind is Kind.NATIVE]
    timed = [r for r in native if of_run(r).fps is not None]
    if not native:
        return f"{runs[0].case.title}: {_simulated_line(runs[-1])}"
    if not timed:
        return f"{native[0].case.title}: no speed: {why_no_speed(native)}"
    parts = [f"{brief(speed.fps_of(timed), 1)} FPS", f"{brief(speed.throughput_of(timed), 1)} frames/s"]
    parts.append(f"{brief(speed.cpu_ms_of(timed), 3)} ms of CPU time per frame")
    of = "" if len(timed) > 1 else " (one round: intervals of this stretch of time)"
    return f"{timed[0].case.title}: {', '.join(parts)}{of}"


def brief(value: Interval | None, digits: int) -> str:
    """`607.8 [601.2, 614.5]`; a dash where there is nothing."""
    return " ".join(speed.bounded(value, digits).split())


def failures(runs: Sequence[Run], width: int = FULL) -> list[str]:
    """Each kind of failure once; the last lines of a worker's log only where the message is not an exception's own."""
    lines = []
    failed = [run.failure for run in runs if run.failure is not None]
    for code, message in dict.fromkeys((f.code, f.message) for f in failed):
        alike = [f for f in failed if (f.code, f.message) == (code, message)]
        what = f"{len(alike)} of {plural(len(runs), 'attempt')} failed: {code}: {sentence(message)}"
        lines += wrap(printable(what), width, "  ", "    ")
        if alike[-1].remedy:
            lines += wrap(advice(alike[-1].remedy), width, "    ")
        if code not in ("memory", "framework"):
            lines += [f"    | {line}" for line in alike[-1].log.splitlines()[-LOG_LINES:]]
    return lines


def heading(run: Run, good: int, width: int = FULL, palette: Palette = PLAIN) -> list[str]:
    """The case with its inputs, its CPUs, and the number of rounds and windows."""
    case = run.case
    # numpy is recorded with the framework's distributions, of which a vendor's build may have none
    own = (v for name, v in run.software.get("distributions", {}).items() if v and name != "numpy")
    version = run.facts.get("version") or next(own, "")
    options = "".join(f" {name}={value}" for name, value in case.options)
    cpus = cpu_title(case.cpus, run.facts)
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
    lines = [palette.headline(line) for line in wrap(first, width, "", "  ")]
    fixed = run.facts.get("batch_fixed")
    batch = [f"The network's file has a fixed batch of {plural(int(fixed), 'frame')}."] if fixed else []
    for line in (*input_lines(run), *batch, second, *macs):
        lines += [palette.secondary(part) for part in wrap(line, width, "", "  ")]
    return lines + [palette.doubt(line) for line in emulation(run)]


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


def simulation_lines(run: Run, width: int = FULL, palette: Palette = PLAIN) -> list[str]:
    """Counts of a simulated run, marked as such, with the instruction sets that the simulator lacks."""
    if run.failure is not None:
        reason = f"simulation: none: {sentence(run.failure.message, run.failure.remedy)}"
        return [palette.doubt(line) for line in wrap(reason, width, "  ", "    ")]
    tool = simulator_mark(run)
    if tool.startswith("riscv64"):
        cpu, program = run.facts.get("simulator_cpu", ""), run.facts.get("simulator_version", "")
        lines = [f"  simulated riscv64 ({cpu}; {program}): one inference after three to warm up"]
    else:
        lines = [f"  simulated by {tool}: {_inferences(run)}"]
        lines += [f"    {FIRST_EDITION}"] if tool == "callgrind-v1" else []
    lines = [part for line in lines for part in wrap(line.strip(), width, "  ", "    ")]
    table = [GridColumn("per frame", right=True), GridColumn("simulated event", shortens=True, is_key=True)]
    rows = [
        (_per_frame(reading, len(window.latencies_ns) * run.case.batch), _marked(reading, tool), reading.meaning)
        for window in run.windows
        for reading in window.readings
        if reading.value is not None and not (reading.value == 0 and _is_of_vectors(reading))
    ]
    lines += grid.lines([*table, GridColumn("", flows=True)], rows, width) if rows else []
    notes = []
    if any(r.metric == Name.VECTOR_INSTRUCTIONS and r.value == 0 for w in run.windows for r in w.readings):
        has_none = "v=false" in str(run.facts.get("simulator_cpu", ""))
        why = "the simulated CPU has none" if has_none else f"the kernels of {run.case.framework} that ran are scalar"
        notes.append(f"no vector instruction was executed: {why}")
    if caches := modelled_caches.describe(run.facts.get("simulator_caches", {})):
        notes.append(f"simulated caches, as sysfs has them: {caches}")
    if model := run.facts.get("modelled_caches"):
        levels = ", ".join(f"{name} {size}" for name, size in model.items())
        notes.append(f"modelled caches (size/ways/line): {levels}; of one thread, least recently used, no prefetcher")
    notes += core_bounds(run)
    inside, outside = set(run.facts.get("cpu_features", ())), set(run.facts.get("native_cpu_features", ()))
    if lost := sorted(outside - inside):
        notes.append(
            f"instruction sets of this CPU that the simulator lacks: {', '.join(lost)}; kernels may differ from those "
            "of the native run"
        )
    return lines + [palette.secondary(part) for note in notes for part in wrap(note, width, "    ")]


def _is_of_vectors(reading: Reading) -> bool:
    return reading.metric.startswith(("vector-", "vset-"))


def _simulated_line(run: Run) -> str:
    """What a run in a simulator alone has: its instructions, or why it failed."""
    if run.failure is not None:
        return sentence(run.failure.message)
    values = {r.metric: r.value for w in run.windows for r in w.readings}
    frames = sum(len(w.latencies_ns) for w in run.windows) * run.case.batch
    count = values.get("instructions")
    told = (
        f"{count / frames:,.0f} instructions per frame" if count is not None and frames else "no instructions counted"
    )
    return f"{told}, SIMULATED by {simulator_mark(run)}"


def core_bounds(run: Run) -> list[str]:
    """What the modelled core can't go below, by its table and the counts; no time and no FPS follows from it."""
    core = run.facts.get("modelled_core") or {}
    values = {r.metric: r.value for w in run.windows for r in w.readings if r.value is not None}
    frames = sum(len(w.latencies_ns) for w in run.windows) * run.case.batch
    found = []
    if frames and core.get("max_ipc") and "instructions" in values:
        cycles = values["instructions"] / frames / core["max_ipc"]
        found.append(
            f"{cycles:,.0f} cycles per frame at least on a {core['name']}: {core['max_ipc']:g} instructions a cycle at "
            "most. It may take many times that"
        )
    return found


def _marked(reading: Reading, tool: str) -> str:
    """A simulated metric as its column has it: counts of modelled caches are marked by their model."""
    mark = simulator_of(reading.source)
    return f"{reading.metric}@{mark if mark.startswith(tool) else tool}"


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
    return f"{value:.4%}" if reading.unit == "ratio" else f"{value:,.0f}"


def doubt_lines(runs: Sequence[Run], width: int = FULL) -> list[str]:
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
    raised = ((text, f" ({len(rounds)}{of})" if of else "") for text, rounds in found.values())
    lines = [wrap(f"{text}{count}", width, "    ", "      ") for text, count in raised]
    return ["", "  Doubts", *(part for several in lines for part in several)]
