"""Which runs `explain A` and `explain A B` are about: selectors, and pairs of cases that differ only in what was named.

A selector is words with commas between: `onnxruntime`, `framework=opencv`, `threads=2`, `network=resnet18`,
`spin=false`, a machine's name, a version, a run's id. What both name with different values is compared; what only one
names narrows both; everything else must be equal on both sides of a pair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hwprof.errors import ResultsError, UsageError
from hwprof.printable import plural
from hwprof.records import Case, Kind
from hwprof.store.columns import UNRECORDED
from hwprof.store.listing import Entry

FIELDS = (
    *("framework", "network", "recipe", "size", "shape", "batch", "threads", "cpus", "precision"),
    *("machine", "version", "call", "kernel", "governor"),  # of the run, not of its case
)
# Naming one of these lets others differ too: they follow from it.
FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "framework": ("version", "call", "options"),
    "threads": ("cpus",),
    "machine": ("cpus", "version", "machine", "kernel", "governor"),
    "network": ("recipe", "size", "shape"),
    "size": ("shape",),
    "shape": ("size",),
}
FEWEST = 2  # letters of a run's id


@dataclass(frozen=True, slots=True)
class Selector:
    """Parsed words: field -> value as text; `run`: the uid prefix of one run, which stands for its case."""

    text: str
    where: Mapping[str, str]
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
    case = entry.case
    if name == "call":
        return entry.call or UNRECORDED
    if name in ("machine", "version", "kernel", "governor"):
        return str(getattr(entry, name))
    if name == "cpus":
        return ",".join(map(str, case.cpus))
    if name in FIELDS:
        return str(getattr(case, name))
    found = case.option(name, "")
    return str(found).lower() if isinstance(found, bool) else str(found)


def parse(text: str, entries: Sequence[Entry]) -> Selector:
    """Words to fields; a bare word is looked up among what the results hold. UsageError names what there is."""
    where: dict[str, str] = {}
    run = ""
    for word in _words(text, entries):
        name, equals, wanted = word.partition("=")
        if equals:
            if name == "run":
                run = wanted
                continue
            name = name.removeprefix("option.")
            known = {n for e in entries for n, _ in e.case.options} | set(FIELDS)
            if name not in known:
                raise UsageError(f"unknown field '{name}' in '{text}'", f"known: {', '.join(sorted(known))}, run")
            where[name] = wanted
            continue
        found = _field_of(word, entries)
        if found == "run":
            run = word
        else:
            where[found] = word
    if not where and not run:
        raise UsageError(f"an empty selector '{text}'", "as in hwprof explain onnxruntime opencv")
    return Selector(text, where, run)


def _words(text: str, entries: Sequence[Entry]) -> list[str]:
    """Parts between commas; a stored shape, or value of an option, that holds commas itself stays whole."""
    held = {f"{n}={v}" for e in entries for n, v in e.case.options if "," in str(v)}
    held |= {name + e.case.shape for e in entries if "," in e.case.shape for name in ("", "shape=")}
    long = sorted(held, key=len, reverse=True)
    words = []
    rest = text.strip()
    while rest:
        whole = next((w for w in long if rest.startswith(w) and rest[len(w) : len(w) + 1] in ("", ",")), None)
        word = whole or rest.partition(",")[0]
        rest = rest[len(word) :].lstrip(", ")
        words.append(word.strip())
    return [w for w in words if w]


def _field_of(word: str, entries: Sequence[Entry]) -> str:
    """The field that a bare word is a value of."""
    for name in ("framework", "network", "shape", "version", "precision"):
        if any(value(e, name).lower() == word.lower() for e in entries):
            return name
    if any(word.lower() in e.machine.lower() for e in entries):
        return "machine"
    if len(word) >= FEWEST and any(e.uid.startswith(word.lower()) for e in entries):
        return "run"
    there = sorted({value(e, name) for e in entries for name in ("framework", "network")})
    raise UsageError(
        f"'{word}' is no framework, network, shape, version, machine or run of these results",
        f"there: {', '.join(there) or 'nothing'}",
    )


def matches(entry: Entry, where: Mapping[str, str]) -> bool:
    """Whether a run has all these values. A machine is named by any part of its label."""
    for name, wanted in where.items():
        has = value(entry, name).lower()
        if has != wanted.lower() and not (name == "machine" and wanted.lower() in has):
            return False
    return True


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
    options = {n for n in (*a.where, *b.where) if n not in FIELDS}
    contrast = {n for n in {*a.where} & {*b.where} if a.where[n].lower() != b.where[n].lower()}
    contrast |= {n for n in options if a.where.get(n) != b.where.get(n)}
    if not contrast and same_file:
        raise UsageError(
            f"'{a.text}' and '{b.text}' name nothing that differs", "as in onnxruntime opencv, or threads=1 threads=2"
        )
    common = {n: v for s in (a, b) for n, v in s.where.items() if n not in contrast and n in FIELDS}
    free = contrast | {f for n in contrast for f in FOLLOWS.get(n, ())}
    if not same_file:
        free |= {"version", "call", "machine", "cpus", "kernel", "governor"}
    sides = []
    for selector, entries in ((a, entries_a), (b, entries_b)):
        where = {**common, **{n: selector.where.get(n, "") for n in contrast if n in selector.where or n in options}}
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
    if not found:
        raise ResultsError(
            f"'{a.text}' and '{b.text}' have no case in common",
            "they must agree in everything that isn't named: network, size, shape, batch, threads, cores, precision, "
            "machine, kernel, governor",
        )
    return found


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
    differs = tuple(n for n in FIELDS if value(a.last, n) != value(b.last, n) and n != "recipe")
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
        found = [e for e in entries if e.uid.startswith(selector.run.lower())]
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
