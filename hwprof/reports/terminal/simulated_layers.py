"""What a simulator counted in each layer, as text and as one JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.analysis.layers import UNATTRIBUTED
from hwprof.analysis.vector_work import DATA, PER_ACCESS, VectorWork, vector_work
from hwprof.printable import plural, sentence
from hwprof.records import Layer, Run, to_json
from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.run import input_of
from hwprof.reports.terminal.style import columns, wrap

# Metric -> the head of its column; those of `DATA` come behind it, where they were counted.
COUNTS: Mapping[str, str] = {
    "instructions": "instructions",
    "vector-instructions": "vector",
    "vector-loads": "v. loads",
    "vector-stores": "v. stores",
    "vset-instructions": "vset",
    "fp-instructions": "scalar FP",
}
MOST_NAMED = 8


def text(runs: Sequence[Run], top: int, width: int | None = None) -> str:
    """A table of the layers for each framework, then what stays scalar. `width`: of the longest line."""
    width = columns() if width is None else width
    case = runs[0].case
    lines = wrap(
        f"{case.network} {input_of(runs[0])} {case.precision} · 1 inference, user mode · SIMULATED: counts of a model, "
        "no times",
        width,
        "",
        "  ",
    )
    for run in runs:
        if run.failure is not None:
            lines += wrap(f"{run.case.framework} failed: {sentence(run.failure.message)}", width, "  ", "    ")
            continue
        lines += ["", *wrap(_heading(run), width, "  ", "    "), *_table(run, top, width)]
        for remark in remarks(run):
            lines += wrap(remark, width, "  ", "    ")
    return "\n".join(lines)


def _heading(run: Run) -> str:
    options = "".join(f" {name}={value}" for name, value in run.case.options)
    return f"{run.case.framework}{options}, by {run.facts.get('simulator', 'a simulator')}"


def _table(run: Run, top: int, width: int) -> list[str]:
    work = [vector_work(layer.readings) for layer in run.layers]
    order = sorted(range(len(work)), key=lambda i: -(work[i].counts.get("instructions") or 0.0))
    shown = list(range(len(work))) if top == 0 else order[:top]
    data = [metric for metric in DATA if any(metric in one.counts for one in work)]
    heads = [
        GridColumn("layer", shortens=True, is_key=True),
        GridColumn("operator", shortens=True, drop=2),
        GridColumn("MMACs", right=True, drop=3),
        *(GridColumn(head, right=True) for head in COUNTS.values()),
        *(GridColumn(DATA[metric], right=True) for metric in data),
        GridColumn("v. share", right=True, drop=1),
    ]
    names = [*COUNTS, *data]
    rows = [_row(run.layers[i], work[i], names) for i in shown]
    rows.append(_row(Layer("all layers", "", None), total(work), names))
    rest = len(work) - len(shown)
    return [*grid.lines(heads, rows, width), *([f"  ... {rest} more: --top 0"] if rest else [])]


def _row(layer: Layer, work: VectorWork, names: Sequence[str]) -> list[str]:
    macs = "-" if not layer.macs else f"{layer.macs / 1e6:,.1f}"
    cells = [_number(work.counts.get(name), name) for name in names]
    share = "-" if work.share is None else f"{work.share:.1%}"
    return [layer.name, layer.op, macs, *cells, share]


def _number(value: float | None, name: str) -> str:
    if value is None:
        return "-" if name == PER_ACCESS else "<missing>"  # nothing was accessed by vectors
    return f"{value:,.1f}" if name == PER_ACCESS else f"{value:,.0f}"


def total(work: Sequence[VectorWork]) -> VectorWork:
    """All layers as one."""
    return VectorWork.sum_of(work)


def remarks(run: Run) -> list[str]:
    """What stays scalar, whose steps are nobody's, and what the whole inference takes beside its layers."""
    work = [vector_work(layer.readings) for layer in run.layers]
    scalar = [layer for layer, one in zip(run.layers, work, strict=True) if one.stays_scalar]
    found = []
    if scalar:
        names = ", ".join(layer.name for layer in scalar[:MOST_NAMED]) + ", ..." * (len(scalar) > MOST_NAMED)
        part = sum(
            one.counts.get("instructions") or 0.0
            for layer, one in zip(run.layers, work, strict=True)
            if layer in scalar
        )
        whole = total(work).counts.get("instructions")
        share = f" ({part / whole:.0%} of the instructions)" if whole else ""
        verb = "computes" if len(scalar) == 1 else "compute"
        found.append(f"{plural(len(scalar), 'layer')} {verb} with scalar floating point alone{share}: {names}")
    elif any(one.counts.get("vector-instructions") for one in work):
        found.append("no layer computes with scalar floating point alone")
    if why := run.facts.get(UNATTRIBUTED):
        found.append(f"the steps are attributed to no node, because {why}")
    return [sentence(one) for one in found]


def document(runs: Sequence[Run]) -> dict[str, Any]:
    """Layers with their readings, and failures, for scripts. Counts per inference."""
    return {
        "format": 1,
        "network": runs[0].case.network,
        "input": runs[0].case.side,
        "layers": {
            run.case.title: {"simulator": run.facts.get("simulator"), "layers": to_json(run.layers)}
            for run in runs
            if run.failure is None
        },
        "failures": [
            {"case": r.case.title, "message": sentence(r.failure.message)} for r in runs if r.failure is not None
        ],
    }
