"""The clock of a meter by a load pattern: found where the power shows it, and refused where it does not."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from hwprof.collectors import meters
from hwprof.collectors.meters.alignment import CODE, ClockFit, CpuLoad, LoadPattern, find_clock, fit, play, turn_s
from hwprof.errors import UsageError
from tests.waiting import until

S = 1_000_000_000
START = 5_000 * S


class Switch:
    """A load that remembers, and a clock that moves only where it is waited for."""

    def __init__(self) -> None:
        self.now = START
        self.turns: list[tuple[int, bool]] = []

    def set(self, is_on: bool) -> None:
        self.turns.append((self.now, is_on))

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * S)


def pattern(seconds: float = 0.5) -> LoadPattern:
    switch = Switch()
    return play(switch, seconds, lambda: switch.now, switch.wait)


def log_of(
    shown: LoadPattern, hz: float, offset_ns: int, noise: float = 0.3, mean_s: float = 0.0
) -> tuple[list[int], list[float]]:
    """A log in a clock of its own, of a machine that takes 4 W and 9 W under load: 30 s before and after too."""
    rng = random.Random(7)
    low, high = shown.span_ns
    times, watts = [], []
    for index in range(round((high - low + 60 * S) / S * hz)):
        at = low - 30 * S + round(index * S / hz)
        moments = [at - round(mean_s * S * part / 10) for part in range(10)]
        busy = sum(any(a <= m < b for a, b in shown.busy_ns) for m in moments) / 10
        times.append(at - offset_ns)
        watts.append(4 + 5 * busy + rng.gauss(0, noise))
    return times, watts


def test_the_load_is_on_by_the_code() -> None:
    assert pattern().busy_ns == tuple(
        (START + S + round(a * S / 2), START + S + round(b * S / 2)) for a, b in ((0, 5), (7, 9), (10, 11), (12, 13))
    )
    assert CODE.count("1") == 9


@pytest.mark.parametrize(("interval_s", "seconds"), [(0.01, 0.5), (0.25, 0.5), (1.0, 2.0)])
def test_a_turn_is_seen_twice_by_a_slow_meter(interval_s: float, seconds: float) -> None:
    assert turn_s(interval_s) == seconds


@pytest.mark.parametrize(
    ("hz", "offset_s", "mean_s", "within_s"),
    [(100, 4970.0, 0.0, 0.01), (10, -1.7e9, 0.0, 0.1), (10, 12.345, 0.1, 0.1), (1, 4000.4, 1.0, 1.0)],
)
def test_the_clock_of_a_log_is_found(hz: float, offset_s: float, mean_s: float, within_s: float) -> None:
    shown = pattern(turn_s(1 / hz))
    offset_ns = round(offset_s * S)
    found = fit(*log_of(shown, hz, offset_ns, mean_s=mean_s), shown)
    assert found is not None
    assert found.offset_ns == pytest.approx(offset_ns, abs=within_s * S)
    assert found.r > 0.7


def test_a_log_that_does_not_show_the_load_is_not_aligned() -> None:
    shown = pattern()
    times, _ = log_of(shown, 10, 0)
    rng = random.Random(3)
    assert fit(times, [4 + rng.gauss(0, 1) for _ in times], shown) is None
    assert fit(times, [4.0] * len(times), shown) is None
    assert fit(times, [None] * len(times), shown) is None
    assert fit(times[:5], [4.0, 9.0, 4.0, 9.0, 4.0], shown) is None


def test_a_pattern_that_was_played_before_is_not_taken_for_the_new_one() -> None:
    """The log has the pattern of an earlier measurement, and grows while the new one is played."""
    switch, offset_ns = Switch(), 4_000 * S
    earlier = play(switch, 0.5, lambda: switch.now, switch.wait)
    switch.wait(3)

    def samples() -> tuple[list[int], list[float | None]]:
        states = [*earlier_turns, *switch.turns]
        times = range(earlier.span_ns[0], switch.now, S // 10)
        busy = [next((on for at, on in reversed(states) if at <= moment), False) for moment in times]
        return [at - offset_ns for at in times], [9.0 if on else 4.0 for on in busy]

    earlier_turns, switch.turns = list(switch.turns), []
    found = find_clock(samples, switch, switch.wait, lambda: switch.now)
    assert found is not None
    assert found.offset_ns == pytest.approx(offset_ns, abs=S // 10)


def test_a_log_that_shows_the_pattern_twice_is_not_aligned() -> None:
    shown = pattern()
    times, watts = log_of(shown, 10, 0)
    assert fit([*times, *(at + times[-1] - times[0] + S // 10 for at in times)], [*watts, *watts], shown) is None


def test_a_load_runs_only_while_it_is_on_and_ends_with_its_block() -> None:
    with CpuLoad(2) as load:
        pids = [process.pid for process in load._burning]
        assert until(lambda: states(pids) == {"T"})  # a stop takes a moment
        load.set(True)
        assert until(lambda: "T" not in states(pids))
        load.set(False)
        assert until(lambda: states(pids) == {"T"})
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def states(pids: list[int]) -> set[str]:
    return {Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in pids}


@pytest.fixture
def own_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A log whose times count from its start, and the clocks that load patterns find in it."""
    (tmp_path / "log.csv").write_text("time,W\n" + "".join(f"{second},5\n" for second in range(60)))

    def of(*clocks: ClockFit | None) -> str:
        left = iter(clocks)
        monkeypatch.setattr(meters, "find_clock_of", lambda text: next(left))
        return f"align:{tmp_path / 'log.csv'}"

    return of


def test_a_log_with_a_clock_of_its_own_is_laid_over_the_runs(own_log: Callable[..., str]) -> None:
    text, said = own_log(ClockFit(7 * S, 0.9), ClockFit(7 * S - 4_000_000, 0.9)), list[str]()
    with meters.running(text, said.append):
        view = meters.MeterView(text)
        (series,) = view.series(20 * S, 30 * S)
        assert series.at_ns == tuple(second * S for second in range(18, 33))
        assert view.facts == {"meter_clock": {"offset_ns": 7 * S, "r": 0.9}}
    assert said[0].startswith("load pattern to find the meter's clock")
    assert said[1].startswith("the meter's clock moved by +4 ms in ")
    assert view.facts == {}


def test_a_clock_that_is_not_found_at_the_end_leaves_the_runs(own_log: Callable[..., str]) -> None:
    text, said = own_log(ClockFit(7 * S, 0.9), None), list[str]()
    with meters.running(text, said.append):
        pass
    assert said[1].endswith("the drift of its clock is not known")


def test_a_clock_that_is_not_found_is_refused_before_anything_is_measured(own_log: Callable[..., str]) -> None:
    with pytest.raises(UsageError, match="does not follow the load pattern"), meters.running(own_log(None)):
        raise AssertionError("it runs")
