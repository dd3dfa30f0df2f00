"""Layers side by side as text and as one JSON document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.analysis import profiles
from hwprof.analysis.estimator import OFF
from hwprof.analysis.layers import UNATTRIBUTED, LayerRow, NetworkNode, align_layers
from hwprof.printable import plural, sentence
from hwprof.records import Exactness, Kind, Layer, Origin, Role, Run, to_json
from hwprof.records.agreement import mark, worst
from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.run import emulation, input_of
from hwprof.reports.terminal.style import columns, wrap

PART = GridColumn("part of the network", shortens=True, is_key=True)
STEP = GridColumn("step", shortens=True, is_key=True)
COUNTED = 20  # steps whose counters are shown where every part is


def text(
    runs: Sequence[Run], nodes: Sequence[NetworkNode], top: int, asked: bool = False, width: int | None = None
) -> str:
    """A table of the parts, one column per framework; the overhead of profiling; the layers' share of the time.

    `asked`: events were named; those that were not counted are listed with the reason. `width`: of the longest line,
    None: as wide as stdout takes.
    """
    width = columns() if width is None else width
    frameworks = profiles.by_framework(runs)
    lines = [*wrap(_heading(runs), width, "", "  "), *emulation(runs[0])]
    failures = {r.case.framework: r.failure for r in runs if r.failure is not None}
    for name, failure in failures.items():
        lines += wrap(f"{name} failed: {sentence(failure.message)}", width, "  ", "    ")
    profile = {name: layers for name, of in frameworks.items() if (layers := profiles.medians(of))}
    if not profile:
        return "\n".join(lines)
    rows = align_layers(nodes, profile)
    shown = rows if top == 0 else sorted(rows, key=_slowest, reverse=True)[:top]
    table = [PART, GridColumn("MMACs", right=True, drop=1), *(GridColumn(f"{n} ms", right=True) for n in profile)]
    unmatched = unattributed(runs)
    cells = [
        [title(row, bool(unmatched)), _millions(row), *(_cell(row, name, profile) for name in profile)] for row in shown
    ]
    lines += ["", *grid.lines(table, cells, width)]
    if len(shown) < len(rows):
        lines.append(f"  ... {len(rows) - len(shown)} more: --top 0")
    lines.append("")
    remarks = []
    for name, of in frameworks.items():
        if name in profile:
            remarks.append(f"{name}: {_account(of)}")
            if why := unmatched.get(name):
                remarks.append(f"{name}: its steps are attributed to no node, because {why}; --json lists them")
            if outputs := mark(worst([run.fidelity for run in of])):
                remarks.append(f"{name}: outputs {outputs}")
    lines += [part for remark in remarks for part in wrap(remark, width, "  ", "    ")]
    for name, layers in profile.items() if asked else ():
        lines += _counter_lines(name, layers, top, width)
    for name, of in frameworks.items():
        if name in profile and asked:
            lines += [part for line in _absent(name, of) for part in wrap(line.strip(), width, "  ", "    ")]
    return "\n".join(lines)


def _heading(runs: Sequence[Run]) -> str:
    case = runs[0].case
    rounds = len({run.round for run in runs})
    shape = input_of(runs[0])
    threads = plural(case.threads, "thread")
    return (
        f"{case.network} {shape} {case.precision} · {threads} · {plural(rounds, 'round')}, medians · "
        f"time per inference and part"
    )


def unattributed(runs: Sequence[Run]) -> dict[str, str]:
    """Framework -> why its steps are no node's, where none of them could be attributed."""
    return {run.case.framework: str(run.facts[UNATTRIBUTED]) for run in runs if UNATTRIBUTED in run.facts}


def title(row: LayerRow, has_unattributed: bool = False) -> str:
    """A part by its first and last node. `has_unattributed`: the row without nodes holds a framework's whole time."""
    if not row.nodes:
        return "attributed to no node" if has_unattributed else "beside the network (layout, copies)"
    first, last = row.nodes[0], row.nodes[-1]
    return first if first == last else f"{first} +{len(row.nodes) - 1}"


def _millions(row: LayerRow) -> str:
    """MACs of a part in millions."""
    if row.macs is None and row.nodes:
        return "unknown"
    return f"{row.macs / 1e6:,.1f}" if row.macs else "-"


def _slowest(row: LayerRow) -> float:
    return max((value for value in row.ns.values() if value is not None), default=0.0)


def _cell(row: LayerRow, name: str, profile: Mapping[str, Sequence[Layer]]) -> str:
    value = row.ns[name]
    if value is None:
        return "-"
    whole = sum(layer.ns or 0.0 for layer in profile[name])
    return f"{value / 1e6:.3f} {value / whole:4.0%}" if whole else f"{value / 1e6:.3f}"


def _account(runs: Sequence[Run]) -> str:
    """The overhead of profiling, and the parts' share of the profiled time."""
    profiled, extra, share = (
        profiles.latency_ns(runs, Kind.LAYERS, Role.LAYERS),
        profiles.overhead(runs),
        profiles.layer_share(runs),
    )
    parts = []
    if profiled and share is not None:
        parts.append(f"{profiled / 1e6:.3f} ms with the profile on, of whose time the parts explain {share:.0%}")
    if extra is not None:
        bare = profiles.latency_ns(runs, Kind.NATIVE, Role.BARE) or 0.0
        taken = profiles.taken_time(runs)
        cost = f"profiling costs {extra:+.1%}"
        if taken > OFF:
            cost = f"what profiling costs is not known, others took {taken:.0%} of the time"
        parts.append(f"{bare / 1e6:.3f} ms without it, in another process: {cost}")
    return "; ".join(parts)


def _counter_lines(name: str, layers: Sequence[Layer], top: int, width: int) -> list[str]:
    """Counters of a stepped framework, the steps that took longest first."""
    metrics = list(dict.fromkeys(r.metric for layer in layers for r in layer.readings))
    if not metrics:
        return []
    slowest = sorted(layers, key=lambda layer: -(layer.ns or 0.0))[: top or COUNTED]
    lines = ["", f"  {name}, counted between its steps (per inference)"]
    unreal = {r.metric for layer in layers for r in layer.readings if r.origin is Origin.EMULATED}
    heads = [GridColumn(metric + " [emulated]" * (metric in unreal), right=True) for metric in metrics]
    rows = []
    for layer in slowest:
        values = {r.metric: r for r in layer.readings}
        rows.append([layer.name, *(_value(values.get(metric)) for metric in metrics)])
    return [*lines, *grid.lines([STEP, *heads], rows, width)]


def _absent(name: str, runs: Sequence[Run]) -> list[str]:
    """Events without counts between the steps, by reason."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for window in run.windows if run.kind is Kind.LAYERS else ():
            for reading in window.readings:
                if reading.exactness is Exactness.MISSING and reading.metric not in reasons[reading.why]:
                    reasons[reading.why].append(reading.metric)
    return [f"  {name}: <not available> {', '.join(metrics)}: {sentence(why)}" for why, metrics in reasons.items()]


def _value(reading: Any) -> str:
    if reading is None or reading.value is None:
        return "<missing>"
    return f"{reading.value / 1e6:,.4f} ms" if reading.unit == "ns" else f"{reading.value:,.1f}"


def document(runs: Sequence[Run], nodes: Sequence[NetworkNode]) -> dict[str, Any]:
    """Parts, layers, costs of profiling and failures, for scripts. Times in ns per inference."""
    frameworks = profiles.by_framework(runs)
    profile = {name: layers for name, of in frameworks.items() if (layers := profiles.medians(of))}
    return {
        "format": 1,
        "network": runs[0].case.network,
        "input": runs[0].case.side,
        "batch": runs[0].case.batch,
        "parts": [{"nodes": list(r.nodes), "macs": r.macs, "ns": dict(r.ns)} for r in align_layers(nodes, profile)],
        "layers": {name: to_json(layers) for name, layers in profile.items()},
        "latency_ns": {n: profiles.latency_ns(of, Kind.NATIVE, Role.BARE) for n, of in frameworks.items()},
        "profiled_latency_ns": {n: profiles.latency_ns(of, Kind.LAYERS, Role.LAYERS) for n, of in frameworks.items()},
        "unattributed": unattributed(runs),
        "failures": [
            {"case": r.case.title, "message": sentence(r.failure.message)} for r in runs if r.failure is not None
        ],
    }
