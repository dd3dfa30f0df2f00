"""Tables that only the page has: every run, the machine and the software, and bars of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hwprof.analysis.correlation.strata import NETWORK, VARIANT
from hwprof.analysis.estimator import is_disturbed
from hwprof.machine import facts as machine_facts
from hwprof.networks.stored_precision import is_stored
from hwprof.records import Agreement, Layer, Run
from hwprof.reports.html.model import Figure
from hwprof.reports.html.svg import LETTER, Svg, axis
from hwprof.reports.page.words import number
from hwprof.reports.tables import Table
from hwprof.speed import Speed

BARS = 30


def runs_table(frame: pd.DataFrame) -> Table:
    """One row per run: its case and its speed."""
    columns = {
        "run": "run",
        "framework": VARIANT,
        "network": NETWORK,
        "input": "side",
        "batch": "batch",
        "threads": "threads",
        "CPUs": "cpus",
        "precision": "precision",
        "round": "round",
        "FPS": "fps",
        "frames/s": "throughput",
        "CPU ms/frame": "cpu_ms",
        "latency ms": "latency_ms",
        "p99 ms": "p99_ms",
        "load ms": "load_ms",
        "peak RSS MiB": "peak_rss_mib",
    }
    cells = []
    frame = frame.assign(side=[shape or size for size, shape in zip(frame["size"], frame["shape"], strict=True)])
    for source in columns.values():
        values = frame[source].tolist()
        numeric = source in ("fps", "throughput", "cpu_ms", "latency_ms", "p99_ms", "load_ms", "peak_rss_mib")
        if source == "precision":
            values = [precision_text(*pair) for pair in zip(values, frame["computed"].tolist(), strict=True)]
        cells.append([number(v, 4) if numeric else str(v + 1 if source == "round" else v) for v in values])
    state = (frame[n] for n in ("status", "agreement", "emulated", "failure"))
    speeds = zip(*(frame[n] for n in ("fps", "throughput", "waiting", "stolen")), strict=True)
    off = [is_disturbed(Speed(None, fps, throughput, None, *shares)) for fps, throughput, *shares in speeds]
    cells.append([_state(*v) for v in zip(*state, off, strict=True)])
    rows = tuple(zip(*cells, strict=True))
    return Table("Every run", (*columns, "state"), rows, "All metrics of all runs: hwprof export --format csv.")


def precision_text(precision: str, computed: str | None) -> str:
    """The precision of a case; of a file with one of its own also what it was computed in: `int8 (QDQ), in fp32`."""
    return f"{precision}, in {computed}" if is_stored(precision) and computed else precision


def _state(status: Any, agreement: Any, emulated: Any, failure: Any, off: bool) -> str:
    words = [] if status == "ok" else [f"failed: {failure}"]
    if agreement == Agreement.UNFAITHFUL:
        words.append("UNFAITHFUL")
    elif str(agreement).startswith(Agreement.INCOMPARABLE):
        words.append(str(agreement))
    if emulated:
        words.append("EMULATED")
    if off:
        words.append("FPS off")
    return ", ".join(words) or "ok"


def machines(runs: Sequence[Run]) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Each machine with its hardware, states and software; differing values side by side."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(machine_facts.machine_id(run.machine), []).append(run)
    out = []
    for group in groups.values():
        facts: dict[str, dict[str, None]] = {}
        seen = set()
        for run in group:
            for part in (run.machine, run.host_state, run.software):
                if id(part) in seen or (text := repr(part)) in seen:
                    continue
                seen |= {id(part), text}
                for name, value in _flat(part):
                    facts.setdefault(name, {})[value] = None
        rows = tuple((name, " | ".join(values)) for name, values in facts.items())
        out.append((machine_facts.description(group[0].machine), rows))
    return out


def _flat(facts: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    out = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            out += _flat(value, f"{above}{name} ")
        elif isinstance(value, list | tuple) and value and all(isinstance(v, Mapping) for v in value):
            out += [(f"{above}{name}", " · ".join(" ".join(f"{k} {x}" for k, x in v.items()) for v in value))]
        elif value is not None and value != "":
            text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            out.append((f"{above}{name}".replace("_", " "), text))
    return out


def layer_bars(title: str, layers: Sequence[Layer], key: str) -> Figure:
    """Time per layer, the longest first, the rest in one bar. Only layers with a time."""
    timed = [(layer, layer.ns) for layer in layers if layer.ns is not None]
    ranked = sorted(timed, key=lambda item: -item[1])
    shown, rest = ranked[:BARS], ranked[BARS:]
    total = sum(ns for _, ns in timed) or 1
    bars = [(f"{layer.name[-34:]} ({layer.op})", ns, layer.macs) for layer, ns in shown]
    if rest:
        bars.append((f"{len(rest)} others", sum(ns for _, ns in rest), None))
    left = 12 + LETTER * max(len(name) for name, _, _ in bars)
    draw = Svg(left + 430, 0, f"Time per layer: {title}")
    x = axis([ns / 1e6 for _, ns, _ in bars], left, left + 400, zero=True)
    bottom = 8 + 17 * len(bars)
    draw.x_axis(x, bottom, 8, "ms per inference, with the profiler's own cost in it")
    for index, (name, ns, macs) in enumerate(bars):
        y = 8 + 17 * index
        rate = "" if not macs else f", {macs / ns:.2f} GMAC/s"
        draw.text(left - 8, y + 12, name, "t", "end")
        text = f"{name}: {ns / 1e6:.3f} ms, {ns / total:.1%}{rate}"
        draw.add(
            "rect", title=text, x=left, y=y + 2, width=max(1.0, x.at(ns / 1e6) - left), height=13, class_="solid s0"
        )
    draw.height = bottom + 38
    rows = tuple((layer.name, layer.op, ns, layer.macs) for layer, ns in timed)
    return Figure(key, title, draw.render(), ("node", "op", "ns", "MACs"), rows)
