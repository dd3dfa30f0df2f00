"""Samples from the output of `perf script`, and their sums by function and library."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

UNKNOWN = "[unknown]"
# `perf script --ns -F ...`: a line for the sample, then a line for each frame, the innermost first.
FIELDS = "comm,pid,time,period,ip,sym,dso"
_HEAD = re.compile(r"^(?P<comm>\S.*?)\s+(?P<pid>-?\d+)\s+(?P<s>\d+)\.(?P<ns>\d{9}):\s+(?P<period>\d+)\s*$")
_FRAME = re.compile(r"^\s+(?P<ip>[0-9a-f]+) (?P<symbol>.*) \((?P<dso>[^()]*(?: \(deleted\))?)\)$")


class Frame(NamedTuple):
    """A function, and the file it is in."""

    symbol: str
    library: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One stack, the innermost frame first, and what it stands for (`weight`: the event's period)."""

    program: str
    weight: int
    stack: tuple[Frame, ...]
    at_ns: int = 0  # CLOCK_MONOTONIC_RAW


class Hot(NamedTuple):
    """One row of the table. Shares of all weight: `self_` in it, `total` in it or what it called."""

    symbol: str
    library: str
    self_: float
    total: float
    samples: int


def parse(lines: Iterable[str]) -> Iterator[Sample]:
    """Samples of perf script's output; what is neither a sample nor a frame is left out."""
    head: re.Match[str] | None = None
    stack: list[Frame] = []
    for line in lines:
        if frame := _FRAME.match(line.rstrip("\n")):
            symbol, library = frame["symbol"].strip(), frame["dso"].removesuffix(" (deleted)")
            stack.append(Frame(symbol or UNKNOWN, library or UNKNOWN))
        elif found := _HEAD.match(line):
            if head:
                yield _sample(head, stack)
            head, stack = found, []
    if head:
        yield _sample(head, stack)


def _sample(head: re.Match[str], stack: Sequence[Frame]) -> Sample:
    at_ns = int(head["s"]) * 1_000_000_000 + int(head["ns"])
    return Sample(head["comm"], int(head["period"]), tuple(stack) or (Frame(UNKNOWN, UNKNOWN),), at_ns)


def short_name(library: str) -> str:
    """Its file's name; the kernel and what the kernel maps keep theirs."""
    if library.startswith("[kernel") or library.startswith("[guest.kernel"):
        return "kernel"
    return library if library.startswith("[") else library.rpartition("/")[2] or library


def hottest(samples: Sequence[Sample]) -> list[Hot]:
    """Functions by their own share, then by the share of what they called. A recursive one counts once per sample."""
    own: Counter[Frame] = Counter()
    total: Counter[Frame] = Counter()
    seen: Counter[Frame] = Counter()
    for sample in samples:
        own[sample.stack[0]] += sample.weight
        seen[sample.stack[0]] += 1
        for frame in set(sample.stack):
            total[frame] += sample.weight
    weight = sum(s.weight for s in samples) or 1
    rows = [Hot(f.symbol, f.library, own[f] / weight, total[f] / weight, seen[f]) for f in total]
    return sorted(rows, key=lambda h: (-h.self_, -h.total, h.symbol, h.library))


def libraries(samples: Sequence[Sample]) -> list[tuple[str, float, int]]:
    """(library, its share of all weight, samples), the hottest first."""
    own: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for sample in samples:
        own[sample.stack[0].library] += sample.weight
        seen[sample.stack[0].library] += 1
    weight = sum(own.values()) or 1
    return sorted(((name, own[name] / weight, seen[name]) for name in own), key=lambda row: (-row[1], row[0]))


def fold_stacks(samples: Sequence[Sample]) -> dict[tuple[Frame, ...], int]:
    """Weight by stack, the outermost frame first, each led by the program's name."""
    found: Counter[tuple[Frame, ...]] = Counter()
    for sample in samples:
        found[Frame(sample.program, ""), *reversed(sample.stack)] += sample.weight
    return dict(found)
