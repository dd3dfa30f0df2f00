"""Sessions: which rounds share their noise, and by how much two sessions of one program differ on a machine. Pure.

Load, clock, temperature and placement change between one session and the next, and stay while it lasts. That noise is
in every round of a session alike: no number of rounds shows it or removes it.
"""

from __future__ import annotations

import datetime
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwprof.analysis.comparison.measured import RunSummary
from hwprof.speed import Interval

# Invocations that follow each other within this time are one session. Hosts move virtual machines, and clocks settle,
# within half an hour; what is measured at once after the other sees the same of it.
PAUSE_S = 1800.0
Logs = Sequence[Sequence[float]]  # log speeds of the rounds of each session


def mark_sessions(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """The runs, with equal `session` where they are of one; `runs`: all that are known, whatever their case.

    Runs of one invocation are of one session. So are invocations of one boot that follow each other within PAUSE_S,
    and runs that tell neither their invocation nor their time. Another machine is another session.
    """
    times = [started(run.started_utc) for run in runs]
    order = sorted(range(len(runs)), key=lambda i: (repr(runs[i].machine), times[i] or 0.0))
    numbers, number, last, ids, end = [0] * len(runs), -1, None, set[str](), -math.inf
    for i in order:
        run, time = runs[i], times[i]
        if last is None or not _goes_on(runs[last], times[last], end, run, time, ids):
            number, ids, end = number + 1, set(), -math.inf
        numbers[i], last = number, i
        ids |= {run.session} - {""}
        end = max(end, (time or 0.0) + run.seconds)
    return [replace(run, session=f"session {n}") for run, n in zip(runs, numbers, strict=True)]


def _goes_on(
    last: RunSummary, last_time: float | None, end: float, run: RunSummary, time: float | None, ids: set[str]
) -> bool:
    """Whether `run` is of the session of `last`, which has these invocations and went on until `end`."""
    if repr(last.machine) != repr(run.machine):
        return False
    if run.session in ids:
        return True
    if last.boot and run.boot and last.boot != run.boot:
        return False
    if time is None or last_time is None:
        return time is None and last_time is None and not run.session
    return time - end <= PAUSE_S


def started(text: str) -> float | None:
    """Seconds of a recorded time (ISO 8601, UTC where it says nothing else); None: not recorded."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()


def by_session(runs: Sequence[RunSummary], values: Sequence[float]) -> dict[str, list[float]]:
    """The values of runs, one each, by their marked sessions."""
    groups: dict[str, list[float]] = defaultdict(list)
    for run, value in zip(runs, values, strict=True):
        groups[run.session].append(value)
    return dict(groups)


@dataclass(frozen=True, slots=True)
class SessionNoise:
    """By how much sessions of one program differ on a machine: standard deviations of log speeds.

    `between`: of the mean of a session's `rounds` rounds, with `freedom` degrees of freedom. `within`: of the rounds of
    one session, of `within_freedom`; None: each session had one. `date`: of the last of the `sessions`.
    """

    between: float
    freedom: int
    within: float | None
    within_freedom: int
    rounds: float
    sessions: int
    cases: int
    date: str = ""

    @property
    def interval(self) -> Interval:
        """`between` with its 95 % interval, by chi-square."""
        from scipy.stats import chi2

        low, high = (self.between * math.sqrt(self.freedom / float(chi2.ppf(p, self.freedom))) for p in (0.975, 0.025))
        return Interval(self.between, low, high)

    def variance(self, rounds: Sequence[Sequence[int]]) -> tuple[float, float]:
        """Variance of the difference of two sides, and its degrees of freedom (Satterthwaite 1946).

        `rounds`: of each session of either side. A session of fewer rounds than the recorded ones has more noise of its
        rounds; one of more rounds is given no less than was seen.
        """
        between, within = 0.0, 0.0
        for side in rounds:
            for count in side:
                between += 1 / len(side) ** 2
                within += max(0.0, 1 / count - 1 / self.rounds) / len(side) ** 2
        parts = [(between * self.between**2, self.freedom)]
        if within and self.within is not None:
            parts.append((within * self.within**2, self.within_freedom))
        total = sum(part for part, _ in parts)
        squares = sum(part**2 / freedom for part, freedom in parts)
        return total, total**2 / squares if squares else float(self.freedom)

    def exceeded_by(self, sessions: Logs) -> bool:
        """Whether these rounds scatter within their sessions more than those did: F test at the level of 1 %."""
        found, freedom = within_sessions(sessions)
        if not freedom or not self.within or not self.within_freedom:
            return False
        from scipy.stats import f

        return float(f.sf(found / self.within**2, freedom, self.within_freedom)) < 0.01


def within_sessions(sessions: Logs) -> tuple[float, int]:
    """Variance of rounds within their sessions, and its degrees of freedom; (0, 0): one round each."""
    freedom = sum(len(rounds) - 1 for rounds in sessions)
    squares = sum(float(np.var(rounds)) * len(rounds) for rounds in sessions)
    return (squares / freedom, freedom) if freedom else (0.0, 0)


def estimate_noise(cases: Sequence[Mapping[str, Sequence[float]]], date: str = "") -> SessionNoise | None:
    """The noise of the sessions that measured a program more than once; None where no two did.

    `cases`: of each case the log speeds of its rounds by session. The cases of a session move together to an unknown
    degree, so that sessions alone count as degrees of freedom, not cases.
    """
    several = [case for case in cases if len(case) > 1]
    if not several:
        return None
    means = [[statistics.fmean(rounds) for rounds in case.values()] for case in several]
    between = sum(float(np.var(found)) * len(found) for found in means) / sum(len(found) - 1 for found in means)
    within, within_freedom = within_sessions([rounds for case in several for rounds in case.values()])
    counts = [len(rounds) for case in several for rounds in case.values()]
    sessions = {session for case in several for session in case}
    return SessionNoise(
        math.sqrt(between),
        len(sessions) - sum(1 for _ in _connected(several)),
        math.sqrt(within) if within_freedom else None,
        within_freedom,
        statistics.harmonic_mean(counts),
        len(sessions),
        len(several),
        date,
    )


def _connected(cases: Sequence[Mapping[str, Sequence[float]]]) -> Iterator[set[str]]:
    """Groups of sessions that have no case in common with those of another group."""
    left = [set(case) for case in cases]
    while left:
        group = left.pop()
        while joined := [other for other in left if other & group]:
            group = group.union(*joined)
            left = [other for other in left if not other & group]
        yield group
