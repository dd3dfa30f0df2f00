"""Stands between the launcher and the sampler: follows one worker, and says what the gauges saw in its windows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

from hwprof import plugins
from hwprof.collectors import machine_power, memory, power, thermal
from hwprof.collectors.gauge import Sensors, values_of_windows
from hwprof.collectors.machine_power import meter_readings
from hwprof.collectors.meters import MeterView
from hwprof.collectors.protocol import Gauge
from hwprof.collectors.review import RunFacts, review
from hwprof.collectors.sampler import Sampler, gauge_failure
from hwprof.collectors.vocabulary import Name
from hwprof.machine.clock import clock_ns
from hwprof.records import Doubt, Reading, Role, Series, Window

SWAPPED_BYTES = 1 << 20
# The stretch that sensors are read over lasts so many intervals of the slowest of them.
SENSED_INTERVALS = 10
SENSORS = ("power", "energy", "temperature")


@dataclass(slots=True)
class GaugeWatcher:
    """Samples every gauge of this machine while a worker lives. `idle_w`: label -> power before anything ran."""

    hz: float
    cpus: Sequence[int]
    meter: str = ""  # as --meter names it
    idle_w: Mapping[str, float] = field(default_factory=dict)
    factories: Callable[[], Mapping[str, Any]] = plugins.gauge_factories
    power_sensor: str = ""  # as --power-sensor names it: what stands for the machine
    _gauges: list[Gauge] = field(default_factory=list)
    _sampler: Sampler | None = None
    _failed: list[Doubt] = field(default_factory=list)
    _memory: dict[str, int] = field(default_factory=dict)
    _view: MeterView = field(default_factory=lambda: MeterView(""))

    def __enter__(self) -> GaugeWatcher:
        self._view = MeterView(self.meter)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._sampler is not None:
            self._sampler.stop()

    def started(self, pid: int) -> None:
        """The worker lives: begin."""
        gauges: list[Gauge] = []
        for name, make in self.factories().items():
            try:
                gauges += make(pid)
            except Exception as error:  # noqa: BLE001  a third party's gauge may raise anything
                self._failed.append(gauge_failure(name, error))
        if self.cpus:  # of 128 cores the clocks alone take two seconds to read
            gauges = [gauge.of_cores(self.cpus) if isinstance(gauge, Sensors) else gauge for gauge in gauges]
        self._gauges = gauges
        self._sampler = Sampler([gauge for gauge in gauges if gauge.channels], self.hz, self.cpus)
        self._sampler.start()

    def pause(self) -> None:
        """Sample no more: other cases are measured, which samplers would take CPU time from."""
        if self._sampler is not None:
            self._sampler.stop()

    def resume(self) -> None:
        """Sample again."""
        if self._sampler is not None:
            self._sampler.start()

    def needed_s(self) -> float:
        """The least length of a window that the meter and every sensor of power, energy and temperature resolve, in
        seconds.
        """
        if self._sampler is None:
            return 0.0
        intervals = [c.interval_ns for g in self._sampler.gauges for c in g.channels if c.metric in SENSORS]
        intervals += [one.interval_ns for one in self._view.series(0, 1 << 62)]
        slowest_s = max([1 / self.hz, *(interval / 1e9 for interval in intervals)])
        return SENSED_INTERVALS * slowest_s

    def ready(self, pid: int, window: int) -> None:
        """Between windows: a sample close to the edge, and the costly look at memory."""
        self._memory |= memory.pss(pid)
        if self._sampler:
            self._sampler.tick()

    def done(self, pid: int, window: int) -> None:
        """After a window: a sample close to its end."""
        if self._sampler:
            self._sampler.tick()

    def series(self) -> tuple[Series, ...]:
        """Everything sampled, and what the meter said in this time."""
        own = self._sampler.series() if self._sampler else ()
        return (*own, *self._metered(own))

    def _metered(self, own: Sequence[Series]) -> list[Series]:
        """The meter's power around this worker's life."""
        times = [at for s in own for at in s.at_ns]
        return self._view.series(min(times, default=0), max(times, default=1 << 62))

    def readings(self, window: Window) -> tuple[Reading, ...]:
        """Every gauge over one window, the meter too, and energy above idle where idle power was measured."""
        found = list(self._sampler.readings(window)) if self._sampler else []
        self._view.wait_for(window.t1_ns)
        found += meter_readings(self._metered(self._sampler.series() if self._sampler else ()), window)
        for reading in list(found):
            label = reading.metric.partition("[")[2].rstrip("]")
            if reading.metric.startswith("energy[") and label in self.idle_w:
                found.append(power.above_idle(reading, self.idle_w[label], window))
        return tuple(found)

    def facts(self) -> dict[str, Any]:
        """Proportional and unique set size as last seen between windows, how often sensors were read, and which of
        them stand for the machine's power, with the reason; how a meter's own clock was found.
        """
        if self._sampler is None:
            return dict(self._memory)
        asked = machine_power.split_labels(self.power_sensor)
        choice = machine_power.choice_of(self._sampler.series(), self._gauges, asked, self._view.is_there)
        chosen = {"sensors": list(choice.labels), "why": choice.why}
        return {**self._memory, "sampling": self._sampler.facts(), "machine_power": chosen, **self._view.facts}

    def doubts(self, windows: Sequence[Window]) -> list[Doubt]:
        """What the gauges have against this run."""
        if self._sampler is None:
            return []
        series = self._sampler.series()
        found = [Doubt("gauge-failed", {"gauge": "meter", "reason": fault}) for fault in self._view.faults]
        found += [*self._failed, *self._sampler.doubts(), *thermal.doubts(series, windows, self.cpus)]
        swapped = max((v for s in series if s.metric == Name.SWAP for v in values_of_windows(s, windows)), default=0.0)
        if swapped > SWAPPED_BYTES:
            found.append(Doubt("swapped", {"mib": swapped / 2**20}))
        readings = [r for w in windows for r in w.readings if r.value is not None]
        held = max((r.value or 0.0 for r in readings if r.metric == Name.CGROUP_THROTTLED), default=0.0)
        if held > 0:
            found.append(Doubt("container-limit", {"times": held}))
        steal = sum(r.value or 0.0 for r in readings if r.metric.startswith("cpu-steal[") and self._ours(r.metric))
        # slices have no readings of gauges
        elapsed = sum(w.elapsed_s for w in windows if w.slices is None) * max(1, len(self.cpus))
        if elapsed and steal / elapsed > 0.02:
            found.append(Doubt("steal", {"percent": 100 * steal / elapsed}))
        return found

    def _ours(self, metric: str) -> bool:
        return not self.cpus or any(metric.endswith(f"[cpu{cpu}]") for cpu in self.cpus)


def idle_power(
    seconds: float, hz: float, factories: Callable[[], Mapping[str, Any]] = plugins.gauge_factories
) -> dict[str, float]:
    """Mean power per sensor while nothing of ours runs, W; empty at once where there is no power sensor."""
    gauges = [g for name, make in factories().items() if name == "power" for g in make(None) if g.channels]
    if not gauges or seconds <= 0:
        return {}
    sampler = Sampler(gauges, hz)
    sampler.start()
    begin = clock_ns()
    time.sleep(seconds)
    end = clock_ns()
    sampler.stop()
    window = Window(0, Role.BARE, -1, begin, end, ())
    window, _ = review(replace(window, readings=sampler.readings(window)), RunFacts(series=sampler.series()))
    return {
        r.metric.partition("[")[2].rstrip("]"): r.value
        for r in window.readings
        if r.metric.startswith("power[") and r.value is not None
    }
