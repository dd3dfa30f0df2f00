"""The search as a pure function of what is measured: screening, successive halving, a fresh final.

Every stage goes in rounds, and each round measures every candidate of the stage once, in its own seeded order: a drift
of the machine hits all alike. Candidates are measured side by side in sets, each with the default, and a speed is the
ratio to the default of the same set. Only rounds that two candidates share are compared. The budget is counted in
seconds that the measurements say they took, so that a search that goes on from kept measurements takes the same way.

Successive halving: Jamieson & Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
AISTATS 2016: the same budget for every rung, the better half goes on. The one that came out best of many is best by
luck too (the winner's curse), so that its figures from the search count for nothing: it meets the default again in
rounds of their own, and the default stays unless the interval of the ratio excludes 1.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hwprof.errors import CaseFailed
from hwprof.printable import plural
from hwprof.runner.grouping import chunks
from hwprof.studies.tuning.space import Candidate, Space

SCREEN, RUNG, FINAL = "screen", "rung", "final"
# Shares of the budget: screening may take half, the final gets at least a third.
SCREEN_SHARE, FINAL_SHARE = 0.5, 0.35
# Of seven rounds one is trimmed from each end.
MIN_FINAL, MAX_FINAL = 7, 15
TRIMMED = 0.2
# So many candidates are halved even if the budget is too small.
MIN_RUNG = 4
# Candidates in a set, beside the default.
BESIDE = 5
# A candidate within this of the leader is as good as it, as far as the search can tell; the simpler one is tried too.
TIE = 0.02
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class TrialSpeed:
    """One candidate, once. `fps` (by itself) None: it failed or was unfaithful, and `failure` says how.

    `ratio`: its speed over that of the default in the same set, from their slices; `by` what, where not by FPS.
    """

    fps: float | None
    seconds: float
    failure: str = ""
    ratio: float | None = None
    by: str = ""


# candidates of one set, the default first; number of the set (unique within the search); stage
Measure = Callable[[Sequence[Candidate], int, str], Sequence[TrialSpeed]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A measurement with its place in the search. `round`: the number of its set."""

    candidate: Candidate
    stage: str
    round: int
    measured: TrialSpeed


@dataclass(frozen=True, slots=True)
class FinalRatio:
    """Speed of `candidate` / speed of `against` in the sets of the final, with its interval."""

    candidate: Candidate
    against: Candidate
    ratio: float
    low: float
    high: float
    rounds: int
    confidence: float


@dataclass(slots=True)
class SearchResult:
    """The winner, and the measurements that it follows from."""

    default: Candidate
    winner: Candidate
    why: str = ""
    comparisons: list[FinalRatio] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    failures: dict[Candidate, str] = field(default_factory=dict)
    exclusions: dict[tuple[str, object], str] = field(default_factory=dict)
    untried: list[Candidate] = field(default_factory=list)
    rungs: list[list[Candidate]] = field(default_factory=list)
    spent_s: float = 0.0
    enough_s: float = 0.0  # about what it would take to try every combination


def search(space: Space, measure: Measure, budget_s: float, seed: int = 0) -> SearchResult:
    """Find the best candidate. Raises CaseFailed where the default itself can't be measured."""
    return _Search(space, measure, budget_s, random.Random(f"tune {seed}")).run()


class _Search:
    def __init__(self, space: Space, measure: Measure, budget_s: float, rng: random.Random) -> None:
        self.space, self.measure, self.budget, self.rng = space, measure, budget_s, rng
        self.found = SearchResult(space.default, space.default)
        self.round = self.sets = 0
        self.logs: dict[int, dict[Candidate, float]] = {}  # round -> log of the ratio to the default

    def run(self) -> SearchResult:
        """Screen, halve, compare with the default again."""
        self.final(self.halve(self.choose(self.screen())))
        return self.found

    @property
    def cost(self) -> float:
        """Seconds of one measurement, as it was so far."""
        return statistics.median(t.measured.seconds for t in self.found.trials)

    def one_round(self, candidates: Sequence[Candidate], stage: str, limit_s: float = math.inf) -> list[Candidate]:
        """Measure each once, in a random order; those that there was no time for."""
        order = [c for c in candidates if c not in self.found.failures and c != self.found.default]
        self.rng.shuffle(order)
        logs = self.logs.setdefault(self.round, {})
        left: list[Candidate] = []
        for beside in chunks(order, BESIDE) or [[]]:
            if self.found.spent_s >= limit_s:
                left += beside
                continue
            self.one_set([self.found.default, *beside], stage, logs)
        self.round += 1
        return left

    def one_set(self, candidates: Sequence[Candidate], stage: str, logs: dict[Candidate, float]) -> None:
        """Measure the default and others side by side. Raises CaseFailed where the default fails."""
        for candidate, measured in zip(candidates, self.measure(candidates, self.sets, stage), strict=True):
            self.found.trials.append(Trial(candidate, stage, self.sets, measured))
            self.found.spent_s += measured.seconds
            if measured.ratio is None:
                self.found.failures[candidate] = measured.failure
            else:
                logs[candidate] = math.log(measured.ratio)
        self.sets += 1
        if self.found.default in self.found.failures:
            raise CaseFailed(f"the default can't be measured: {self.found.failures[self.found.default]}")

    def screen(self) -> dict[tuple[str, object], float]:
        """The default and each single change, once: values that fail alone are out with all their combinations.

        Returns the effect of each value on the log of speed, which ranks combinations where not all can be afforded.
        """
        default = self.space.default
        singles = self.space.singles()
        skipped = self.one_round([default, *singles], SCREEN, SCREEN_SHARE * self.budget)
        logs = self.logs[0]
        effects: dict[tuple[str, object], float] = {}
        for single in singles:
            (change,) = single.changes(default)
            if single in logs:
                effects[change] = logs[single] - logs[default]
            elif single in skipped:
                self.found.exclusions[change] = "not tried: the budget was used up"
            else:
                self.found.exclusions[change] = self.found.failures[single]
        return effects

    def choose(self, effects: dict[tuple[str, object], float]) -> list[Candidate]:
        """As many combinations as a first rung of one round can take, the most promising by their single effects."""
        everything = self.space.candidates(self.found.exclusions)
        default = self.space.default
        # a halving of n candidates with a round per rung costs about 2 n measurements
        room = max(MIN_RUNG, int((self.search_s - self.found.spent_s) / (2 * self.cost) * BESIDE / (BESIDE + 1)))
        needed = self.found.spent_s + 2 * measurements(len(everything)) * self.cost
        self.found.enough_s = max(needed / (1 - FINAL_SHARE), needed + 3 * MIN_FINAL * self.cost)

        def promise(c: Candidate) -> tuple[float, int]:
            changes = c.changes(default)
            return (-sum(effects.get(change, 0.0) for change in changes), len(changes))

        others = sorted((c for c in everything if c != default), key=promise)
        screened = {t.candidate for t in self.found.trials}
        self.found.untried = [c for c in others[room:] if c not in screened]
        return [default, *others[:room]]

    @property
    def search_s(self) -> float:
        """The share of everything before the final."""
        return self.budget - max(FINAL_SHARE * self.budget, 3 * MIN_FINAL * self.cost)

    def halve(self, candidates: list[Candidate]) -> list[Candidate]:
        """Successive halving; the default always goes on. The survivors, the best first."""
        default = self.space.default
        survivors = candidates
        while True:
            survivors = [c for c in survivors if c not in self.found.failures]
            self.found.rungs.append(survivors)
            if len(survivors) <= 2 and len(self.found.rungs) > 1:
                break
            left = self.search_s - self.found.spent_s
            rungs = max(1, math.ceil(math.log2(max(2, len(survivors)))) - 1)
            first = len(self.found.rungs) == 1
            rounds = int(left / rungs / self.cost / measurements(len(survivors)))
            if rounds < 1 and not first:
                break
            begin = self.round
            for _ in range(max(1, min(rounds, MAX_FINAL))):
                self.one_round(survivors, RUNG)
                if self.found.spent_s >= self.search_s:  # measuring became slower than it was
                    break
            ranked = self.rank(survivors)
            if len(ranked) <= 3 or self.round == begin:
                survivors = ranked
                break
            best = ranked[: max(2, math.ceil(len(ranked) / 2))]
            survivors = best if default in best else [*best, default]
        return self.rank(survivors)

    def rank(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that did not fail, the best first; of equals the simpler.

        The score: the median of the log ratio to the default less the mean of its round, over the rounds after
        screening that all have.
        """
        default = self.space.default
        running = [c for c in candidates if c not in self.found.failures]
        shared = [logs for n, logs in self.logs.items() if n > 0 and all(c in logs for c in running)]
        centred = [(logs, statistics.fmean(logs[c] for c in running)) for logs in shared]
        scores = {c: statistics.median([logs[c] - middle for logs, middle in centred] or [0.0]) for c in running}
        return sorted(running, key=lambda c: (-scores[c], len(c.changes(default))))

    def final(self, ranked: list[Candidate]) -> None:
        """The leader, the default, and what is as good as the leader but simpler, in rounds of their own."""
        found, default = self.found, self.space.default
        leader = ranked[0]
        if leader == default:
            found.why = "nothing was faster than the default in the search"
            return
        finalists = [default, leader, *self.simpler(leader)]
        rounds = int((self.budget - found.spent_s) / self.cost / len(finalists))
        begin = self.round
        for _ in range(max(MIN_FINAL, min(rounds, MAX_FINAL))):
            self.one_round(finalists, FINAL)
        self.decide([c for c in finalists if c not in found.failures], begin)

    def simpler(self, leader: Candidate) -> list[Candidate]:
        """The simplest that was as good as the leader wherever both were measured, even if it went out early."""
        default = self.space.default
        rounds = [logs for n, logs in self.logs.items() if n > 0 and leader in logs]
        found: list[tuple[int, float, Candidate]] = []
        for other in {c: None for logs in rounds for c in logs}:
            changes = len(other.changes(default))
            if other in (default, leader) or other in self.found.failures or changes >= len(leader.changes(default)):
                continue
            gap = statistics.median(logs[leader] - logs[other] for logs in rounds if other in logs)
            if gap <= TIE:
                found.append((changes, gap, other))
        return [min(found, key=lambda f: f[:2])[2]] if found else []

    def decide(self, finalists: list[Candidate], begin: int) -> None:
        """The simplest that beats the default, unless a less simple one beats that too."""
        found, default = self.found, self.space.default
        challengers = sorted((c for c in finalists if c != default), key=lambda c: len(c.changes(default)))
        pairs = [(c, default) for c in challengers]
        if len(challengers) == 2:
            pairs.append((challengers[1], challengers[0]))
        found.comparisons = [self.compare(a, b, begin, len(pairs)) for a, b in pairs]
        better = {(c.candidate, c.against) for c in found.comparisons if c.low > 1}
        for challenger in challengers:
            if (challenger, default) in better and (found.winner == default or (challenger, found.winner) in better):
                found.winner = challenger
        found.why = "in rounds of their own nothing was surely faster than the default: the interval includes 1"
        if found.winner != default:
            found.why = "faster than the default in rounds of their own: the interval of the ratio lies above 1"
        disturbed = sum(bool(t.measured.by) for t in found.trials if t.stage == FINAL)
        if disturbed:
            last = [t.measured.by for t in found.trials if t.stage == FINAL and t.measured.by][-1]
            found.why += f"; {plural(disturbed, 'measurement')} of it {last}"

    def compare(self, a: Candidate, b: Candidate, begin: int, tests: int) -> FinalRatio:
        """Ratio of speed over the rounds from `begin`, paired; Bonferroni over `tests`."""
        logs = [one[a] - one[b] for n, one in self.logs.items() if n >= begin and a in one and b in one]
        confidence = 1 - (1 - CONFIDENCE) / tests
        middle, low, high = interval(logs, confidence)
        return FinalRatio(a, b, math.exp(middle), math.exp(low), math.exp(high), len(logs), confidence)


def measurements(candidates: int) -> int:
    """How many measurements a round of so many candidates takes, the default among them: it is in every set."""
    return max(1, candidates - 1 + -(-(candidates - 1) // BESIDE))


def interval(values: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """Middle of paired differences with its interval: Student's of the trimmed mean, a fifth off each end.

    A machine that others use delays one process in ten by a factor. One such round widens the interval of the mean
    until it says nothing. Tukey and McLaughlin, "Less vulnerable confidence and significance procedures for location
    based on a single sample", 1963: winsorised variance, degrees of freedom of the rounds that are left. Below seven
    rounds nothing is trimmed.
    """
    ordered = sorted(values)
    count = len(ordered)
    off = int(TRIMMED * count) if count >= MIN_FINAL else 0
    middle = statistics.fmean(ordered[off : count - off])
    if count < 2:
        return middle, -math.inf, math.inf
    from scipy.special import stdtrit

    winsorised = [min(max(v, ordered[off]), ordered[count - 1 - off]) for v in ordered]
    left = count - 2 * off
    error = statistics.stdev(winsorised) * math.sqrt(count) / left
    half = float(stdtrit(left - 1, 0.5 + confidence / 2)) * error
    return middle, middle - half, middle + half
