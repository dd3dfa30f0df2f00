"""What the anchors leave no counter for is counted without them."""

from __future__ import annotations

from pathlib import Path

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.protocol import Target
from tests.collectors.perf.fake import FakeKernel, Key


def one_counter_for_each(keys: tuple[Key, ...]) -> tuple[float, bool]:
    """A PMU with one counter for cycles and one for instructions: a second event for one of them, and all read 0."""
    return 1.0, len(set(keys)) == len(keys)


def test_an_event_that_counts_only_without_the_anchors_has_a_pass_of_its_own(root: Path) -> None:
    kernel = FakeKernel(behave=one_counter_for_each)
    with PerfCollector(root, kernel).open(Target(), ["instructions:u,branches"]) as session:
        assert not session.unavailable
        core = [p.metrics for p in session.passes]
        assert core[0][0] == "instructions:u"
        assert core[1][:3] == ("cycles", "instructions", "branches")


def test_the_anchors_are_counted_in_a_pass_of_their_own_where_no_other_has_them(root: Path) -> None:
    kernel = FakeKernel(behave=one_counter_for_each)
    with PerfCollector(root, kernel).open(Target(), ["instructions:u"]) as session:
        assert [p.metrics[0] for p in session.passes] == ["instructions:u", "cycles"]


def test_an_event_that_reads_zero_alone_too_is_missing(root: Path) -> None:
    kernel = FakeKernel(behave=lambda keys: (1.0, (4, 0x3B) not in keys))
    kernel.events[4, 0x3B] = 1000
    with PerfCollector(root, kernel).open(Target(), ["r3b"]) as session:
        assert set(session.unavailable) == {"r3b"}
        assert session.passes[0].metrics[:2] == ("cycles", "instructions")
