"""What the report says of commands: every event that was asked for, with its exactness or the reason why not."""

from __future__ import annotations

from hwprof.records import Case, Exactness, Kind, Reading, Role, Run, Window, missing
from hwprof.reports.terminal import command


def execution(number: int, *readings: Reading) -> Run:
    case = Case("command", "bench", "", 0, options=(("command", "./bench"),))
    window = Window(0, Role.COUNTED, 0, 0, 1000, (1000,), readings)
    return Run(str(number), case, Kind.COMMAND, round=number, windows=(window,))


def misses(value: float, exactness: Exactness = Exactness.EXACT) -> Reading:
    return Reading("cache-misses", value, exactness=exactness, source="perf:cache-misses", meaning="of L2")


def test_each_event_of_a_command_has_its_median_and_the_worst_exactness() -> None:
    absent = missing("cycles", "no counter", source="perf-stat:cycles")
    refused = missing("slots", "not on this CPU", source="perf")
    other = Reading("peak-rss", 1.0, source="proc:status")
    runs = [execution(n, misses(v), absent, refused, other) for n, v in enumerate((1000.0, 3000.0, 1100.0))]
    found = command.counts([*runs, execution(3, misses(1200.0, Exactness.SCALED), absent)])
    assert found == (
        ("bench", "cache-misses", "1,150", "", "scaled", "of L2"),
        ("bench", "cycles", "-", "", "missing", "no counter"),
        ("bench", "slots", "-", "", "missing", "not on this CPU"),
    )
    assert all(len(row) == len(command.COUNTS_HEADER) for row in found)
