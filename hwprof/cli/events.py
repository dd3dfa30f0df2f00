"""List the events this machine offers, the canonical ones first, each probed by opening it; or check them.

PATTERN is a shell pattern or a part of a name. Tracepoints are listed only where it has a colon (sched:*).

--validate counts programs whose counts are known by arithmetic: a PMU may open an event and count nothing, or something
else. Each event is right, off by a factor, dead (counts nothing), or it miscounts. `unproven`: no program has an
answer for it. `missing`: it can't be opened here. The verdicts are kept with this host, and reports mark readings of
what failed as suspect. A C compiler is needed, or the program, compiled elsewhere:

  CC=riscv64-linux-gnu-gcc hwprof events --validate --compile truth-riscv64     # at home
  hwprof events --validate --program truth-riscv64                              # on the board

--export FILE writes a CPU table of the events that are right here, with their codes, the core's id, the kernel and the
date. HWPROF_CPUS=FOLDER uses the tables of a folder. Others with this core can use it too (docs/adding-a-cpu.md).
"""

from __future__ import annotations

import argparse
import fnmatch
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hwprof.cli import validate
from hwprof.cli.options import add_case, print_json, refuse_options
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.names import CACHE, HARDWARE, SOFTWARE, describe
from hwprof.collectors.perf.tables import CANONICAL, KERNELS_OWN, unit_of
from hwprof.collectors.perf.tool_events import TOOL
from hwprof.collectors.perf.tracepoints import NO_TRACEFS, TRACING
from hwprof.collectors.protocol import Available
from hwprof.errors import EXIT_OK, NotAvailable, UnknownEvent, UsageError
from hwprof.printable import advice, sentence

# Two and a half thousand tracepoints would take a while to open.
MOST_TRACEPOINTS = 200


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event. `available` False: `reason` and `remedy` say why not."""

    name: str
    kind: str  # canonical | hardware | software | tool | cache | vendor | sysfs | tracepoint | unreadable
    available: bool
    meaning: str
    source: str = ""
    reason: str = ""
    remedy: str = ""
    unit: str = ""  # of canonical names: what is counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("pattern", nargs="?", metavar="PATTERN", help="shell pattern or part of a name; a:b tracepoints")
    add("--validate", action="store_true", help="check the events by programs of known counts")
    validate.add_arguments(parser)
    add_case(parser, "json")


def main(args: argparse.Namespace) -> int:
    """Print the list. UnknownEvent where nothing matches the pattern."""
    if args.validate:
        return validate.main(args, lambda name: matches(name, args.pattern))
    refuse_options(args, validate.OPTIONS, "--validate", "`hwprof events PATTERN` lists events.")
    collector = PerfCollector()
    collector.catalog.lenient = True
    rows = [*listing(collector, args.pattern), *unreadable_rows(collector, args.pattern)]
    if not rows:
        raise UnknownEvent(args.pattern, collector.parser.names())
    if args.json:
        print_json(document(collector, rows))
    else:
        print(table(collector, rows, shutil.get_terminal_size().columns if sys.stdout.isatty() else 0))
    return EXIT_OK


def names(collector: PerfCollector, pattern: str | None) -> Iterator[tuple[str, str]]:
    """(kind, name) of every event that matches, in the order they are shown."""
    if pattern and ":" in pattern:
        yield from (("tracepoint", name) for name in _tracepoints(collector.catalog.root, pattern))
        return
    catalog = collector.catalog
    kinds: list[tuple[str, list[str]]] = [
        ("canonical", list(CANONICAL)),
        ("hardware", list(HARDWARE)),
        ("software", list(SOFTWARE)),
        ("tool", list(TOOL)),
        ("cache", list(CACHE)),
        ("vendor", list(dict.fromkeys(name for k in catalog.kinds if k.table for name in k.table.vendor))),
        ("sysfs", [f"{p.name}/{e}/" for p in catalog.pmus.values() for e in p.events]),
    ]
    for kind, members in kinds:
        yield from ((kind, name) for name in members if matches(name, pattern))


def matches(name: str, pattern: str | None) -> bool:
    """A shell pattern must fit the whole name, plain text a part of it; case does not matter."""
    if not pattern:
        return True
    if any(c in pattern for c in "*?["):
        return fnmatch.fnmatch(name.lower(), pattern.lower())
    return pattern.lower() in name.lower()


def _tracepoints(root: Path, pattern: str) -> list[str]:
    """Names that match. NotAvailable where there is a pattern and no list of tracepoints to be read."""
    found: list[str] = []
    is_listed = False
    for place in TRACING:
        try:
            events = sorted((root / place / "events").glob("*/*/id"))
        except OSError:
            continue
        is_listed |= bool(events)
        found = [name for p in events if matches(name := f"{p.parts[-3]}:{p.parts[-2]}", pattern)]
        if found:
            break
    if len(found) > MOST_TRACEPOINTS:
        raise UsageError(f"{len(found)} tracepoints match '{pattern}'", f"narrow it to {MOST_TRACEPOINTS} or fewer")
    # Not mounted, or no such tracepoint: a full name is probed all the same, and says which.
    if found or not any(c in pattern for c in "*?["):
        return found or [pattern]
    if not is_listed:
        raise NotAvailable(f"tracepoints can't be listed: {NO_TRACEFS.reason}", NO_TRACEFS.remedy)
    return []


def listing(collector: PerfCollector, pattern: str | None = None) -> Iterator[EventRow]:
    """Every matching event, probed."""
    for kind, name in names(collector, pattern):
        try:
            events = collector.parser.events(name)
        except UsageError as error:
            if name == pattern:  # a full name of a tracepoint, which nobody listed
                raise
            yield EventRow(name, kind, False, "", reason=error.message, remedy=error.remedy)
            continue
        for event in events:
            found = collector.probe_event(event)
            shown = event.metric if event.cluster and event.whole else name
            unit = unit_of(name) if name in CANONICAL or name in KERNELS_OWN else "ns" if name in TOOL else ""
            if isinstance(found, Available):
                yield EventRow(shown, kind, True, found.meaning or describe(name), found.source, unit=unit)
            else:
                meaning = event.meaning or describe(name)
                yield EventRow(shown, kind, False, meaning, event.source, found.reason, found.remedy, unit)


def unreadable_rows(collector: PerfCollector, pattern: str | None = None) -> Iterator[EventRow]:
    """A row for everything that can't be read: it would hide what it stands for, and ends nothing."""
    for name, why in collector.catalog.unreadable.items():
        if matches(name, pattern):
            yield EventRow(name, "unreadable", False, "", reason=why)


def document(collector: PerfCollector, rows: list[EventRow]) -> dict[str, object]:
    """The JSON form."""
    tables = [kind.table for kind in collector.catalog.kinds if kind.table]
    return {
        "format": 1,
        "cpu": list(collector.catalog.ids),
        "tables": [{"name": t.name, "verified": t.verified, "quirks": list(t.quirks)} for t in tables],
        "paranoid": collector.rights.paranoid,
        "privileged": collector.rights.privileged,
        "events": [
            {f: getattr(row, f) for f in EventRow.__slots__}
            | {"reason": sentence(row.reason), "remedy": advice(row.remedy)}
            for row in rows
        ],
    }


def table(collector: PerfCollector, rows: list[EventRow], columns: int = 0) -> str:
    """Aligned text, cut to `columns` (0: not cut). Each reason is spelled out once, below."""
    width = max(len(row.name) for row in rows)
    reasons: dict[tuple[str, str], int] = {}
    lines: list[str] = []
    kind = ""
    for row in rows:
        if row.kind != kind:
            kind = row.kind
            lines += ["", f"{kind}:"] if lines else [f"{kind}:"]
        number = 0 if row.available else reasons.setdefault((row.reason, row.remedy), len(reasons) + 1)
        state = f"no ({number})" if number else "yes"
        line = f"  {row.name:<{width}}  {state:<7} {row.meaning}".rstrip()
        lines.append(line if not columns or len(line) <= columns else line[: columns - 3] + "...")
    if reasons:
        lines += ["", "why not:"]
    for (reason, remedy), number in reasons.items():
        lines.append(f"  ({number}) {sentence(reason)}")
        if remedy:
            lines.append(f"      {advice(remedy)}")
    for core in collector.catalog.kinds:
        lines += ["", f"CPU {core.title}" + ("" if core.table else ": no event table of its own")]
        if core.table:
            lines.append(f"table from {core.table.verified}" + "".join(f"\n  {q}" for q in core.table.quirks))
    return "\n".join(lines)
