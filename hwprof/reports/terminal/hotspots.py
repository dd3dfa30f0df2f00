"""The text of `hwprof record`: the hottest functions and libraries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.printable import plural
from hwprof.programs import samples
from hwprof.programs.samples import UNKNOWN

if TYPE_CHECKING:
    from hwprof.programs.recording import Recording, Sampling

# Format of the JSON document. 1: first edition.
FORMAT = 1
LONGEST = 72


def text(found: Recording, sampling: Sampling, top: int, path: Path) -> str:
    """Two tables and the path of the flame graph."""
    hot = samples.hottest(found.samples)
    lines = [
        found.what,
        f"{plural(len(found.samples), 'sample', form=',')} by {sampling.event} at {sampling.hz} Hz in "
        f"{found.seconds:.2f} s",
        "",
        f"  {'self':>7}  {'total':>7}  function",
    ]
    for row in [h for h in hot if h.self_ > 0][:top]:
        name = row.symbol if len(row.symbol) <= LONGEST else f"{row.symbol[: LONGEST - 1]}…"
        lines.append(f"  {row.self_:>7.2%}  {row.total:>7.2%}  {name}  [{samples.short_name(row.library).strip('[]')}]")
    lines += ["", f"  {'self':>7}  library"]
    for name, share, _ in samples.libraries(found.samples)[:top]:
        lines.append(f"  {share:>7.2%}  {samples.short_name(name)}")
    unknown = sum(h.self_ for h in hot if h.symbol == UNKNOWN)
    if unknown > 0.2:
        lines += [
            "",
            f"  {unknown:.0%} without a name: code made at run time, or stripped libraries (debug symbols help)",
        ]
    if found.samples and _shallow(found):
        lines += ["", "  most stacks are one or two frames deep: built without frame pointers? --call-graph dwarf"]
    lines += ["", f"flame graph: {path}"]
    return "\n".join(lines)


def _shallow(found: Recording) -> bool:
    return sum(len(s.stack) <= 2 for s in found.samples) > len(found.samples) / 2


def document(found: Recording, sampling: Sampling, path: Path) -> dict[str, Any]:
    """The same for programs; shares are of the weight (period) of all samples."""
    return {
        "format": FORMAT,
        "what": found.what,
        "event": sampling.event,
        "frequency_hz": sampling.hz,
        "call_graph": sampling.graph,
        "seconds": found.seconds,
        "samples": len(found.samples),
        "exit_code": None if found.ended is None else found.ended.exit_code,
        "flame_graph": str(path),
        "symbols": [
            {"symbol": h.symbol, "library": h.library, "self": h.self_, "total": h.total, "samples": h.samples}
            for h in samples.hottest(found.samples)
        ],
        "libraries": [
            {"library": name, "self": share, "samples": count}
            for name, share, count in samples.libraries(found.samples)
        ],
    }
