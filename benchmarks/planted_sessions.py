"""What `hwprof compare` says of planted sessions: of the same program, and of one that lost 8 %."""

from __future__ import annotations

import datetime

import numpy as np
from numpy.typing import NDArray
from promises import Row, share
from scenarios import Scenario

from hwprof.analysis.comparison.calibration import as_noises, calibrate
from hwprof.analysis.comparison.compare import Judgement, compare
from hwprof.analysis.comparison.measured import RunSummary
from hwprof.records import Case, Kind
from hwprof.speed import Speed

Floats = NDArray[np.float64]

SESSION_SD, ROUND_SD = 0.02, 0.01
MOVED = (Judgement.FASTER, Judgement.SLOWER, Judgement.REGRESSION)
LOST = float(np.log(0.92))


def side(
    rng: np.random.Generator, log: float, noises: Floats, rounds: int, day: int, second: int = 0
) -> list[RunSummary]:
    """Rounds of one case of a true log speed, in a session a day with these noises; a round begins each minute."""
    runs = []
    for session, noise in enumerate(noises):
        for number, own in enumerate(rng.normal(0, ROUND_SD, rounds)):
            at = datetime.datetime(2000, 1, 1) + datetime.timedelta(day + session, 60 * number + second)
            case, speed = Case("framework", "network", "", 224), Speed(fps=float(np.exp(log + noise + own)))
            uid = f"{day} {session} {number} {second}"
            runs.append(RunSummary(uid, case, Kind.NATIVE, number, at.isoformat(), speed, machine={"label": "planted"}))
    return runs


def comparisons(draws: int, sessions: int, rounds: int, calibrated: int = 0) -> Scenario:
    """`hwprof compare` of one case, of which nothing or 8 % is lost, where sessions differ by 2 % and rounds by 1 %.

    `sessions` of each side, 0: both sides in one session, in turn. `calibrated`: sessions that the machine's noise is
    known from.
    """

    def one(rng: np.random.Generator) -> dict[float, tuple[Judgement, bool | None]]:
        """By what is lost: the verdict, and whether the interval holds it (None: there is no interval)."""
        shown: dict[float, tuple[Judgement, bool | None]] = {}
        for loss in (0.0, LOST):
            old, new, known = (rng.normal(0, SESSION_SD, n) for n in (sessions or 1, sessions or 1, calibrated))
            noises = as_noises(calibrate(side(rng, 0.0, known, 3, 400), "")) if calibrated else {}
            day, second = (200, 0) if sessions else (0, 30)
            new = new if sessions else old
            both = side(rng, 0.0, old, rounds, 0), side(rng, loss, new, rounds, day, second)
            (change,) = compare(*both, noises=noises).changes
            has_interval = change.low is not None and change.high is not None
            held = bool(change.low <= np.exp(loss) <= change.high) if has_interval else None
            shown[loss] = change.verdict, held
        return shown

    def rows(shown: list[dict[float, tuple[Judgement, bool | None]]]) -> list[Row]:
        how = f"{sessions} sessions a side of {rounds} rounds" if sessions else f"{rounds} rounds in turn"
        how += f", noise of {calibrated} sessions" if calibrated else ""
        false, null_se = share([own[0.0][0] in MOVED for own in shown])
        power, se = share([own[LOST][0] in (Judgement.SLOWER, Judgement.REGRESSION) for own in shown])
        covered = [held for own in shown for _, held in own.values() if held is not None]
        out = [Row(f"compare, nothing lost, called different: {how}", false, 0.0, 0.05, null_se)]
        if not covered:  # no verdict, ever
            return out
        coverage, coverage_se = share(covered)
        out.append(Row(f"compare, coverage: {how}", coverage, 0.93, 0.98, coverage_se))
        return [*out, Row(f"compare, 8 % lost, found: {how}", power, 0.0 if sessions else 0.8, 1.0, se)]

    return Scenario(one, rows, draws)
