"""The grammar by which every command selects runs of a results file. Pure: files and databases are asked by others.

    results.db:quick,framework=opencv since=3d

A results file, an experiment behind a colon, and terms. docs/report.md ("Selecting runs") has the rules.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hwprof.errors import UsageError
from hwprof.records import Case

# Words in the place of an experiment's name.
LAST, SINGLE, ALL = "last", "single", "all"
KEYWORDS = (LAST, SINGLE, ALL)
CASE_KEYS = ("framework", "network", "recipe", "size", "shape", "batch", "threads", "cpus", "precision")
RUN_KEYS = ("machine", "version", "call", "kernel", "governor")  # of the run, not of its case
FIELDS = (*CASE_KEYS, *RUN_KEYS)
# What no case has: which runs, and when they were measured.
SCOPE_KEYS = ("experiment", "run", "since", "until")
BARE = ("framework", "network", "shape", "version", "precision")  # keys that a value may stand for alone
FEWEST = 2  # letters of a run's id
LETTERS = 4  # digits that may be the begin of an id: below, they are a run's number
SHOWN = 8  # values that a message lists

_KEY = re.compile(r"[A-Za-z][\w.-]*=")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_SUFFIX = re.compile(r"\.(?:db|sqlite|sqlite3)$", re.IGNORECASE)
_RANGE = re.compile(r"(\d+)-(\d+)")
_AGE = re.compile(r"(\d+(?:\.\d+)?)(min|h|d|w)")
_AGES = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# Forms of a time, with what lies between one and the next.
_TIMES = (
    ("%Y-%m-%d", datetime.timedelta(days=1)),
    ("%Y-%m-%dT%H:%M", datetime.timedelta(minutes=1)),
    ("%Y-%m-%dT%H:%M:%S", datetime.timedelta(seconds=1)),
)
TIME_REMEDY = "use a date (2026-11-02), a time (2026-11-02T14:30) or an age (45min, 2h, 3d, 1w); dates are UTC"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which runs are asked for. `where`: key -> values of which a run has any; all keys must fit.

    `experiments`: names, `#` with a number, or KEYWORDS. `runs`: `17`, `17-30`, or the begin of an id. `since`,
    `until`: UTC in ISO 8601, from the one to before the other; "": open.
    """

    where: Mapping[str, tuple[str, ...]]
    experiments: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    since: str = ""
    until: str = ""

    @property
    def has_scope(self) -> bool:
        """Whether it names an experiment, runs or times: then nobody's default is taken."""
        return bool(self.experiments or self.runs or self.since or self.until)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the terms of a selection may name. `values`: key (of FIELDS, options, "experiment") -> values in the file.

    `has_run`: whether an id begins so, or a run has this number. `place`: the results, for messages.
    """

    values: Mapping[str, Collection[str]]
    has_run: Callable[[str], bool]
    place: str = "these results"

    def key_of(self, word: str, is_experiment: bool) -> str:
        """The key that a bare word is a value of; `is_experiment`: it stands behind a colon. Raises UsageError."""
        for key in ("experiment", *BARE) if is_experiment else (*BARE, "experiment"):
            if self.knows(key, word):
                return key
        if run_range(word) is None and self.knows("machine", word):
            return "machine"
        if (len(word) >= FEWEST or word.isdigit()) and self.has_run(word):
            return "run"
        names = [v for key in ("experiment", "framework", "network") for v in self.values.get(key, ())]
        what = "experiment" if is_experiment else "framework, network, shape, version, precision, experiment, machine"
        raise UsageError(f"'{word}' is no {what} or run of {self.place}", nearest(word, names) + self._content())

    def knows(self, key: str, value: str) -> bool:
        """Whether a run may have this value; a machine is named by any part of its label."""
        known = {v.lower() for v in self.values.get(key, ())}
        if key == "experiment" and value in KEYWORDS:
            return True
        return any(value.lower() in v for v in known) if key == "machine" else value.lower() in known

    def check(self, key: str, value: str) -> None:
        """Raise UsageError for a key that nothing has, and for a value that no run has."""
        if key in ("run", "since", "until"):
            return
        if key not in self.values and key not in FIELDS:
            known = sorted({*FIELDS, *SCOPE_KEYS, *self.values})
            remedy = f"{nearest(key, known)}Known keys: {_some(known, 99)}"
            raise UsageError(f"unknown key '{key}' in '{key}={value}'", remedy)
        if not self.knows(key, value):
            known = sorted(self.values.get(key, ()), key=_in_order)
            held = f"Known: {_some(known)}" if known else "None of its runs has one"
            raise UsageError(f"no run of {self.place} has {key}={value}", f"{nearest(value, known)}{held}")

    @property
    def with_commas(self) -> list[str]:
        """Terms in which a comma is no end, the longest first: shapes, cores, options, names of experiments."""
        held = {f"{key}={v}" for key, values in self.values.items() for v in values if "," in v}
        held |= {v for key in (*BARE, "experiment") for v in self.values.get(key, ()) if "," in v}
        return sorted(held, key=len, reverse=True)

    def _content(self) -> str:
        parts = [
            f"{key}s {_some(values)}"
            for key in ("experiment", "framework", "network")
            if (values := sorted(v for v in self.values.get(key, ()) if not v.startswith("#")))
        ]
        return f"There are {'; '.join(parts)}" if parts else "There is no run in it"


def split_place(words: Sequence[str], is_file: Callable[[str], bool]) -> tuple[str | None, list[str]]:
    """(results file or None, terms) of the words behind a command; an experiment keeps its colon: `:quick`.

    `is_file`: whether there is a file of this name, which wins over everything else. Raises UsageError for two files.
    """
    place: str | None = None
    terms = []
    for word in words:
        file, rest = split_word(word, is_file)
        if file is not None and place is not None:
            raise UsageError(f"two results files, {place} and {file}", "name one, or take one into the other first")
        place = place if file is None else file
        terms += [rest] if rest else []
    return place, terms


def split_word(word: str, is_file: Callable[[str], bool]) -> tuple[str | None, str]:
    """(results file or None, the rest) of one word. Colons of a URL before its last slash, and of a drive, stay."""
    if is_file(word):
        return word, ""
    head = word.partition(",")[0]
    if url := _URL.match(word):
        first = head.rindex("/") if "/" in head[url.end() :] else len(word)
    else:
        first = 2 if _DRIVE.match(word) else 0
    colons = [i for i, letter in enumerate(word) if letter == ":" and i >= first]
    for at in reversed(colons):
        if at and is_file(word[:at]):
            return _split(word, at)
    if word.startswith(":") or _KEY.match(word):
        return None, word
    ends = [i for i in colons if i < len(head)]
    if url or first or is_file(head) or "/" in head or _SUFFIX.search(head[: ends[0]] if ends else head):
        # a file that is not there: whoever opens it says so
        behind = [i for i in ends if i > head.rfind("/")]
        return _split(word, behind[0]) if behind else (head, word[len(head) + 1 :])
    return None, word


def _split(word: str, at: int) -> tuple[str, str]:
    rest = word[at + 1 :]
    return word[:at], f":{rest}" if rest else ""


def parse(texts: Iterable[str], known: Vocabulary, now: datetime.datetime | None = None) -> Selection:
    """The selection that terms make; those behind one comma and those of one word are the same. Raises UsageError.

    A key that comes twice has either of its values. `now`: what ages count from (default: the time of day).
    """
    where: dict[str, list[str]] = {}
    for text in texts:
        for number, word in enumerate(split_terms(text.removeprefix(":"), known.with_commas)):
            key, equals, value = word.partition("=")
            if not equals or not _KEY.match(word) or known.knows("shape", word):
                key, value = known.key_of(word, text.startswith(":") and not number), word
            key = key.removeprefix("option.")
            known.check(key, value)
            if value not in where.setdefault(key, []):
                where[key].append(value)
    moment = now or datetime.datetime.now(datetime.UTC)
    since, until = (
        [_time(v, name, moment, name == "until") for v in where.pop(name, ())] for name in ("since", "until")
    )
    experiments, runs = (tuple(where.pop(name, ())) for name in ("experiment", "run"))
    for run in runs:
        if not known.has_run(run):
            raise UsageError(f"no run '{run}' in {known.place}", "`hwprof export` lists their ids (column run)")
    return Selection(
        {key: tuple(values) for key, values in where.items()},
        experiments,
        runs,
        max(since, default=""),
        min(until, default=""),
    )


def split_terms(text: str, whole: Sequence[str] = ()) -> list[str]:
    """Parts between commas or spaces at commas; each of `whole` stays in one piece."""
    words, rest = [], text.strip()
    while rest:
        found = next((w for w in whole if rest.startswith(w) and rest[len(w) : len(w) + 1] in ("", ",")), None)
        word = found or rest.partition(",")[0]
        rest = rest[len(word) :].lstrip(", ")
        words.append(word.strip())
    return [word for word in words if word]


def run_range(text: str) -> tuple[int, int] | None:
    """(first, last) number of runs that `17` or `17-30` names; None: the begin of an id."""
    if found := _RANGE.fullmatch(text):
        first, last = int(found[1]), int(found[2])
        if first > last:
            raise UsageError(f"run={text} ends before it begins", f"write run={last}-{first}")
        return first, last
    return (int(text), int(text)) if text.isdigit() and len(text) < LETTERS else None


def case_value(case: Case, key: str) -> str:
    """A field or an option of a case as text; "" for an option that it hasn't."""
    if key == "cpus":
        return ",".join(map(str, case.cpus))
    if key in CASE_KEYS:
        return str(getattr(case, key))
    found = case.option(key, "")
    return str(found).lower() if isinstance(found, bool) else str(found)


def fits(value: str, key: str, wanted: Collection[str]) -> bool:
    """Whether a value is one of the wanted ones; a machine is named by any part of its label."""
    has = value.lower()
    return any(has == w.lower() or (key == "machine" and w.lower() in has) for w in wanted)


def nearest(word: str, choices: Collection[str]) -> str:
    """`Did you mean quick? `, or ""."""
    known = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(word.lower(), sorted(known), n=2, cutoff=0.6)
    return f"Did you mean {' or '.join(known[name] for name in found)}? " if found else ""


def _time(text: str, key: str, now: datetime.datetime, ends: bool) -> str:
    """A time in ISO 8601, UTC; `ends`: the end of the day, minute or second that is named."""
    if age := _AGE.fullmatch(text):
        try:
            return _iso(now - datetime.timedelta(**{_AGES[age[2]]: float(age[1])}))
        except OverflowError:
            raise UsageError(f"{key}={text} is before all dates", TIME_REMEDY) from None
    for form, step in _TIMES:
        try:
            found = datetime.datetime.strptime(text.replace(" ", "T"), form)
            return _iso(found + step if ends else found)
        except (ValueError, OverflowError):  # the second: the end of the last day of all
            continue
    raise UsageError(f"{key}={text} is no time", TIME_REMEDY)


def _iso(time: datetime.datetime) -> str:
    """Without a zone, so that it sorts before the same time with one."""
    return time.replace(tzinfo=None).isoformat(timespec="seconds")


def _some(values: Sequence[str], most: int = SHOWN) -> str:
    left = len(values) - most
    return ", ".join(v or "(none)" for v in values[:most]) + (f" and {left} more" if left > 0 else "")


def _in_order(text: str) -> tuple[int, float, str]:
    return (0, float(text), "") if text.isdigit() else (1, 0.0, text)
