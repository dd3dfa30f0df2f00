"""What a live meter said while a worker observed a program: it runs in the launcher's process, for all workers."""

from __future__ import annotations

import dataclasses

from hwprof.collectors.machine_power import meter_readings, split_labels
from hwprof.collectors.meters import MeterView
from hwprof.collectors.review import RunFacts, review
from hwprof.collectors.sensor_roles import BY_METER, METER_LABEL
from hwprof.records import Doubt, Run


def with_meter(run: Run, meter: str, sensor: str) -> Run:
    """The run with the meter's series and readings; its choice of sensors is then the meter, unless `sensor` says."""
    if not run.windows:
        return run
    view = MeterView(meter)
    view.wait_for(max(w.t1_ns for w in run.windows))
    series = view.series(min(w.t0_ns for w in run.windows), max(w.t1_ns for w in run.windows))
    windows = []
    for window in run.windows:
        metered = dataclasses.replace(window, readings=tuple(meter_readings(series, window)))
        readings = review(metered, RunFacts(series=series))[0].readings
        windows.append(dataclasses.replace(window, readings=(*window.readings, *readings)))
    facts = dict(run.facts)
    if not split_labels(sensor):
        choice = {"machine_power": {"sensors": [METER_LABEL], "why": BY_METER}}
        facts["executions"] = [{**execution, **choice} for execution in facts.get("executions", ())]
    doubts = [Doubt("gauge-failed", {"gauge": "meter", "reason": fault}) for fault in view.faults]
    return dataclasses.replace(
        run, windows=tuple(windows), series=(*run.series, *series), facts=facts, doubts=(*run.doubts, *doubts)
    )
