"""Layers side by side as text and as one JSON document."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hwprof.analysis.layers import LayerRow, NetworkNode, side_by_side
from hwprof.records import Exactness, Kind, Layer, Origin, Role, Run, to_json
from hwprof.reports.terminal.run import emulation

WIDTH = 44
COUNTED = 20  # steps whose counters are shown where every part is


def of_framework(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by the title of their case, failed ones left out."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.failure is None:
            options = "".join(f" {name}={value}" for name, value in run.case.options)
            found[f"{run.case.framework}{options}"].append(run)
    return found


def medians(runs: Sequence[Run]) -> list[Layer]:
    """The layers of several rounds as one list: each time and count is the median of the rounds that have it."""
    profiled = [run for run in runs if run.kind is Kind.LAYERS]
    if not profiled:
        return []
    times: dict[str, list[float]] = defaultdict(list)
    counts: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in profiled:
        for layer in run.layers:
            if layer.ns is not None:
                times[layer.name].append(layer.ns)
            for reading in layer.readings:
                if reading.value is not None:
                    counts[layer.name, reading.metric].append(reading.value)
    return [
        replace(
            layer,
            ns=statistics.median(times[layer.name]) if times[layer.name] else None,
            readings=tuple(replace(r, value=statistics.median(counts[layer.name, r.metric])) for r in layer.readings),
        )
        for layer in profiled[0].layers
    ]


def latency_ns(runs: Sequence[Run], kind: Kind, role: Role) -> float | None:
    """Median latency of all windows of a role, in ns; None: there are none."""
    found = [ns for run in runs if run.kind is kind for w in run.windows if w.role is role for ns in w.latencies_ns]
    return statistics.median(found) if found else None


def cost(runs: Sequence[Run]) -> float | None:
    """Latency with the profile over latency without it, minus 1; medians over all rounds."""
    bare, profiled = latency_ns(runs, Kind.NATIVE, Role.BARE), latency_ns(runs, Kind.LAYERS, Role.LAYERS)
    return None if not bare or profiled is None else profiled / bare - 1


def text(runs: Sequence[Run], nodes: Sequence[NetworkNode], top: int, asked: bool = False) -> str:
    """A table of the parts, one column per framework; what profiling cost; the share of the time it explains.

    `asked`: events were named, and those that were not counted are said with the reason.
    """
    by_framework = of_framework(runs)
    told = {name: medians(of) for name, of in by_framework.items()}
    lines = [_heading(runs), *emulation(runs[0])]
    failures = {r.case.framework: r.failure for r in runs if r.failure is not None}
    lines += [f"  {name} failed: {failure.message}" for name, failure in failures.items()]
    told = {name: layers for name, layers in told.items() if layers}
    if not told:
        return "\n".join(lines)
    rows = side_by_side(nodes, told)
    shown = rows if top == 0 else sorted(rows, key=_slowest, reverse=True)[:top]
    width = max(12, *(len(name) for name in told))
    macs = f"{'MMACs':>8}"
    lines += [
        "",
        f"  {'part of the network':<{WIDTH}}  {macs}  " + "  ".join(f"{n + ' ms':>{width + 3}}" for n in told),
    ]
    for row in shown:
        million = "unknown" if row.macs is None and row.nodes else f"{row.macs / 1e6:,.1f}" if row.macs else "-"
        cells = "  ".join(f"{_cell(row, name, told):>{width + 3}}" for name in told)
        lines.append(f"  {title(row):<{WIDTH}}  {million:>8}  {cells}")
    if len(shown) < len(rows):
        lines.append(f"  ... {len(rows) - len(shown)} more: --top 0")
    lines.append("")
    for name, of in by_framework.items():
        if name in told:
            lines.append(f"  {name}: {_account(of)}")
    for name, layers in told.items() if asked else ():
        lines += _counted(name, layers, top)
    for name, of in by_framework.items():
        if name in told and asked:
            lines += _absent(name, of)
    return "\n".join(lines)


def _heading(runs: Sequence[Run]) -> str:
    case = runs[0].case
    rounds = len({run.round for run in runs})
    shape = f"{case.batch}x3x{case.size}x{case.size}" if case.size else f"batch {case.batch}"
    threads = f"{case.threads} thread{'s' * (case.threads != 1)}"
    return (
        f"{case.network} {shape} {case.precision} · {threads} · {rounds} rounds, medians · time per inference and part"
    )


def title(row: LayerRow) -> str:
    """A part by its first and last node."""
    if not row.nodes:
        return "beside the network (layout, copies)"
    first, last = row.nodes[0], row.nodes[-1]
    name = first if first == last else f"{first} +{len(row.nodes) - 1}"
    return name if len(name) <= WIDTH else "..." + name[3 - WIDTH :]


def _slowest(row: LayerRow) -> float:
    return max((value for value in row.ns.values() if value is not None), default=0.0)


def _cell(row: LayerRow, name: str, told: Mapping[str, Sequence[Layer]]) -> str:
    value = row.ns[name]
    if value is None:
        return "-"
    whole = sum(layer.ns or 0.0 for layer in told[name])
    return f"{value / 1e6:.3f} {value / whole:4.0%}" if whole else f"{value / 1e6:.3f}"


def explained(runs: Sequence[Run]) -> float | None:
    """Share of the profiled windows' time that the layers tell; the median of the rounds."""
    shares = [
        sum(layer.ns or 0.0 for layer in run.layers) / (window.elapsed_s * 1e9 / len(window.latencies_ns))
        for run in runs
        for window in run.windows
        if window.role is Role.LAYERS and window.latencies_ns
    ]
    return statistics.median(shares) if shares else None


def _account(runs: Sequence[Run]) -> str:
    """What profiling costs, and how much of the profiled time the parts explain."""
    profiled, extra, share = latency_ns(runs, Kind.LAYERS, Role.LAYERS), cost(runs), explained(runs)
    said = []
    if profiled and share is not None:
        said.append(f"{profiled / 1e6:.3f} ms with the profile on, of whose time the parts explain {share:.0%}")
    if extra is not None:
        bare = latency_ns(runs, Kind.NATIVE, Role.BARE) or 0.0
        said.append(f"{bare / 1e6:.3f} ms without it: profiling costs {extra:+.1%}")
    return "; ".join(said)


def _counted(name: str, layers: Sequence[Layer], top: int) -> list[str]:
    """Counters of a stepped framework, the steps that took longest first."""
    metrics = list(dict.fromkeys(r.metric for layer in layers for r in layer.readings))
    if not metrics:
        return []
    slowest = sorted(layers, key=lambda layer: -(layer.ns or 0.0))[: top or COUNTED]
    lines = ["", f"  {name}, counted between its steps (per inference)"]
    unreal = {r.metric for layer in layers for r in layer.readings if r.origin is Origin.EMULATED}
    heads = (f"{metric + ' [emulated]' * (metric in unreal):>18}" for metric in metrics)
    lines.append(f"  {'step':<{WIDTH}}  " + "  ".join(heads))
    for layer in slowest:
        values = {r.metric: r for r in layer.readings}
        cells = "  ".join(f"{_value(values.get(metric)):>18}" for metric in metrics)
        lines.append(f"  {layer.name[-WIDTH:]:<{WIDTH}}  {cells}")
    return lines


def _absent(name: str, runs: Sequence[Run]) -> list[str]:
    """Events without counts between the steps, by reason."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for window in run.windows if run.kind is Kind.LAYERS else ():
            for reading in window.readings:
                if reading.exactness is Exactness.MISSING and reading.metric not in reasons[reading.why]:
                    reasons[reading.why].append(reading.metric)
    return [f"  {name}: <not available> {', '.join(metrics)}: {why}" for why, metrics in reasons.items()]


def _value(reading: Any) -> str:
    if reading is None or reading.value is None:
        return "<missing>"
    return f"{reading.value / 1e6:,.4f} ms" if reading.unit == "ns" else f"{reading.value:,.1f}"


def document(runs: Sequence[Run], nodes: Sequence[NetworkNode]) -> dict[str, Any]:
    """Parts, layers, costs of profiling and failures, for scripts. Times in ns per inference."""
    by_framework = of_framework(runs)
    told = {name: layers for name, of in by_framework.items() if (layers := medians(of))}
    return {
        "network": runs[0].case.network,
        "batch": runs[0].case.batch,
        "parts": [{"nodes": list(r.nodes), "macs": r.macs, "ns": dict(r.ns)} for r in side_by_side(nodes, told)],
        "layers": {name: to_json(layers) for name, layers in told.items()},
        "latency_ns": {n: latency_ns(of, Kind.NATIVE, Role.BARE) for n, of in by_framework.items()},
        "profiled_latency_ns": {n: latency_ns(of, Kind.LAYERS, Role.LAYERS) for n, of in by_framework.items()},
        "failures": [{"case": r.case.title, "message": r.failure.message} for r in runs if r.failure is not None],
    }
