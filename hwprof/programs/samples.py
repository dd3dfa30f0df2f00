"""Samples from the output of `perf script`, and their sums by function and library."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

UNKNOWN = "[unknown]"
DELETED = " (deleted)"
# `perf script --ns --show-mmap-events -F ...`: a line for the sample, then a line for each frame, the innermost first,
# and an empty one. Before the first sample in a file there is a line that says where the file was mapped.
FIELDS = "comm,pid,time,period,ip,sym,dso"
_HEAD = re.compile(r"(?P<comm>.*)\s+(?P<pid>-?\d+)\s+(?P<s>\d+)\.(?P<ns>\d{9}):\s+(?P<period>\d+)\s*")
_FRAME = re.compile(r"\s+[0-9a-f]+ (?P<rest>.* \(.*)\)")
_EVENT = re.compile(r".*\d: PERF_RECORD_.*")
_MAPPED = re.compile(r".*\d: PERF_RECORD_MMAP2? -?\d+/-?\d+: \[0x[^\]]*\]: [-rwxsp]+ (?P<file>.*)")


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


@dataclass(slots=True)
class UnreadLines:
    """Lines of perf script that were not understood: how many, and the first."""

    count: int = 0
    first: str = ""

    def add(self, line: str) -> None:
        """One more."""
        self.first = self.first if self.count else line.strip()
        self.count += 1


def parse(lines: Iterable[str], unread: UnreadLines | None = None) -> Iterator[Sample]:
    """Samples of perf script's output. What is neither a sample nor a frame is added to `unread`."""
    unread = UnreadLines() if unread is None else unread
    files: set[str] = set()
    head: re.Match[str] | None = None
    stack: list[Frame] = []
    for line in (one.rstrip("\n") for one in lines):
        if (head is not None and (found := _FRAME.fullmatch(line))) and (frame := _frame(found["rest"], files)):
            stack.append(frame)
        elif found := _HEAD.fullmatch(line):
            if head:
                yield _sample(head, stack)
            head, stack = found, []
        elif not line.strip():
            if head:
                yield _sample(head, stack)
            head = None
        elif _EVENT.fullmatch(line):
            if mapped := _MAPPED.fullmatch(line):
                files.add(mapped["file"])
        elif not line.startswith("#"):
            unread.add(line)
    if head:
        yield _sample(head, stack)


def _frame(text: str, files: Collection[str]) -> Frame | None:
    """`symbol (file`, either of which may hold blanks and brackets: by the name of a file that was mapped.

    Else the file begins with its folder, or is a part of the kernel's in brackets. None: there is no file.
    """
    places = [found.end() for found in re.finditer(r" \(", text)]
    place = next((p for p in places if text[p:] in files), 0)
    place = place or next((p for p in places if text[p : p + 1] in ("/", "[")), places[-1] if places else 0)
    if not place:
        return None
    symbol, library = text[: place - 2].strip(), text[place:].removesuffix(DELETED)
    return Frame(symbol or UNKNOWN, library or UNKNOWN)


def _sample(head: re.Match[str], stack: Sequence[Frame]) -> Sample:
    program, frames = head["comm"].strip() or UNKNOWN, tuple(stack) or (Frame(UNKNOWN, UNKNOWN),)
    return Sample(program, int(head["period"]), frames, int(head["s"]) * 1_000_000_000 + int(head["ns"]))


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
