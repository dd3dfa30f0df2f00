"""Bottleneck verdicts: every rule on one case, found ones first. The rules are in `rules_core` and `rules_system`."""

from __future__ import annotations

from collections.abc import Callable

from hwprof.analysis import rules_core, rules_system
from hwprof.analysis.verdicts import Context, State, Sure, Verdict

Rule = Callable[[Context], Verdict]
RULES: tuple[Rule, ...] = (
    rules_core.compute_bound,
    rules_core.bandwidth_bound,
    rules_core.latency_bound,
    rules_core.front_end,
    rules_core.bad_speculation,
    rules_core.under_vectorised,
    rules_system.poorly_parallel,
    rules_system.spinning,
    rules_system.throttled,
    rules_system.contended,
    rules_system.paging,
    rules_system.dispatch,
    rules_system.conversion,
)
ORDER = (State.YES, State.PARTLY, State.UNKNOWN, State.NO)
SURE = (Sure.HIGH, Sure.MEDIUM, Sure.LOW)


def verdicts(context: Context) -> tuple[Verdict, ...]:
    """Every rule's verdict: found ones first, the weightiest and surest of them at the top."""
    found = [rule(context) for rule in RULES]
    return tuple(sorted(found, key=lambda v: (ORDER.index(v.state), -v.weight, SURE.index(v.sure))))
