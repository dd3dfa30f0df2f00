"""Programs that observe a worker from outside: perf stat and perf record."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwprof.programs.perfstat import PerfStat, PerfStatCounting
from hwprof.programs.recording import Recorder, Sampling
from hwprof.programs.samples import Sample, UnreadLines
from hwprof.records import Doubt, Reading, Role, to_json
from hwprof.runner.worker_process import Observer, Outcome
from hwprof.worker.protocol import Job

SHORT_S = 0.2


@dataclass(slots=True)
class PerfStatObserver(Observer):
    """Has perf count the counted window; its readings are put into that window of the worker's answer."""

    backend: PerfStat
    _counted: int = -1
    _counting: PerfStatCounting | None = None
    _readings: list[Reading] = field(default_factory=list)

    def begin(self, job: Job) -> None:
        """See `hwprof.worker.loop.schedule`: one pair of windows for the one pass."""
        self._counted, self._readings = (0 if job.plan.counted_first else 1), []

    def start(self, pid: int, window: int) -> None:
        """Before a window: counting when this returns."""
        if window == self._counted:
            self._counting = self.backend.attach(pid, 0)

    def stop(self, pid: int, window: int) -> None:
        """After it."""
        if self._counting is not None:
            self._counting.stop()
            self._readings = list(self._counting.finish())
            self._counting = None

    def end(self, outcome: Outcome) -> Outcome:
        """With perf's readings, refusals and name."""
        if outcome.result is None:
            return outcome
        return dataclasses.replace(outcome, result=self._merged(outcome.result))

    def close(self) -> None:
        """End a perf that still counts."""
        if self._counting is not None:
            self._counting.close()
            self._counting = None

    def _merged(self, result: Mapping[str, Any]) -> dict[str, Any]:
        windows, doubts = [], list(result["doubts"])
        for window in result["windows"]:
            if window["role"] == Role.COUNTED.value:
                window = {**window, "readings": [*to_json(self._readings), *window["readings"]]}
                if (window["t1_ns"] - window["t0_ns"]) / 1e9 < SHORT_S:
                    doubts.append(to_json(Doubt("wide-edges", {"seconds": SHORT_S}, window["index"])))
            windows.append(window)
        facts = {**result["facts"], "backend": self.backend.name}
        return {
            **result,
            "windows": windows,
            "doubts": doubts,
            "facts": facts,
            "unavailable": {**result["unavailable"], **to_json(self.backend.unavailable)},
        }


@dataclass(slots=True)
class RecordingObserver(Observer):
    """Records the measuring worker in its windows: neither import, load and warm-up, nor the comparison of outputs.

    perf gets the edges a moment early and late; `recording.samples_within` drops the samples outside the windows.
    """

    perf: str
    sampling: Sampling
    keep: Path | None = None
    samples: list[Sample] = field(default_factory=list)
    unread: UnreadLines = field(default_factory=UnreadLines)
    _recorder: Recorder | None = None

    def start(self, pid: int, window: int) -> None:
        """Before a window."""
        if self._recorder is None:
            self._recorder = Recorder(self.perf, pid, self.sampling)
        else:
            self._recorder.switch(True)

    def stop(self, pid: int, window: int) -> None:
        """After a window."""
        if self._recorder is not None:
            self._recorder.switch(False)

    def end(self, outcome: Outcome) -> Outcome:
        """What was sampled is added to `samples`."""
        if self._recorder is not None:
            self.samples += self._recorder.finish(self.keep)
            self.unread = self._recorder.unread
        return outcome

    def close(self) -> None:
        """End a perf that still samples."""
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None
