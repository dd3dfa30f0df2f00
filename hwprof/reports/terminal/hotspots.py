"""The text of `hwprof record`: the hottest functions and libraries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.printable import plural, printable
from hwprof.programs import samples
from hwprof.programs.samples import UNKNOWN
from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.style import columns, wrap

if TYPE_CHECKING:
    from hwprof.programs.recording import Recording, Sampling

# Format of the JSON document. 1: first edition.
FORMAT = 1
FUNCTIONS = (
    GridColumn("self", right=True),
    GridColumn("total", right=True),
    GridColumn("function", shortens=True, is_key=True),
    GridColumn("library", shortens=True),
)
LIBRARIES = (GridColumn("self", right=True), GridColumn("library", shortens=True, is_key=True))


def text(
    found: Recording, sampling: Sampling, top: int, path: Path, everything: bool = False, width: int | None = None
) -> str:
    """Two tables and the path of the flame graph.

    `everything`: all functions and libraries; `width`: of the longest line, None: as wide as stdout takes.
    """
    width = columns() if width is None else width
    hot = samples.hottest(found.samples)
    lines = wrap(found.what, width, "", "  ")
    count = plural(len(found.samples), "sample", form=",")
    lines += wrap(f"{count} by {sampling.event} at {sampling.hz} Hz in {found.seconds:.2f} s", width, "", "  ")
    named = [h for h in hot if h.self_ > 0]
    functions = [
        (f"{h.self_:.2%}", f"{h.total:.2%}", h.symbol, f"[{samples.short_name(h.library).strip('[]')}]")
        for h in (named if everything else named[:top])
    ]
    lines += ["", *grid.lines(FUNCTIONS, functions, width)]
    libraries = samples.libraries(found.samples)
    shares = [(f"{share:.2%}", samples.short_name(name)) for name, share, _ in libraries]
    lines += ["", *grid.lines(LIBRARIES, shares if everything else shares[:top], width)]
    unknown = sum(h.self_ for h in hot if h.symbol == UNKNOWN)
    if unknown > 0.2:
        why = "code made at run time, or stripped libraries (debug symbols help)"
        lines += ["", *wrap(f"{unknown:.0%} without a name: {why}", width, "  ", "    ")]
    if found.samples and _shallow(found):
        shallow = "most stacks are one or two frames deep: built without frame pointers? --call-graph dwarf"
        lines += ["", *wrap(shallow, width, "  ", "    ")]
    if found.unread.count:
        what = plural(found.unread.count, "line of perf script was", "lines of perf script were")
        first = f"{what} not understood, and their frames are missing. The first: {printable(found.unread.first)}"
        lines += ["", *wrap(first, width, "  ", "    ")]
    lines += ["", f"flame graph: {path}"]
    return "\n".join(lines)


def result_line(found: Recording, path: Path) -> str:
    """One line: the hottest function with its share, and the flame graph."""
    hottest = max(samples.hottest(found.samples), key=lambda h: h.self_)
    return f"{found.what}: {hottest.self_:.2%} in {hottest.symbol}  flame graph: {path}"


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
        "unread_lines": found.unread.count,
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
