"""Explanations of what two selectors match in results: reads only the runs that are needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from hwprof.analysis import roofline
from hwprof.analysis.correlation.strata import SETTINGS, UNSTATED, thread_title
from hwprof.analysis.explain import selectors
from hwprof.analysis.explain.explain import explain, rounds
from hwprof.analysis.explain.explanation import ChangedRuns, Explanation, SideRuns
from hwprof.analysis.explain.selectors import CaseRuns, Pair
from hwprof.analysis.explain.wording import CAUSES
from hwprof.analysis.factors import clues
from hwprof.analysis.factors.evidence import collect
from hwprof.analysis.omissions import Omission, why_no_speed
from hwprof.analysis.roofline import Roof
from hwprof.frameworks import switches
from hwprof.networks.stored_precision import is_stored
from hwprof.printable import plural, printable
from hwprof.records import Case, Kind, Run
from hwprof.store import Results
from hwprof.store.columns import UNRECORDED
from hwprof.store.listing import Entry, entries

# Named in a label only where nothing else differs.
QUIET = ("version", "call", "kernel", "governor", "cpus", "size", "shape")


@dataclass(slots=True)
class Source:
    """One results file with the list of what is in it. `loaded`: runs by uid that are there and needn't be read."""

    results: Results
    entries: Sequence[Entry] = ()
    roofs: Mapping[str, Sequence[Roof]] = field(default_factory=dict)  # by machine_id as in the frame
    loaded: Mapping[str, Run] = field(default_factory=dict)
    by_core: dict[tuple[object, ...], list[Entry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._list()

    def refresh(self) -> None:
        """Read the list anew: something was measured."""
        self.results.choose_again()
        self._list()

    def _list(self) -> None:
        self.entries = entries(self.results.database)
        self.roofs = roofline.roofs(self.results.ceilings(), self.results.machines())
        self.by_core = {}
        for entry in self.entries:
            self.by_core.setdefault(_core(entry), []).append(entry)

    def runs(self, chosen: Sequence[Entry]) -> list[Run]:
        """These runs."""
        if all(e.uid in self.loaded for e in chosen):
            return [self.loaded[e.uid] for e in chosen]
        return list(self.results.runs(ids=[e.order for e in chosen]))

    def side_runs(self, own: CaseRuns, label: str, same_experiment: bool, other: Case | None = None) -> SideRuns:
        """Everything about one side. Interventions count only where rounds were interleaved with its own.

        `other`: the case of the other side, which is no intervention on this one.
        """
        alike = self.by_core.get(_core(own.last), [])
        simulated = [
            e
            for e in alike
            if e.ok and e.kind == Kind.SIMULATED and e.case == own.case and e.program == own.last.program
        ]
        others = selectors.other_threads(own, alike)
        found = selectors.variants(own, alike) if same_experiment else []
        changed = [(c, kind) for c in found if c.case != other and (kind := switches.kind_of(own.case, c.case))]
        return SideRuns(
            label,
            self.runs([*own.entries, *simulated[-1:]]),
            self.runs([e for c in others for e in c.entries]),
            [
                ChangedRuns(
                    kind,
                    change_text(own.case, c.case),
                    self.runs(c.entries),
                    switches.limit_of(kind, own.case.framework),
                )
                for c, kind in changed
            ],
            any(c.last.experiment != own.last.experiment for c in others),
        )


def _core(entry: Entry) -> tuple[object, ...]:
    """What all runs about one side have in common, at whatever threads, cores and options."""
    c = entry.case
    return c.framework, c.network, c.recipe, c.size, c.shape, c.batch, c.precision, entry.machine_id


def change_text(base: Case, other: Case) -> str:
    """What differs between a case and its changed form, as it was asked for."""
    if base.cpus != other.cpus:
        return f"cores {','.join(map(str, other.cpus)) or 'any'} for {','.join(map(str, base.cpus)) or 'any'}"
    pairs = [f"{n}={str(v).lower() if isinstance(v, bool) else v}" for n, v in other.options if base.option(n) != v]
    return printable(" ".join(p.removeprefix("env.") for p in pairs))


def find(a: str, b: str, source: Source, other: Source | None = None) -> list[Pair]:
    """Every pair that two selectors match; `other`: where B is, if in another file."""
    second = other or source
    same = other is None
    found = selectors.pairs(
        selectors.parse(a, source.entries), selectors.parse(b, second.entries), source.entries, second.entries, same
    )
    return _without_moved(found, source.entries)


def _without_moved(found: Sequence[Pair], entries: Sequence[Entry]) -> list[Pair]:
    """Without pairs both of whose sides a test has moved to other cores, where the unmoved ones are there too."""
    measured = {e.case for e in entries if not switches.is_test(e.experiment_name)}
    alike: dict[tuple[Case, Case], list[Pair]] = defaultdict(list)
    for pair in found:
        alike[replace(pair.a.case, cpus=()), replace(pair.b.case, cpus=())].append(pair)
    left: list[Pair] = []
    for several in alike.values():
        tested = all(switches.is_test(pair.a.last.experiment_name) for pair in several)
        own = [pair for pair in several if pair.a.case in measured]
        left += own if tested and own else several
    return left


def find_cases(where: str, source: Source) -> list[CaseRuns]:
    """The cases that one selector matches; "": all. Of a case and its forms with a switch turned the case alone."""
    found = selectors.chosen(where, source.entries)
    if not where:
        return found
    unchanged = [one for one in found if not any(switches.kind_of(other.case, one.case) for other in found)]
    return unchanged if len(unchanged) == 1 else found


def reruns(own: CaseRuns, source: Source) -> list[Pair]:
    """This case beside each form of it that one thing was changed in, measured in turn with it."""
    changed = selectors.variants(own, source.by_core.get(_core(own.last), []))
    return [selectors.pair_of(own, one) for one in changed if switches.kind_of(own.case, one.case)]


CHANGE_LABELS = {
    "spin": "spin-waiting off",
    "simd": "vectors capped",
    "graph": "graph as it is",
    "pages": "huge pages",
    "allocator": "memory kept",
}


def labels(pair: Pair) -> tuple[str, str]:
    """Short names of the two for sentences: what they differ in."""
    for base, other, turned in ((pair.a, pair.b, False), (pair.b, pair.a, True)):
        name = CHANGE_LABELS.get(switches.kind_of(base.case, other.case))
        if name:
            return (name, "unchanged") if turned else ("unchanged", name)
    shown = [n for n in pair.differs if n not in QUIET] or list(pair.differs)

    def one(own: CaseRuns) -> str:
        parts = []
        for name in shown:
            has = selectors.value(own.last, name)
            if name in ("framework", "network", "machine"):
                parts.append(has)
            elif name in selectors.FIELDS:
                parts.append(f"{name}={has}")
            elif has or "framework" not in pair.differs:
                parts.append(f"{name.removeprefix('env.')}={has or 'default'}")
        return " ".join(parts)

    a, b = printable(one(pair.a)), printable(one(pair.b))
    return (a, b) if a != b and a and b else (f"A ({a})".replace(" ()", ""), f"B ({b})".replace(" ()", ""))


def context(pair: Pair, settings: bool = False) -> str:
    """What both have in common, in a line. `settings`: with kernel and governor, where the machine has several."""
    case, words = pair.a.case, []
    if "framework" not in pair.differs:
        words.append(f"{case.framework} {pair.a.last.version}".strip())
    if "network" not in pair.differs:
        words.append(case.network)
    for name, text in (
        ("size", f"{case.size} px" if case.size and not case.shape else ""),
        ("shape", case.shape),
        ("batch", f"batch {case.batch}"),
        ("threads", thread_title(case.threads or pair.b.case.threads or UNSTATED)),
        ("cpus", f"cpu {','.join(map(str, case.cpus))}" if case.cpus else "not pinned"),
        ("precision", case.precision),
        ("machine", pair.a.last.machine),
        *((name, _setting(pair.a, name)) for name in SETTINGS if settings),
    ):
        if name not in pair.differs and text:
            words.append(text)
    return printable(" · ".join(words))


def _setting(runs: CaseRuns, name: str) -> str:
    return SETTINGS[name] + (selectors.value(runs.last, name) or UNRECORDED)


def _several_settings(entries: Iterable[Entry]) -> set[int]:
    """Machines that were measured under several kernels or governors."""
    found: dict[int, set[tuple[str, str]]] = {}
    for e in entries:
        found.setdefault(e.machine_id, set()).add((e.kernel, e.governor))
    return {machine for machine, settings in found.items() if len(settings) > 1}


def _title(passed: CaseRuns, pair: Pair) -> str:
    """Of a case that matched as well and was passed over, with what its runs differ in."""
    same = [own for own in (pair.a, pair.b) if own.case == passed.case]
    differing = [
        n for n in QUIET if same and all(selectors.value(o.last, n) != selectors.value(passed.last, n) for o in same)
    ]
    return passed.case.title + "".join(f", {n} {selectors.value(passed.last, n) or UNRECORDED}" for n in differing)


def only_difference(pair: Pair) -> str:
    """What is the only difference, where that is one switch and rounds were measured in turn; else ""."""
    a, b = pair.a, pair.b
    same = a.last.place == b.last.place
    kind = switches.kind_of(a.case, b.case) or switches.kind_of(b.case, a.case)
    return CAUSES[kind] if kind and same and pair.same_experiment else ""


def _unstated_threads(pair: Pair, names: tuple[str, str]) -> list[str]:
    """That one side does not state its number of threads, where the other does."""
    counts = pair.a.case.threads, pair.b.case.threads
    if all(counts) or not any(counts):
        return []
    return [
        f"{name}: its number of threads is not stated, the other has {plural(max(counts), 'thread')}"
        for name, count in zip(names, counts, strict=True)
        if not count
    ]


def computed_notes(first: SideRuns, second: SideRuns) -> list[str]:
    """In which precision each of two computes its products, where they differ and the file has one of its own."""
    if not is_stored(first.runs[0].case.precision) and not is_stored(second.runs[0].case.precision):
        return []
    told = [computed_text(side.runs[0].facts.get("computed")) for side in (first, second)]
    if told[0] == told[1]:
        return []
    words = [f"{side.label} {text or 'does not report it'}" for side, text in zip((first, second), told, strict=True)]
    return [f"convolutions and matrix products: {'; '.join(words)}"]


def computed_text(computed: Any) -> str:
    """`5 in int8`; "" where it is not reported."""
    return ", ".join(f"{count} in {precision}" for precision, count in (computed or {}).items() if count)


def _latencies(sides: Iterable[tuple[Source, CaseRuns]], hertz: float | None) -> dict[str, float]:
    """Measured cycles per miss event; of two sides on other cores the higher figure, so that the bound stays one."""
    found = [roofline.latencies(s.roofs.get(c.last.machine_key, ()), c.case.cpus, hertz) for s, c in sides]
    return {event: max(own[event] for own in found if event in own) for event in dict.fromkeys(chain(*found))}


def explanations(
    pairs: Sequence[Pair], source: Source, other: Source | None = None, paired: bool = False
) -> tuple[list[Explanation], list[Omission]]:
    """One explanation per pair, and the sides without a speed, whose pairs are left out."""
    out, omitted = [], []
    several = _several_settings(source.entries)
    for pair in pairs:
        a, b = labels(pair)
        passed = [
            _title(other_one, pair)
            for other_one in pair.alternatives
            if not any(switches.kind_of(c.case, other_one.case) for c in (pair.a, pair.b))
        ]
        notes = [f"also there, and left out: {title}" for title in dict.fromkeys(passed)]
        first = source.side_runs(pair.a, a, pair.same_experiment, pair.b.case)
        second = (other or source).side_runs(pair.b, b, pair.same_experiment, pair.a.case)
        silent = [(side, own) for side, own in ((first, pair.a), (second, pair.b)) if not rounds(side.runs)]
        if silent:
            omitted += [Omission(own.case.title, why_no_speed(side.runs)) for side, own in silent]
            continue
        notes += [*computed_notes(first, second), *_unstated_threads(pair, (a, b))]
        counted = [found for side in (first, second) if (found := collect(side.runs)) is not None]
        clocks = [hz for found in counted if (hz := clues.hertz(found)) is not None]
        sides = ((source, pair.a), (other or source, pair.b))
        latencies = _latencies(sides, max(clocks, default=None))
        out.append(
            explain(
                first,
                second,
                context(pair, pair.a.last.machine_id in several),
                pair.differs,
                pair.same_experiment,
                paired,
                latencies,
                notes,
                only_difference(pair),
            )
        )
    return out, omitted
