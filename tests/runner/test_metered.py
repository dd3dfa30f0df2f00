"""A live meter beside a program that a worker observes: its readings join the run in the launcher's process."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hwprof.collectors import meters
from hwprof.collectors.meters.alignment import ClockFit
from hwprof.collectors.sensor_roles import BY_METER
from hwprof.records import Role, Window
from hwprof.runner.metered import with_meter
from tests.factories import make_run

S = 1_000_000_000


@pytest.mark.parametrize(("sensor", "chosen"), [("", {"sensors": ["meter"], "why": BY_METER}), ("psys", "by the user")])
def test_power_and_energy_of_the_meter_join_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sensor: str, chosen: object
) -> None:
    log = tmp_path / "log.csv"
    log.write_text("time,W\n" + "".join(f"{second},4\n" for second in range(40)))
    monkeypatch.setattr(meters, "find_clock_of", lambda text: ClockFit(0, 0.9))
    window = Window(0, Role.COUNTED, 0, 10 * S, 20 * S, (10 * S,))
    facts = {"executions": [{"machine_power": "by the user"}]}
    run = dataclasses.replace(make_run(), windows=(window,), series=(), facts=facts)
    with meters.running(f"align:{log}"):
        found = with_meter(run, f"align:{log}", sensor)
    values = {r.metric: r.value for r in found.windows[0].readings}
    assert values == {"power[meter]": 4.0, "energy[meter]": 40.0}
    assert found.facts["executions"][0]["machine_power"] == chosen
    assert [one.label for one in found.series] == ["meter"]
