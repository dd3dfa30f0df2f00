"""The commands to run next: valid command lines, made of what the results hold."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from hwprof import plugins
from hwprof.analysis.answer.aggregate import ComparedCase
from hwprof.analysis.answer.model import NextCommand, PairAnswer
from hwprof.frameworks.profiles.lookup import has_profile
from hwprof.records import Case, Origin

BUILTIN = "builtin"  # how the recipe of a built-in network begins
DEFAULT_SIZE = 224


def next_commands(
    pair: PairAnswer, cases: Sequence[ComparedCase], results: str = "", narrow: bool = True
) -> tuple[NextCommand, ...]:
    """What to run next about a pair. `results`: the results file as a command names it, "" for the default one.

    `narrow`: whether `hwprof explain` is worth naming, which it is not where it has just been run on one network.
    """
    widest = pair.networks[0].network
    case = next(c for c in cases if c.network == widest)
    found = [*_explain(pair, case, results)] if narrow else []
    found += [*_test(pair, case, results)]
    found += [*_layers(case), *_instructions(pair, cases), *_doctor(pair)]
    return tuple(found)


def _explain(pair: PairAnswer, case: ComparedCase, results: str) -> Iterator[NextCommand]:
    if command := _explaining(pair, case, results):
        yield NextCommand(shlex.join(command), f"where the ratio is widest ({pair.networks[0].ratio.ratio:.2f}x)")


def _explaining(pair: PairAnswer, case: ComparedCase, results: str) -> list[str]:
    """The command that explains one case of two; [] where words can't name it."""
    fast, slow = _sides(pair, case)
    words = _selector(fast, slow), _selector(slow, fast)
    if not all(words) or "," in fast.network or fast.network != slow.network:
        return []
    return ["hwprof", "explain", f"{words[0]},network={fast.network}", words[1], *([results] if results else [])]


def _test(pair: PairAnswer, case: ComparedCase, results: str) -> Iterator[NextCommand]:
    """Reruns of the case with the widest ratio, where it can be measured again and was not yet."""
    cases = [evidence.case for evidence in case.evidence]
    known = all(plugins.find_adapter(one.framework) and one.recipe.startswith(BUILTIN) for one in cases)
    command = _explaining(pair, case, results)
    if command and known and not pair.emulated and not case.interventions and cases[0].framework != cases[1].framework:
        yield NextCommand(
            shlex.join([*command, "--test"]), "what causes it: measured again, one thing changed at a time"
        )


def _sides(pair: PairAnswer, case: ComparedCase) -> tuple[Case, Case]:
    a, b = (e.case for e in case.evidence)
    return (a, b) if case.names[0] == pair.fast else (b, a)


def _selector(own: Case, other: Case) -> str:
    """What `explain` takes for one of two cases, by what they differ in; "" where words cannot say it."""
    if own.framework != other.framework:
        return own.framework
    differing = [
        (n, str(getattr(own, n))) for n in ("threads", "batch", "precision") if getattr(own, n) != getattr(other, n)
    ]
    mine, others = dict(own.options), dict(other.options)
    for name in sorted({*mine, *others}):
        if mine.get(name) != others.get(name) and name in mine:
            value = mine[name]
            differing.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    if any("," in value for _, value in differing):
        return ""
    return ",".join([own.framework, *(f"{name}={value}" for name, value in differing)]) if differing else ""


def _layers(case: ComparedCase) -> Iterator[NextCommand]:
    first, second = (e.case for e in case.evidence)
    adapters = [plugins.find_adapter(name) for name in dict.fromkeys((first.framework, second.framework))]
    known = len(adapters) == 2 and all(one is not None and has_profile(one) for one in adapters)
    if known and first.recipe.startswith(BUILTIN) and first.network == second.network:
        yield NextCommand(
            shlex.join(["hwprof", "layers", "-f", f"{first.framework},{second.framework}", *_case_words(first)]),
            "which layers take the time",
        )


def _case_words(case: Case) -> list[str]:
    words = ["-n", case.network]
    words += ["-b", str(case.batch)] if case.batch != 1 else []
    words += ["-t", str(case.threads)] if case.threads > 1 else []
    return words + (["-s", str(case.size)] if case.size and not case.shape and case.size != DEFAULT_SIZE else [])


def _instructions(pair: PairAnswer, cases: Sequence[ComparedCase]) -> Iterator[NextCommand]:
    """Simulated instructions of both, where no instructions are known of the network with the widest ratio."""
    if pair.networks[0].work is not None:
        return
    case = next((c for c in cases if c.network == pair.networks[0].network and c.evidence[0].case.batch == 1), None)
    if case is None:
        return
    own = [e.case for e in case.evidence]
    if all(plugins.find_adapter(c.framework) and c.recipe.startswith(BUILTIN) and not c.options for c in own):
        command = shlex.join(["hwprof", "run", "-f", own[0].framework, *_case_words(own[0]), "--simulate"])
        yield NextCommand(command, f"simulated instructions per frame (of {own[1].framework} as well)")


def _doctor(pair: PairAnswer) -> Iterator[NextCommand]:
    if not pair.emulated and (pair.merged or not any(s.origin is Origin.HARDWARE for s in pair.factors)):
        yield NextCommand("hwprof doctor", "which counters are missing here, and what would enable them")
