"""Temperatures that are known beforehand: runs wait until the machine has cooled down, and no longer than they may."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from hwprof import doubts
from hwprof.collectors.cooldown import BAND_C, EVERY_S, SETTLED_S
from tests.boards.testpmu.orders import COOLDOWN_S, FALLS_C, FLOOR_C, PEAK_C, Counts
from tests.fleet import ARCHITECTURES, Fleet

pytestmark = [pytest.mark.board, pytest.mark.timeout(3600)]
# Seconds of the guest's time, in which an instruction takes a nanosecond: from a look to the next, beside the sleep;
# from the end of an execution to the first look before the next one; the last digit of what is recorded.
LOOK_S, BETWEEN_S, DIGIT_S = 0.1, 1.0, 0.06


@pytest.fixture(scope="session", params=ARCHITECTURES)
def known(request: pytest.FixtureRequest, fleet: Fleet) -> Counts:
    """One CPU, exact counts, and a thermal zone that is test equipment."""
    return Counts.of(f"{request.param}-known", fleet)


def second_wait(known: Counts, order: str) -> Mapping[str, Any]:
    """What was waited before the second execution; the first had nothing to wait for."""
    first, second = (run.facts["executions"][0]["cooldown"] for run in known.runs(order))
    assert (first["ended"], first["celsius"]) == ("cool", FLOOR_C)
    assert second["began_celsius"] == FLOOR_C
    assert second["zone"] == "soc-test-equipment"
    return dict(second)


def seconds_before(wait: Mapping[str, Any], order: str) -> float:
    """From the jump to the first look, by the temperature at the end of the wait."""
    return float((PEAK_C - wait["celsius"]) / FALLS_C[order] - wait["waited_s"])


def test_a_run_waits_until_the_temperature_is_back_in_the_band(known: Counts) -> None:
    wait, printed = second_wait(known, "cooled"), known["cooled"]["stderr"]
    assert wait["ended"] == "cool"
    band, step = FLOOR_C + BAND_C, FALLS_C["cooled"] * (EVERY_S + LOOK_S)
    assert band - step < wait["celsius"] <= band
    assert -DIGIT_S < seconds_before(wait, "cooled") < BETWEEN_S
    assert not [d for run in known.runs("cooled") for d in run.doubts if d.code == "hot"]
    found = re.search(r"Cooling down: (\d+) degC, began at 30 \(soc-test-equipment\); 60 s at most", printed)
    assert found is not None, printed
    assert PEAK_C - FALLS_C["cooled"] * BETWEEN_S <= float(found[1]) <= PEAK_C


def test_a_run_waits_no_longer_than_it_may_and_is_doubted(known: Counts) -> None:
    wait = second_wait(known, "limited")
    limit = COOLDOWN_S["limited"]
    assert wait["ended"] == "limit"
    assert limit - DIGIT_S < wait["waited_s"] < limit + EVERY_S + LOOK_S
    assert -DIGIT_S < seconds_before(wait, "limited") < BETWEEN_S
    (doubt,) = [d for d in known.runs("limited")[1].doubts if d.code == "hot"]
    assert f"{wait['celsius']:.0f} degC, began at {FLOOR_C:.0f} (soc-test-equipment)" in doubts.text(doubt)


def test_a_temperature_that_stays_where_it_is_is_not_waited_for_to_the_limit(known: Counts) -> None:
    wait = second_wait(known, "settled")
    assert (wait["ended"], wait["celsius"]) == ("settled", PEAK_C)
    assert SETTLED_S - DIGIT_S < wait["waited_s"] < SETTLED_S + EVERY_S + SETTLED_S / EVERY_S * LOOK_S
    assert [d for d in known.runs("settled")[1].doubts if d.code == "hot"]


def test_the_stretch_of_a_network_waits_too(known: Counts) -> None:
    run = known.run("network, cooled")
    wait = run.facts["cooldown"]["before_stretch"]
    assert (wait["began_celsius"], wait["ended"]) == (FLOOR_C, "cool")
    step = FALLS_C["network, cooled"] * (EVERY_S + LOOK_S)
    assert FLOOR_C + BAND_C - step < wait["celsius"] <= FLOOR_C + BAND_C
    assert wait["waited_s"] > 0
    assert "hot" not in {doubt.code for doubt in run.doubts}
