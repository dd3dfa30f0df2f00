"""How long the simulations of a sweep still take: an estimate from those that are done, within the budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class SimulationPace:
    """Time left of simulations that began now. `macs` of each: simulated time goes with them; None: unknown.

    `clock`: seconds that pass; `budget_s`: all that may be used. Where the MACs of one are unknown, each counts alike.
    """

    def __init__(self, clock: Callable[[], float], budget_s: float, macs: Sequence[int | None]) -> None:
        self._clock = clock
        self._started = clock()
        self.deadline = self._started + budget_s
        self._work = [float(m) for m in macs if m] if all(macs) else [1.0] * len(macs)
        self._done: set[int] = set()

    def finish(self, place: int) -> tuple[float, bool]:
        """One is done: the seconds that the others still take, and whether that is only a limit."""
        self._done.add(place)
        done = sum(self._work[i] for i in self._done)
        left = sum(self._work) - done
        if len(self._done) == len(self._work):
            return 0.0, False
        now = self._clock()
        limit = max(0.0, self.deadline - now)
        estimate = (now - self._started) * left / done
        return min(limit, estimate), estimate > limit
