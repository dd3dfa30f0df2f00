"""Which sensors stand for the machine's power in one run: the rule of `sensor_roles` over what was sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hwprof import plugins
from hwprof.collectors.meters import running
from hwprof.collectors.power import PowerSensors, identity_of
from hwprof.collectors.protocol import Channel, Gauge, Unavailable
from hwprof.collectors.sensor_roles import METER_LABEL, PowerChoice, SensorIdentity, SensorRole, choose
from hwprof.errors import NotAvailable, UsageError
from hwprof.printable import sentence
from hwprof.records import Reading, Series, Window

METRICS = ("power", "energy")
NOTHING = "this machine has no power sensor; --meter LOG.csv measures the whole"
Absent = Sequence[tuple[Channel, Unavailable]]


def split_labels(text: str) -> tuple[str, ...]:
    """The labels of `--power-sensor A,B`."""
    return tuple(word for part in text.split(",") if (word := part.strip()))


@contextmanager
def prepared(meter: str, sensor: str, notify: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """The meter, checked and running, and the sensors that --power-sensor names, checked. Raises as `check` and
    `meters.running` do.
    """
    check(split_labels(sensor), bool(meter))
    with running(meter, notify):
        yield


def absent_of(gauges: Sequence[Gauge]) -> Absent:
    """The power sensors that can't be read, with the reasons."""
    return [one for gauge in gauges if isinstance(gauge, PowerSensors) for one in gauge.absent]


def choice_of(series: Sequence[Series], gauges: Sequence[Gauge], asked: Sequence[str], meter: bool) -> PowerChoice:
    """What stands for the machine in a run with these samples.

    A sensor that stood still throughout stands for nothing, unless all of them did.
    """
    channels = {(c.metric, c.label): c for gauge in gauges for c in gauge.channels if c.metric in METRICS}
    sampled = [one for one in series if (one.metric, one.label) in channels]
    identities = [(identity_of(channels[one.metric, one.label]), _moved(one)) for one in sampled]
    if meter:
        identities.append((SensorIdentity(METER_LABEL, SensorRole.METER), True))
    known = [identity for identity, _ in identities]
    # a battery beside the one that supplies the machine rests
    choice = choose((one for one, moved in identities if moved or one.role is SensorRole.BATTERY), asked)
    if not choice.labels:
        choice = choose(known)
    if choice.labels or known:
        return choice
    reasons = [sentence(why.reason, why.remedy) for _, why in absent_of(gauges)]
    return PowerChoice((), " ".join(dict.fromkeys(reasons)) or NOTHING)


def meter_readings(series: Sequence[Series], window: Window) -> list[Reading]:
    """Power and energy of a window by the user's meter."""
    channels = [Channel(s.metric, s.unit, s.label, s.source, role=SensorRole.METER) for s in series]
    return PowerSensors("meter", channels, []).readings(series, window)


def _moved(series: Series) -> bool:
    values = [value for value in series.values if value is not None]
    return bool(values) and (max(values) > min(values) if series.cumulative else any(values))


def check(
    asked: Sequence[str], meter: bool, factories: Callable[[], Mapping[str, Any]] = plugins.gauge_factories
) -> None:
    """Raise UsageError for a sensor that --power-sensor names and this machine does not have, NotAvailable for one
    that can't be read.
    """
    if not asked:
        return
    gauges: list[Gauge] = []
    for make in factories().values():
        try:
            gauges += make(None)
        except Exception:  # noqa: BLE001  a third party's gauge may raise anything; the run has it as a doubt
            continue
    labels = [c.label for gauge in gauges for c in gauge.channels if c.metric in METRICS]
    labels += [METER_LABEL] if meter else []
    absent = {channel.label: why for channel, why in absent_of(gauges)}
    for label in asked:
        if label in labels:
            continue
        if label in absent:
            raise NotAvailable(f"--power-sensor {label}: {absent[label].reason}", absent[label].remedy)
        known = f"this machine has {', '.join(sorted(labels))}" if labels else NOTHING
        raise UsageError(f"--power-sensor {label}: there is no such sensor", known)


def machine_power_of(facts: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The sensors that stood for the machine's power in a run, and why; None: not recorded.

    Of a command it is recorded with each execution.
    """
    found = facts.get("machine_power")
    if found is None:
        found = next((e["machine_power"] for e in facts.get("executions") or () if "machine_power" in e), None)
    return (None, None) if found is None else (" + ".join(found["sensors"]), str(found["why"]))
