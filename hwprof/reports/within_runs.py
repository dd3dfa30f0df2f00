"""What varies with latency within the runs of a case, in sentences and as JSON: for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwprof.analysis.over_time.comovement import Comovement, WithinRuns
from hwprof.printable import capital, plural
from hwprof.records import to_json

SHOWN = 3  # counters that are named; the document has all
ALSO = 3
NOT_SLICED = "not known: these runs have no slices (`hwprof run` measures in slices)"


def lines(found: WithinRuns | None) -> list[str]:
    """A heading and sentences; of runs without slices one that says so."""
    return ["Within runs", f"{capital(NOT_SLICED)}."] if found is None else [heading(found), *sentences(found)]


def heading(found: WithinRuns) -> str:
    """`Within runs (84 slices of 3 rounds; association, not causation)`."""
    of = f"{plural(found.slices, 'slice')} of {plural(found.runs, 'round')}"
    return f"Within runs ({of}; association, not causation)"


def sentences(found: WithinRuns) -> list[str]:
    """How much the latency of a slice varies within runs, which part of it does, and which counters move with it."""
    out = [f"Latency of a slice varies by {100 * found.spread:.1f} % (standard deviation around the mean of its run)."]
    if found.parts is not None:
        out.append(f"Of that variance {parts_words(found.parts)}.")
    if found.why:
        return [*out, f"{capital(found.why)}, so that no counter was tested."]
    quantity = "latency without waiting" if found.without_waiting else "latency"
    hits = found.found
    out += [f"{capital(quantity)} {comovement_words(one)}." for one in hits[:SHOWN]]
    if len(hits) > SHOWN:
        out.append(f"{capital(plural(len(hits) - SHOWN, 'more counter'))} of {found.family} moved with it.")
    if not hits:
        least = min(c.q for c in found.tested)
        out.append(f"No counter is known to move with {quantity} ({found.family} tested, smallest q {least:.2g}).")
    return out


def parts_words(parts: Mapping[str, float]) -> str:
    """`77 % is waiting for a CPU, 27 % own CPU time, -4 % the rest`."""
    (first, share), *others = parts.items()
    return ", ".join([f"{100 * share:.0f} % is {first}", *(f"{100 * own:.0f} % {name}" for name, own in others)])


def comovement_words(one: Comovement) -> str:
    """`rises with l2-misses (r +0.62 [0.40, 0.77], q 0.003, 84 slices that say as much as 61 independent ones)`."""
    direction = "rises" if one.r > 0 else "falls"
    bounds = f"r {one.r:+.2f} [{one.low:.2f}, {one.high:.2f}], q {one.q:.2g}"
    of = f"{plural(one.slices, 'slice')} that say as much as {one.effective:.0f} independent ones"
    also = f"; not distinguishable from it: {also_words(one)}" if one.also else ""
    return f"{direction} with {one.metric} ({bounds}, {of}{also})"


def also_words(one: Comovement) -> str:
    """Names of the counters that move with one."""
    more = f" and {len(one.also) - ALSO} more" if len(one.also) > ALSO else ""
    return ", ".join(one.also[:ALSO]) + more


def document(found: WithinRuns | None) -> dict[str, Any] | None:
    """All of it as plain JSON; None: no slices."""
    if found is None:
        return None
    tested = [{**to_json(one), "found": one.is_found} for one in found.tested]
    return {**to_json(found), "tested": tested}
