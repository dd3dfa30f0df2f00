"""Which runs `explain A` and `explain A B` are about: selectors, and pairs of cases that differ only in what was named.

A selector is a selection of runs (hwprof.store.selection): `onnxruntime`, `framework=opencv`, `threads=2`,
`network=resnet18`, `spin=false`, a machine's name, a version, an experiment, a run's id. What both name with different
values is compared; what only one names narrows both; everything else must be equal on both sides of a pair.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hwprof.errors import ResultsError, UsageError
from hwprof.printable import plural
from hwprof.records import Case, Kind
from hwprof.store.columns import UNRECORDED
from hwprof.store.listing import Entry
from hwprof.store.selection import ALL, KEYWORDS, RUN_KEYS, SCOPE_KEYS, Vocabulary, case_value, fits, run_range
from hwprof.store.selection import FIELDS as FIELDS
from hwprof.store.selection import parse as parse_terms

# Naming one of these lets others differ too: they follow from it.
FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "framework": ("version", "call", "options"),
    "threads": ("cpus",),
    "machine": ("cpus", "version", "machine", "kernel", "governor"),
    "network": ("recipe", "size", "shape"),
    "size": ("shape",),
    "shape": ("size",),
    "experiment": ("version", "call", "kernel", "governor"),
}


@dataclass(frozen=True, slots=True)
class Selector:
    """Parsed words: field -> values as text, of which a run has any; `run`: the uid prefix of one run, which stands for
    its case.
    """

    text: str
    where: Mapping[str, tuple[str, ...]]
    run: str = ""


@dataclass(frozen=True, slots=True)
class CaseRuns:
    """All good native rounds of one case on one machine, set in one way, with one version of the framework, called in
    one way.
    """

    entries: tuple[Entry, ...]

    @property
    def case(self) -> Case:
        """The case."""
        return self.entries[0].case

    @property
    def last(self) -> Entry:
        """The run saved last."""
        return self.entries[-1]


@dataclass(frozen=True, slots=True)
class Pair:
    """A and B. `differs`: the fields they differ in; `same_experiment`: its rounds were interleaved.

    `alternatives`: what matched as well.
    """

    a: CaseRuns
    b: CaseRuns
    differs: tuple[str, ...]
    same_experiment: bool
    alternatives: tuple[CaseRuns, ...] = ()


def value(entry: Entry, name: str) -> str:
    """A field or an option of a run as text; "" for an option that it hasn't."""
    if name == "call":
        return entry.call or UNRECORDED
    if name in RUN_KEYS:
        return str(getattr(entry, name))
    return entry.experiment_name if name == "experiment" else case_value(entry.case, name)


def vocabulary(entries: Sequence[Entry]) -> Vocabulary:
    """What selectors may name of these runs."""
    options = {name for e in entries for name, _ in e.case.options}
    values = {key: {value(e, key) for e in entries} for key in (*FIELDS, *options)}
    named = {e.experiment: e.experiment_name for e in entries if e.experiment}
    values["experiment"] = {*named.values(), *(f"#{identity}" for identity in named)}
    return Vocabulary(values, lambda text: any(_is_run(e, text) for e in entries))


def _is_run(entry: Entry, text: str) -> bool:
    """Whether a run has this number, lies in this range of numbers, or has an id that begins so."""
    if (numbers := run_range(text)) is not None:
        return numbers[0] <= entry.order <= numbers[1]
    return entry.uid.startswith(text.lower())


def parse(text: str, entries: Sequence[Entry]) -> Selector:
    """Words to fields; a bare word is looked up among what the results hold. UsageError names what there is."""
    found = parse_terms([text], vocabulary(entries))
    where = dict(found.where)
    if wrong := ({*KEYWORDS} - {ALL}) & {*found.experiments}:
        remedy = "as in hwprof explain onnxruntime opencv results.db:last"
        raise UsageError(f"'{wrong.pop()}' in '{text}' belongs behind the results file", remedy)
    if found.experiments and ALL not in found.experiments:
        where["experiment"] = found.experiments
    where |= {key: (time,) for key, time in (("since", found.since), ("until", found.until)) if time}
    if len(found.runs) == 1 and "-" not in found.runs[0]:
        uids = [e.uid for e in entries if _is_run(e, found.runs[0])]
        return Selector(text, where, uids[0] if len(uids) == 1 else found.runs[0])
    if found.runs:
        where["run"] = found.runs
    if not where:
        raise UsageError(f"an empty selector '{text}'", "as in hwprof explain onnxruntime opencv")
    return Selector(text, where)


def matches(entry: Entry, where: Mapping[str, Sequence[str]]) -> bool:
    """Whether a run has one of the values of each key. A machine is named by any part of its label."""
    return all(_fits(entry, name, wanted) for name, wanted in where.items())


def _fits(entry: Entry, name: str, wanted: Sequence[str]) -> bool:
    if name == "since":
        return entry.started_utc >= wanted[0]
    if name == "until":
        return "" < entry.started_utc < wanted[0]
    if name == "run":
        return any(_is_run(entry, text) for text in wanted)
    if name == "experiment" and f"#{entry.experiment}" in wanted:
        return True
    return fits(value(entry, name), name, wanted)


def case_runs(entries: Iterable[Entry]) -> list[CaseRuns]:
    """Good native runs by case, machine with its settings, version and call, each in the order of saving."""
    groups: dict[tuple[Case, object], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.ok and entry.kind == Kind.NATIVE:
            groups[entry.case, entry.place].append(entry)
    return [CaseRuns(tuple(group)) for group in groups.values()]


def chosen(where: str, entries: Sequence[Entry]) -> list[CaseRuns]:
    """The cases that one selector matches; "": all. A run's id stands for its case. UsageError as of `parse`."""
    found = case_runs(entries)
    if not where:
        return found
    selector = parse(where, entries)
    return [
        one
        for one in found
        if matches(one.last, selector.where) and any(e.uid.startswith(selector.run.lower()) for e in one.entries)
    ]


def pairs(
    a: Selector, b: Selector, entries_a: Sequence[Entry], entries_b: Sequence[Entry], same_file: bool = True
) -> list[Pair]:
    """Every matched pair. UsageError where nothing is compared, ResultsError where nothing matches."""
    if a.run or b.run:
        return [_run_pair(a, b, entries_a, entries_b, same_file)]
    options = {n for n in (*a.where, *b.where) if n not in (*FIELDS, *SCOPE_KEYS)}
    contrast = {n for n in {*a.where} & {*b.where} if _folded(a.where[n]) != _folded(b.where[n])}
    contrast |= {n for n in options if a.where.get(n) != b.where.get(n)}
    if not contrast and same_file:
        raise UsageError(
            f"'{a.text}' and '{b.text}' name nothing that differs", "as in onnxruntime opencv, or threads=1 threads=2"
        )
    common = {n: v for s in (a, b) for n, v in s.where.items() if n not in contrast and n not in options}
    free = contrast | {f for n in contrast for f in FOLLOWS.get(n, ())}
    if not same_file:
        free |= {"version", "call", "machine", "cpus", "kernel", "governor"}
    sides = []
    for selector, entries in ((a, entries_a), (b, entries_b)):
        where = {**common, **{n: selector.where.get(n, ("",)) for n in contrast if n in selector.where or n in options}}
        chosen = case_runs(e for e in entries if matches(e, where))
        if not chosen:
            raise ResultsError(
                f"no good run matches '{selector.text}'", "`hwprof export --format csv` lists what there is"
            )
        grouped: dict[tuple[str, ...], list[CaseRuns]] = defaultdict(list)
        for runs in chosen:
            grouped[_key(runs, free, options)].append(runs)
        sides.append(grouped)
    found = [_closest(sides[0][key], sides[1][key], same_file) for key in sides[0] if key in sides[1]]
    if not found and "threads" not in contrast:
        found = _without_threads(sides, free, options, same_file)
    if not found:
        raise ResultsError(
            f"'{a.text}' and '{b.text}' have no case in common",
            "they must agree in everything that isn't named: network, size, shape, batch, threads, cores, precision, "
            "machine, kernel, governor",
        )
    return found


def _without_threads(
    sides: Sequence[Mapping[tuple[str, ...], Sequence[CaseRuns]]], free: set[str], options: set[str], same_file: bool
) -> list[Pair]:
    """Pairs of cases of which one side was measured by a program that does not state its number of threads."""
    grouped: list[dict[tuple[str, ...], list[CaseRuns]]] = [defaultdict(list), defaultdict(list)]
    for side, groups in zip(sides, grouped, strict=True):
        for runs in itertools.chain.from_iterable(side.values()):
            groups[_key(runs, free | {"threads", "cpus"}, options)].append(runs)
    found = []
    for key in grouped[0]:
        for some, others in ((0, 1), (1, 0)):
            silent = [runs for runs in grouped[some].get(key, ()) if not runs.case.threads]
            other = grouped[others].get(key, ())
            if silent and other:
                a, b = (silent, other) if some == 0 else (other, silent)
                found.append(_closest(a, b, same_file))
                break
    return found


def _folded(values: Sequence[str]) -> set[str]:
    return {v.lower() for v in values}


def _key(runs: CaseRuns, free: set[str], options: set[str]) -> tuple[str, ...]:
    """What must be equal on both sides."""
    last = runs.last
    key = [value(last, n) if n not in free else "" for n in FIELDS if n != "machine"]
    key.append(str(last.machine_id) if "machine" not in free else "")
    if "options" not in free:
        key += [f"{n}={v}" for n, v in runs.case.options if n not in options]
    return tuple(key)


def _closest(a: Sequence[CaseRuns], b: Sequence[CaseRuns], same_file: bool) -> Pair:
    """Of several variants those with the same input, then those with the fewest options, then those that were measured
    together, then the latest.
    """

    def rank(pair: tuple[CaseRuns, CaseRuns]) -> tuple[bool, int, bool, int]:
        x, y = pair
        shared = {e.experiment for e in x.entries} & {e.experiment for e in y.entries} - {0}
        fewest = len(x.case.options) + len(y.case.options)
        return x.case.side != y.case.side, fewest, not (same_file and bool(shared)), -(x.last.order + y.last.order)

    x, y = min(((x, y) for x in a for y in b), key=rank)
    passed = tuple(c for c in (*a, *b) if c not in (x, y))
    return pair_of(x, y, same_file, passed)


def pair_of(a: CaseRuns, b: CaseRuns, same_file: bool = True, alternatives: tuple[CaseRuns, ...] = ()) -> Pair:
    """Two cases, cut down to the latest experiment that has both where there is one."""
    unsaid = {"recipe"} if a.case.threads and b.case.threads else {"recipe", "threads"}
    differs = tuple(n for n in FIELDS if value(a.last, n) != value(b.last, n) and n not in unsaid)
    differs += tuple(
        n
        for n in sorted({n for c in (a, b) for n, _ in c.case.options})
        if a.case.option(n, "") != b.case.option(n, "")
    )
    shared = {e.experiment for e in a.entries} & {e.experiment for e in b.entries} - {0} if same_file else set()
    if not shared:
        return Pair(a, b, differs, False, alternatives)

    def rounds(experiment: int) -> tuple[bool, int]:
        fewest = min(sum(e.experiment == experiment for e in c.entries) for c in (a, b))
        return fewest > 1, experiment  # one that gives an interval, then the latest

    chosen = max(shared, key=rounds)
    x, y = (CaseRuns(tuple(e for e in c.entries if e.experiment == chosen)) for c in (a, b))
    return Pair(x, y, differs, True, alternatives)


def _run_pair(
    a: Selector, b: Selector, entries_a: Sequence[Entry], entries_b: Sequence[Entry], same_file: bool
) -> Pair:
    """A run's id stands for all rounds of its case in its experiment."""
    sides = []
    for selector, entries in ((a, entries_a), (b, entries_b)):
        if not selector.run:
            raise UsageError(f"'{selector.text}' names no run while the other selector does", "give two run ids")
        found = [e for e in entries if _is_run(e, selector.run)]
        if len(found) != 1:
            said = "no run" if not found else plural(len(found), "run")
            raise UsageError(f"{said} whose id begins with '{selector.run}'", "`hwprof export --format csv` lists them")
        if not found[0].ok or found[0].kind != Kind.NATIVE:
            raise UsageError(f"run {found[0].uid} failed or is simulated: it has no speed", "name a good native run")
        one = found[0]
        alike = [e for e in entries if (e.case, e.place) == (one.case, one.place)]
        sides.append(case_runs(e for e in alike if e.experiment == one.experiment)[0])
    if sides[0].entries == sides[1].entries and same_file:
        raise UsageError(f"'{a.run}' and '{b.run}' are rounds of one case", "name runs of two cases")
    return pair_of(sides[0], sides[1], same_file)


def variants(runs: CaseRuns, entries: Iterable[Entry]) -> list[CaseRuns]:
    """The same case with other options or cores, from the same experiment: what an intervention changed."""
    last, case = runs.last, runs.last.case
    same_run = (e for e in entries if e.experiment == last.experiment and e.place == last.place and last.experiment)
    changed = (e for e in same_run if e.case != case)
    return case_runs(e for e in changed if replace(e.case, options=case.options, cpus=case.cpus) == case)


def other_threads(runs: CaseRuns, entries: Iterable[Entry]) -> list[CaseRuns]:
    """The same case at other thread counts (their cores may differ), of the same experiment where it has some."""
    last, case = runs.last, runs.last.case
    others = [e for e in entries if e.case.threads != case.threads and e.place == last.place]
    alike = [e for e in others if replace(e.case, threads=case.threads, cpus=case.cpus) == case]
    own = [e for e in alike if e.experiment == last.experiment]
    newest: dict[int, CaseRuns] = {}
    for found in case_runs(own or alike):
        newest[found.case.threads] = found
    return [newest[p] for p in sorted(newest)]
