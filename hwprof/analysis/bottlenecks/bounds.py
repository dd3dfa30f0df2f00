"""What bounds each case, and what is the same for all cases: rules not known or ruled out, words of their names."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwprof.analysis.bottlenecks.certainty import State
from hwprof.analysis.bottlenecks.diagnosis import Diagnosis
from hwprof.analysis.bottlenecks.needs import command_for
from hwprof.analysis.bottlenecks.verdicts import Verdict
from hwprof.printable import plural
from hwprof.records import Case

FOUND = (State.YES, State.PARTLY)


def found_verdicts(d: Diagnosis) -> tuple[Verdict, ...]:
    """What was found of a case, what bounds it first."""
    return tuple(v for v in d.verdicts if v.state in FOUND)


def bound_name(code: str) -> str:
    """A rule's code as the value of `bounded by`: `compute` of `compute-bound`."""
    return code.removesuffix("-bound")


@dataclass(frozen=True, slots=True)
class Gap:
    """Rules that could not be judged for one reason. `needs`: what was not measured; `why`: reasons of the machine;
    `because`: the reason where nothing that could be measured is missing; `command`: what would measure it, or "".
    """

    codes: tuple[str, ...]
    needs: tuple[str, ...]
    why: tuple[str, ...]
    because: str
    command: str


def gaps(found: Sequence[Diagnosis]) -> list[Gap]:
    """Rules that could be judged of no case, together where one command would help all of them."""
    counts = state_counts(found, State.UNKNOWN)
    codes = [v.code for v in found[0].verdicts if counts[v.code] == len(found)] if found else []
    case = found[0].case if len(found) == 1 else None
    grouped: dict[tuple[str, str], dict[str, list[tuple[Diagnosis, Verdict]]]] = {}
    for code in codes:
        own = [(d, v) for d in found for v in d.verdicts if v.code == code]
        needs = [need for _, v in own for need in v.missing]
        command = next((c for need in needs if (c := command_for(need, case))), "")
        because = "" if needs else "; ".join(dict.fromkeys(v.because for _, v in own))
        grouped.setdefault((command, because), {})[code] = own
    out = []
    for (command, because), rules in grouped.items():
        several = [pair for own in rules.values() for pair in own]
        needs_once = tuple(dict.fromkeys(need for _, v in several for need in v.missing))
        why = dict.fromkeys(text for d, v in several for need in v.missing if (text := d.context.evidence.why(need)))
        out.append(Gap(tuple(rules), needs_once, tuple(why), because, command))
    return out


def state_counts(found: Sequence[Diagnosis], state: State) -> Mapping[str, int]:
    """Code -> number of cases whose verdict is that."""
    return Counter(v.code for d in found for v in d.verdicts if v.state is state)


def codes_in_every_case(found: Sequence[Diagnosis], state: State) -> list[str]:
    """Rules that say the same of all cases."""
    return [code for code, count in state_counts(found, state).items() if count == len(found)]


@dataclass(frozen=True, slots=True)
class CaseLabels:
    """Names of cases in a table. `common`: what all share, in words; `names`: (framework, network) of each, with all
    that differs between the cases."""

    common: str
    names: tuple[tuple[str, str], ...]


def labels(found: Sequence[Diagnosis]) -> CaseLabels:
    """What all cases share is said once; the rest stands beside the names."""
    cases = [d.case for d in found]
    facts = [_facts(d) for d in found]
    shared = [name for name in facts[0] if len({own[name] for own in facts}) == 1] if facts else []
    # a size follows from the network, a version from the framework, cores from the threads: named where they do not
    quiet = {name for name in ("side", "version", "cpus") if _follows(found, facts, name)}
    names = []
    for case, own in zip(cases, facts, strict=True):
        differing = [n for n in own if n not in shared and n not in quiet]
        options = "".join(f" {k}={v}" for k, v in case.options) if "options" in differing else ""
        short = own | {"batch": f"b{case.batch}", "threads": f"t{case.threads}"}
        rest = " ".join(short[n] for n in differing if n != "options" and own[n])
        names.append((f"{case.framework}{options}", f"{case.network} {rest}".strip()))
    common = [facts[0][n] for n in shared if n != "version" and facts[0][n]] if facts else []
    return CaseLabels(", ".join(common), tuple(names))


def _facts(d: Diagnosis) -> dict[str, str]:
    c = d.case
    return {
        "side": c.side,
        "batch": f"batch {c.batch}",
        "threads": plural(c.threads, "thread"),
        "cpus": f"cpu {','.join(map(str, c.cpus))}" if c.cpus else "not pinned",
        "precision": c.precision,
        "options": " ".join(f"{k}={v}" for k, v in c.options),
        "version": d.version,
        "machine": d.machine,
    }


def _follows(found: Sequence[Diagnosis], facts: Sequence[Mapping[str, str]], name: str) -> bool:
    """Whether a fact is the same in all cases of equal framework, network and threads."""
    groups: dict[tuple[str, str, int], set[str]] = {}
    for d, own in zip(found, facts, strict=True):
        groups.setdefault((d.case.framework, d.case.network, d.case.threads), set()).add(own[name])
    return all(len(values) == 1 for values in groups.values())


def selector_of(case: Case, others: Sequence[Case]) -> str:
    """Words that select this case among the others, as `explain` takes them; "" where words cannot say it."""
    words = [case.framework, f"network={case.network}"]
    alike = [c for c in others if (c.framework, c.network) == (case.framework, case.network) and c != case]
    for name in ("shape" if case.shape else "size", "batch", "threads", "precision"):
        if any(getattr(c, name) != getattr(case, name) for c in alike):
            words.append(f"{name}={getattr(case, name)}")
            alike = [c for c in alike if getattr(c, name) == getattr(case, name)]
    return "" if alike or "," in case.network else ",".join(words)


def next_commands(found: Sequence[Diagnosis], results: str = "") -> list[tuple[str, str]]:
    """(command line, what it shows): one of several cases in detail, why one is faster. `results`: the file as it is
    named there, "" for the default one."""
    cases = [d.case for d in found]
    words = [results] if results else []
    commands = []
    if len(found) > 1 and (one := next(filter(None, (selector_of(c, cases) for c in cases)), "")):
        commands.append((shlex.join(["hwprof", "explain", one, *words]), "one case with every number"))
    names = list(dict.fromkeys(c.framework for c in cases))
    if len(found) == 1 and (own := selector_of(cases[0], [])):
        rivals = [own, *sorted(found[0].context.peers)[:1]]
    else:
        rivals = names[:2]
    if len(rivals) == 2:
        commands.append((shlex.join(["hwprof", "explain", *rivals, *words]), "why one is faster"))
    return commands
