"""How far an answer can be trusted, by stated rules (the table is in docs/report.md). Pure.

Trust is high unless a rule lowers it. The rules are of the ranking and of its reasons alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hwprof.analysis.answer.aggregate import ComparedCase
from hwprof.analysis.answer.model import Level, PairAnswer, Standing, Trust, TrustReason
from hwprof.analysis.answer.weights import ENOUGH
from hwprof.analysis.answer.wording import name_of
from hwprof.analysis.bottlenecks.certainty import SESSIONS
from hwprof.analysis.estimator import OFF, Estimator, lost_share
from hwprof.analysis.factors.ratio import Weight
from hwprof.printable import plural
from hwprof.records import Origin

FEW_ROUNDS = 3
SOME, MOST = 0.25, 0.5  # shares of the measured cases
# Doubts of a run that concern its speed, with the words for them.
SPEED_DOUBTS = {
    "noisy": "noisy",
    "not-steady": "not steady after the warm-up",
    "drift": "drifting",
    "steal": "with time stolen by the hypervisor",
    "other-load": "beside other load",
    "throttled": "throttled",
    "hot": "measured hot",
    "swapped": "partly in swap",
    "container-limit": "held back by a CPU limit",
    "frequency-drift": "with a moving clock",
}
ORDER = (Level.LOW, Level.MEDIUM, Level.HIGH)
Rule = Callable[[PairAnswer, Sequence[ComparedCase]], Iterator[TrustReason]]


def _rounds(pair: PairAnswer, cases: Sequence[ComparedCase]) -> Iterator[TrustReason]:
    fewest = min(min(c.decomposition.rounds) for c in cases)
    if fewest < 2:
        text = "a side with one round has no interval"
        yield TrustReason("one-round", Level.LOW, text, "three rounds and more (-r, or rounds = 3)")
    elif fewest < FEW_ROUNDS:
        text = "intervals are of two rounds"
        yield TrustReason("few-rounds", Level.MEDIUM, text, "three rounds and more (-r, or rounds = 3)")


def _outputs(pair: PairAnswer, cases: Sequence[ComparedCase]) -> Iterator[TrustReason]:
    change = "drop what is unfaithful, or find out why it is (hwprof report, Speed)"
    if pair.unfaithful:
        text = f"one of the two is UNFAITHFUL to the reference in {pair.unfaithful} of {plural(pair.cases, 'case')}"
        level = Level.LOW if pair.unfaithful > MOST * pair.cases else Level.MEDIUM
        yield TrustReason("unfaithful", level, text, change)
    if pair.incomparable:
        text = f"outputs are not comparable with the reference in {pair.incomparable} of {plural(pair.cases, 'case')}"
        yield TrustReason("not-comparable", Level.MEDIUM, text, "a network whose outputs can be compared")


def _disturbed(pair: PairAnswer, cases: Sequence[ComparedCase]) -> Iterator[TrustReason]:
    if pair.choice.estimator is Estimator.FPS:
        return
    speeds = [s for c in cases for side in c.decomposition.speeds for _, s in side]
    lost = max(map(lost_share, speeds))
    why = f"runs are disturbed, so that {pair.choice.estimator} ranks instead of FPS"
    change = "cores that nothing else uses (--cpus), on a machine without other load"
    if pair.choice.estimator is Estimator.THROUGHPUT and lost > OFF:
        text = f"{why}; others took up to {100 * lost:.0f} % of the time"
        yield TrustReason("disturbed-throughput", Level.LOW, text, change)
    else:
        yield TrustReason("disturbed", Level.MEDIUM, why, change)


def _conflicts(pair: PairAnswer, cases: Sequence[ComparedCase]) -> Iterator[TrustReason]:
    if pair.conflicts:
        text = f"slices and bare stretches contradict each other in {pair.conflicts} of {plural(pair.cases, 'case')}"
        level = Level.LOW if pair.conflicts > MOST * pair.cases else Level.MEDIUM
        yield TrustReason("conflict", level, text, "a quiet machine, and more rounds (-r)")


def _side_by_side(pair: PairAnswer, cases: Sequence[ComparedCase]) -> Iterator[TrustReason]:
    if pair.apart > MOST * pair.cases:
        text = f"{pair.apart} of {plural(pair.cases, 'case')} were not measured side by side"
        yield TrustReason("not-side-by-side", Level.MEDIUM, text, "one hwprof sweep with both frameworks")


def _sessions(pair: PairAnswer, cases: Sequence[ComparedCase]) -> Iterator[TrustReason]:
    """One session shows nothing of what differs between sessions: a small ratio may be that."""
    low = pair.ratio.low
    if pair.standing is Standing.EVERYWHERE:
        low = min(n.ratio.ratio for n in pair.networks)
    sessions = {s.session for c in cases for side in c.decomposition.sides for s in side}
    if pair.ranked and len(sessions) < 2 and low is not None and low < SESSIONS:
        text = f"the ratio may be within {100 * (SESSIONS - 1):.0f} % of 1, by which sessions may differ"
        yield TrustReason("one-session", Level.MEDIUM, text, "measure it again in another session")


def _doubts(pair: PairAnswer, cases: Sequence[ComparedCase]) -> Iterator[TrustReason]:
    sides = [e for c in cases for e in c.evidence]
    counts = {code: sum(code in e.doubts for e in sides) for code in SPEED_DOUBTS}
    doubtful = sum(any(code in e.doubts for code in SPEED_DOUBTS) for e in sides)
    if doubtful > SOME * len(sides):
        parts = [f"{n} {SPEED_DOUBTS[code]}" for code, n in sorted(counts.items(), key=lambda item: -item[1]) if n]
        text = f"of {len(sides)} measured cases {', '.join(parts[:3])}"
        change = "a quiet machine with a fixed clock, pinned cores (--cpus), more rounds (-r)"
        yield TrustReason("doubtful-runs", Level.MEDIUM, text, change)


def _counters(pair: PairAnswer, cases: Sequence[ComparedCase]) -> Iterator[TrustReason]:
    if pair.emulated:
        text = "times are an emulator's"
        yield TrustReason("emulated", Level.LOW, text, "the same command on a real machine")
    elif not any(s.origin is Origin.HARDWARE for s in pair.factors):
        text = "no hardware counters: clock, IPC and work are not separable"
        yield TrustReason("no-counters", Level.MEDIUM, text, "the same command on a machine with a PMU (hwprof doctor)")
    elif pair.merged:
        change = "hwprof doctor says what keeps the other counters from being read; spin = false where threads may spin"
        yield TrustReason("merged-factors", Level.MEDIUM, f"some factors are merged ({pair.merged})", change)


def _networks(pair: PairAnswer, cases: Sequence[ComparedCase]) -> Iterator[TrustReason]:
    """A ratio that is decided nowhere is no ranking, whatever the quality of the rounds."""
    if pair.standing is Standing.TIED and not any(n.decided for n in pair.networks):
        text = "no network shows a difference"
        yield TrustReason("no-difference", Level.MEDIUM, text, "more rounds (-r) find smaller differences")


RULES: tuple[Rule, ...] = (
    _rounds, _outputs, _disturbed, _conflicts, _side_by_side, _sessions, _doubts, _counters, _networks,
)  # fmt: skip


def judge(pair: PairAnswer, cases: Sequence[ComparedCase]) -> Trust:
    """The trust in what is said of a pair, by all rules; the reasons that lower it most come first."""
    reasons = sorted(
        (reason for rule in RULES for reason in rule(pair, cases)), key=lambda reason: ORDER.index(reason.at_most)
    )
    level = min((reason.at_most for reason in reasons), key=ORDER.index, default=Level.HIGH)
    small = any(reason.code == "one-session" for reason in reasons)
    return Trust(level, tuple(reasons), tuple(_safe(pair, level, small)), tuple(_unsafe(pair, small)))


def least(found: Sequence[Trust]) -> Trust | None:
    """The trust in several pairs together: the lowest level, every reason once, in the words of its first pair."""
    if not found:
        return None
    level = min((t.level for t in found), key=ORDER.index)
    reasons = {r.code: r for t in reversed(found) for r in t.reasons}
    ordered = sorted(reasons.values(), key=lambda r: ORDER.index(r.at_most))
    return Trust(level, tuple(ordered), _once(t.safe for t in found), _once(t.unsafe for t in found))


def _once(parts: Iterator[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for part in parts for text in part))


def _safe(pair: PairAnswer, level: Level, small: bool) -> Iterator[str]:
    """`small`: the ratio may be what sessions differ by."""
    if pair.emulated or small or level is Level.LOW:
        return
    if pair.ranked and pair.losses == 0:
        yield f"{pair.fast} is faster than {pair.slow} on this machine"
    elif pair.ranked:
        yield f"{pair.fast} is faster than {pair.slow} over these networks, not on every one"
    for one in pair.factors if len(pair.factors) > 1 else ():
        if one.weight is Weight.MAINLY:
            yield f"{name_of(one.factor.name)} accounts for more than half of the ratio of {pair.fast} to {pair.slow}"


def _unsafe(pair: PairAnswer, small: bool) -> Iterator[str]:
    if pair.emulated:
        yield "any statement on speed"
        return
    if pair.standing is Standing.EVERYWHERE or len(pair.networks) < ENOUGH:
        yield "the ratio on networks that were not measured"
    elif pair.standing is Standing.TIED:
        yield "which of the two is faster over all networks"
    if small:
        yield f"that {pair.fast} is faster than {pair.slow} in another session"
    if pair.losses:
        yield f"that {pair.fast} is faster on every network"
    if not pair.causes:
        yield "what causes the difference (only a rerun with one thing changed shows it)"
