"""Ceilings and cases under them: text and tables. Reads stored results only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hwprof.analysis.roofline import COMPUTE, MEMORY_SIDE, SHARE, UNDECIDED, Placement, Roof, UnplacedCase
from hwprof.printable import plural
from hwprof.records import Ceiling, to_json
from hwprof.reports.tables import Report, Table

HEADER = ("case", "GFLOP/s", "by", "FLOP/byte", "of attainable", "side", "level", "bytes")
NOTE = (
    "GFLOP/s: 2 x MACs x frames per second. by: of CPU time where a case has one thread, as ceilings are per CPU time "
    "and others on its core lower neither; else FPS; throughput where a run is disturbed. "
    "of attainable: beside min(peak, intensity x bandwidth of the level), with its interval between rounds and over "
    "the repetitions of the ceilings. side: compute or memory where the intervals of both ceilings allow nothing else. "
    "bytes: the model's compulsory traffic (weights once per batch, inputs and outputs of convolutions and matrix "
    "products once): a lower bound, so that the intensity is an upper one. level: the smallest cache that holds "
    "weights and the largest layer."
)


def quantity(value: float, unit: str) -> str:
    """A figure with its prefix: 100 Gop/s, 31 GB/s, 4.2 ns."""
    if unit == "s":
        return f"{value * 1e9:.3g} ns"
    for scale, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= scale:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def ceilings_text(found: Sequence[Ceiling], label: str) -> str:
    """The text of `hwprof roofline --measure`."""
    cpus = ",".join(map(str, found[0].cpus)) if found else ""
    lines = [f"{label} · CPUs {cpus}", ""]
    for c in found:
        name = f"  {c.what:<10} {c.of:<12}"
        if c.value is None:
            lines.append(f"{name} {'<not available>':>14}  {c.why}")
            continue
        e = c.evidence
        spread = f"[{quantity(e['low'], c.unit)}, {quantity(e['high'], c.unit)}]"
        facts = [plural(e["repetitions"], "repetition")]
        if "times_scalar" in e:
            facts.append(f"{e['times_scalar']:.1f}x of scalar")
        if "vectorised" in e:
            facts.append("vector instructions in its code" if e["vectorised"] else "NOT VECTORISED by this compiler")
        if "working_set_bytes" in e:
            facts.append(f"{e['working_set_bytes'] / 1024:,.0f} KiB per CPU")
        if "by" in e:
            facts.append(f"by {e['by']}: {e['instead']}")
        lines.append(f"{name} {quantity(c.value, c.unit):>14}  {spread}  {', '.join(facts)}")
    shares = [c.evidence["share"] for c in found if "share" in c.evidence]
    if shares and min(shares) < SHARE:
        lines += [
            "",
            f"  Doubt: it had its CPUs for {100 * min(shares):.0f} to {100 * max(shares):.0f} % of the time, something "
            "else ran on them. Rates are per CPU time;",
            "  those of caches and memory are disturbed all the same: repeat it on a quiet machine",
        ]
    return "\n".join(lines)


def document(
    good: Sequence[tuple[Placement, Roof]], out: Sequence[UnplacedCase], ceilings: Sequence[Ceiling]
) -> dict[str, Any]:
    """For --json."""
    return {
        "format": 1,
        "cases": [{**to_json(p), "cpus": list(r.cpus)} for p, r in good],
        "not_placed": to_json(out),
        "ceilings": [
            {
                **{key: getattr(c, key) for key in ("machine_id", "machine", "name", "value", "unit")},
                "evidence": to_json({**c.evidence, "what": c.what, "of": c.of, "cpus": c.cpus}),
            }
            for c in ceilings
        ],
    }


def report(good: Sequence[tuple[Placement, Roof]], out: Sequence[UnplacedCase]) -> Report:
    """Summary, the table of cases, and the cases without a roof."""
    summary: list[str] = []
    for roof in {id(r): r for _, r in good}.values():
        peaks = ", ".join(f"{n} {quantity(v, 'op/s')} ({roof.isa[n]})" for n, v in roof.compute.items())
        speeds = ", ".join(f"{n} {quantity(v, 'B/s')}" for n, v in roof.bandwidth.items())
        summary.append(f"{roof.machine} · CPUs {','.join(map(str, roof.cpus))}: {peaks}; {speeds}")
        if roof.share < SHARE:
            summary.append(f"the ceilings were measured with {100 * roof.share:.0f} % of the CPU: a busy machine")
    if good:
        ranked = [p for p, _ in good if not p.point.is_lowered]
        sides = Counter(p.side for p, _ in good)
        summary.append(
            f"of {plural(len(good), 'case')} {sides[COMPUTE]} are on the side of compute, "
            f"{sides[MEMORY_SIDE]} on that of memory, {sides[UNDECIDED]} are undecided"
        )
        if ranked:
            best, worst = max(ranked, key=lambda p: p.share), min(ranked, key=lambda p: p.share)
            summary.append(
                f"nearest to its ceiling: {best.point.title}, {_share(best)}; "
                f"farthest: {worst.point.title}, {_share(worst)}"
            )
        if len(ranked) < len(good):
            summary.append(
                f"{plural(len(good) - len(ranked), 'case is', 'cases are')} not ranked: others used "
                f"their cores and lowered them"
            )
    elif not out:
        summary.append("There is no native run in these results: hwprof sweep quick measures some.")
    tables = [Table("Cases and their ceilings", HEADER, tuple(_row(p) for p, _ in good), _notes(good))] if good else []
    if out:
        tables.append(Table("Not placed", ("case", "why"), tuple((u.title, u.why) for u in out)))
    return Report(tuple(summary), tuple(tables))


def _share(p: Placement) -> str:
    """`71 % [65, 78]`."""
    bounds = "" if p.bounds is None else f" [{100 * p.bounds[0]:.0f}, {100 * p.bounds[1]:.0f}]"
    return f"{100 * p.share:.0f} %{bounds}"


def _row(p: Placement) -> tuple[str, ...]:
    return (
        p.point.title,
        f"{p.performance / 1e9:.3g}",
        p.point.by.value.removesuffix(" per frame"),
        f"{p.intensity:.3g}",
        _share(p) + ("!" if p.notes else ""),
        p.side,
        p.level,
        f"{p.point.bytes / 1e6:.3g} MB, {p.point.origin}",
    )


def _notes(good: Sequence[tuple[Placement, Roof]]) -> str:
    notes = dict.fromkeys(note for p, _ in good for note in p.notes)
    return " ".join((NOTE, *(f"! {note}." for note in notes)))
