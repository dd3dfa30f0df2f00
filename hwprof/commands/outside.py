"""A network case whose counted window is counted from outside, by `perf stat` on the worker's tasks.

The worker opens nothing. Before the window perf is attached to all its tasks and enabled, behind it disabled; each edge
waits for perf's ack. The edge behind lies a moment after the window: the worker's word has to come through first. Some
of the worker's own work is counted with it, by estimate a millisecond's; in short windows that is said as a doubt.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwprof.commands.perfstat import PerfStat, PerfStatCounting
from hwprof.jobs import Job, Task
from hwprof.launcher import Launcher, Outcome, Watcher, Wrapper
from hwprof.records import Doubt, Reading, Role, to_json

SHORT_S = 0.2


@dataclass(slots=True)
class PerfStatLauncher(Launcher):
    """Launches as ever, and has perf count the counted window of a MEASURE job."""

    backend: PerfStat | None = None
    _counted: int = -1
    _counting: PerfStatCounting | None = None
    _readings: list[Reading] = field(default_factory=list)

    def run(
        self,
        job: Job,
        timeout_s: float,
        environ: Mapping[str, str] | None = None,
        wrapper: Wrapper | None = None,
        watcher: Watcher | None = None,
        python: str = "",
    ) -> Outcome:
        """As Launcher's; perf's readings are put into the counted window of the worker's answer."""
        if job.task is not Task.MEASURE:
            return Launcher.run(self, job, timeout_s, environ, wrapper, watcher, python)
        assert self.backend is not None
        # see measure.schedule: one pair of windows for the one pass
        self._counted, self._readings = (0 if job.plan.counted_first else 1), []
        try:
            outcome = Launcher.run(self, job, timeout_s, environ, self, watcher, python)
        finally:
            if self._counting is not None:
                self._counting.close()
                self._counting = None
        if outcome.result is None:
            return outcome
        return dataclasses.replace(outcome, result=self._merged(outcome.result))

    def _merged(self, result: Mapping[str, Any]) -> dict[str, Any]:
        assert self.backend is not None
        windows, doubts = [], list(result["doubts"])
        for window in result["windows"]:
            if window["role"] == Role.COUNTED.value:
                window = {**window, "readings": [*to_json(self._readings), *window["readings"]]}
                if (window["t1_ns"] - window["t0_ns"]) / 1e9 < SHORT_S:
                    doubts.append(to_json(Doubt("wide-edges", {"seconds": SHORT_S}, window["index"])))
            windows.append(window)
        refused = {name: {"reason": u.reason, "remedy": u.remedy} for name, u in self.backend.unavailable.items()}
        facts = {**result["facts"], "backend": self.backend.name}
        return {
            **result,
            "windows": windows,
            "doubts": doubts,
            "facts": facts,
            "unavailable": {**result["unavailable"], **refused},
        }

    def argv(self, command: Sequence[str]) -> list[str]:
        """The worker is started as ever."""
        return list(command)

    def start(self, pid: int, window: int) -> None:
        """Before a window: counting when this returns."""
        if window == self._counted and self.backend is not None:
            self._counting = self.backend.attach(pid, 0)

    def stop(self, pid: int, window: int) -> None:
        """Behind it."""
        if self._counting is not None:
            self._counting.stop()
            self._readings = list(self._counting.finish())
            self._counting = None
