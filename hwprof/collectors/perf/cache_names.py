"""Names of cache events as perf spells them."""

from __future__ import annotations

import re

# How perf spells caches, operations and results in `CACHE[-OPERATION][-RESULT]`, beside ours.
_SPELLINGS: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        ("L1-dcache", "L1-dcache|l1-d|l1d|L1-data"),
        ("L1-icache", "L1-icache|l1-i|l1i|L1-instruction"),
        ("LLC", "LLC|L2"),
        ("dTLB", "dTLB|d-tlb|Data-TLB"),
        ("iTLB", "iTLB|i-tlb|Instruction-TLB"),
        ("branch", "branch|branches|bpu|btb|bpc"),
        ("node", "node"),
    ),
    (
        ("load", "load|loads|read"),
        ("store", "store|stores|write"),
        ("prefetch", "prefetch|prefetches|speculative-read|speculative-load"),
    ),
    (("", "refs|reference|ops|access"), ("misses", "misses|miss")),
)


def cache_name(text: str) -> str:
    """Our name of a cache event as perf may spell it (`LLC-misses`, `l1d-write-miss`); empty: it is none.

    As perf has it: loads where no operation is named, accesses where no result is, either of both first.
    """
    rest, found = text, []
    for spellings in _SPELLINGS:
        place, length, name = 0, -1, ""
        for own, words in spellings:
            for word in words.split("|"):
                mark = re.search(rf"(?:^|-){re.escape(word)}(?=-|$)", rest, re.IGNORECASE)
                is_first = spellings is not _SPELLINGS[0] or (mark is not None and mark.start() == 0)
                if mark and is_first and len(word) > length:
                    place, length, name = mark.start(), len(mark[0]), own
        found.append(name if length >= 0 else None)
        if length >= 0:
            rest = rest[:place] + rest[place + length :]
    cache, operation, result = found
    if cache is None or rest:
        return ""
    operation = operation or "load"
    if result:
        return f"{cache}-{operation}-misses"
    return f"{cache}-{'prefetches' if operation == 'prefetch' else f'{operation}s'}"
