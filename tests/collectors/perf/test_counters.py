from __future__ import annotations

import errno
from pathlib import Path

import pytest

from hwprof.collectors.perf import PerfCollector, abi
from hwprof.collectors.protocol import Available, Target, Unavailable
from hwprof.records import Exactness, Origin
from tests.collectors.perf.fake import HARDWARE, SOFTWARE, SPIN_NS, FakeKernel, Key
from tests.collectors.perf.windows import readings, window


def test_a_pass_is_led_by_the_anchors_and_values_are_exact(root: Path) -> None:
    kernel = FakeKernel()
    with PerfCollector(root, kernel).open(Target(), ["branches,page-faults"]) as session:
        assert session.passes[0].metrics == ("cycles", "instructions", "branches", "task-clock", "page-faults")
        found = window(session, kernel)
    assert found["cycles"].value == 2_000_000
    assert found["cycles"].origin is Origin.HARDWARE
    assert found["task-clock"].value == SPIN_NS
    assert found["task-clock"].origin is Origin.KERNEL
    assert all(r.exactness is Exactness.EXACT for r in found.values())


def test_every_descriptor_is_closed(root: Path) -> None:
    kernel = FakeKernel()
    with PerfCollector(root, kernel).open(Target(), ["auto"]):
        assert kernel.opened
    assert not kernel.opened


def test_events_are_opened_disabled_and_inherited(root: Path) -> None:
    kernel = FakeKernel()
    with PerfCollector(root, kernel).open(Target(), ["auto"]):
        assert not kernel.enabled
        leaders = [o.flags & abi.DISABLED for o in kernel.opened.values() if o.leader < 0]
        members = [o.flags & abi.DISABLED for o in kernel.opened.values() if o.leader >= 0]
    assert all(leaders)
    assert members
    assert not any(members), "a member that is disabled itself can read 0 behind an enabled leader"
    assert all(a.flags & abi.INHERIT for a in kernel.attrs)
    assert {a.read_format for a in kernel.attrs} == {11}


def test_what_does_not_fit_is_split_into_passes_each_with_anchors(root: Path) -> None:
    kernel = FakeKernel(counters=3)
    with PerfCollector(root, kernel).open(Target(), ["branches,branch-misses,cache-misses,page-faults"]) as session:
        core = [p.metrics[:3] for p in session.passes]
        assert core == [("cycles", "instructions", e) for e in ("branches", "branch-misses", "cache-misses")]
        assert all("page-faults" in p.metrics and "task-clock" in p.metrics for p in session.passes)
        assert [window(session, kernel, i)["cycles"].value for i in range(3)] == [2_000_000] * 3


def test_select_enables_exactly_one_pass(root: Path) -> None:
    kernel = FakeKernel(counters=3)
    with PerfCollector(root, kernel).open(Target(), ["branches,branch-misses"]) as session:
        session.select(session.passes[0])
        first = set(kernel.enabled)
        session.select(session.passes[1])
        second = set(kernel.enabled)
        assert len(first) == len(second) == 2
        assert len(first & second) == 1, "the software group belongs to both"
        session.select(None)
        assert not kernel.enabled


def test_disabled_groups_do_not_move(root: Path) -> None:
    kernel = FakeKernel()
    with PerfCollector(root, kernel).open(Target(), ["branches"]) as session:
        before = session.read()
        kernel.spin()
        assert [s.raw for s in session.read()] == [s.raw for s in before]


def test_a_wrap_is_undone(root: Path) -> None:
    kernel = FakeKernel()
    with PerfCollector(root, kernel).open(Target(), ["branches"]) as session:
        for opened in kernel.opened.values():
            opened.value = (1 << 64) - 5
        assert window(session, kernel)["branches"].value == 400_000


def test_a_share_of_the_time_is_scaled_and_says_so(root: Path) -> None:
    kernel = FakeKernel()
    with PerfCollector(root, kernel).open(Target(), ["branches"]) as session:
        kernel.behave = lambda keys: (0.5, True)
        found = window(session, kernel)
    assert found["branches"].exactness is Exactness.SCALED
    assert found["branches"].value == 400_000
    assert found["branches"].running == 0.5


def lying(key: Key, share: float) -> FakeKernel:
    """A group with `key` in it opens, runs a share of the time and counts nothing."""
    kernel = FakeKernel(events=SOFTWARE | HARDWARE | {(4, 0x3B): 500})
    kernel.behave = lambda keys: (share, False) if key in keys else (1.0, True)
    return kernel


def test_a_group_that_opens_and_lies_is_missing_and_the_rest_counts(root: Path) -> None:
    kernel = lying((4, 0x3B), 0.0006)
    with PerfCollector(root, kernel).open(Target(), ["r3b,branches,page-faults"]) as session:
        assert "read 0 for all, anchors included" in session.unavailable["r3b"].reason
        assert len(session.passes) == 1
        assert window(session, kernel)["branches"].value == 400_000


def test_a_group_that_never_runs_is_missing(root: Path) -> None:
    with PerfCollector(root, lying((4, 0x3B), 0.0)).open(Target(), ["r3b"]) as session:
        assert "never ran" in session.unavailable["r3b"].reason
        assert "r3b" not in session.passes[0].metrics


def test_software_events_that_read_zero_in_a_trial_are_missing(root: Path) -> None:
    kernel = FakeKernel(events=SOFTWARE | HARDWARE | {(1, 2): 0})
    with PerfCollector(root, kernel).open(Target(), ["page-faults,branches"]) as session:
        assert "read 0" in session.unavailable["page-faults"].reason
        assert window(session, kernel)["branches"].value == 400_000


def test_a_counter_shared_with_others_is_missing_with_a_remedy(root: Path) -> None:
    kernel = FakeKernel()
    kernel.behave = lambda keys: (0.4, True) if (0, 5) in keys else (1.0, True)
    with PerfCollector(root, kernel).open(Target(), ["branch-misses"]) as session:
        assert "40.0%" in session.unavailable["branch-misses"].reason
        assert "nmi_watchdog" in session.unavailable["branch-misses"].remedy


def test_an_anchor_that_reads_zero_is_missing_and_the_others_lead(root: Path) -> None:
    kernel = FakeKernel(events=SOFTWARE | HARDWARE | {(0, 1): 0})
    with PerfCollector(root, kernel).open(Target(), ["instructions,branches"]) as session:
        assert (
            "lies" in session.unavailable["instructions"].reason
            or "read 0" in session.unavailable["instructions"].reason
        )
        assert session.passes[0].metrics[:2] == ("cycles", "branches")


def test_zeros_in_all_anchors_of_a_window_make_the_hardware_missing(root: Path) -> None:
    kernel = FakeKernel()
    with PerfCollector(root, kernel).open(Target(), ["branch-misses,page-faults"]) as session:
        kernel.behave = lambda keys: (1.0, (1, 1) in keys)
        found = window(session, kernel)
    assert found["cycles"].exactness is found["branch-misses"].exactness is Exactness.MISSING
    assert "anchors included" in found["branch-misses"].why
    assert found["page-faults"].exactness is Exactness.EXACT


def test_zero_on_an_emulated_pmu_is_suspect(root: Path) -> None:
    (root / "sys/firmware/devicetree/base").mkdir(parents=True)
    (root / "sys/firmware/devicetree/base/compatible").write_text("linux,dummy-virt\0")
    kernel = FakeKernel(events=SOFTWARE | HARDWARE | {(0, 5): 0})
    with PerfCollector(root, kernel).open(Target(), ["branch-misses"]) as session:
        found = window(session, kernel)
    assert found["branch-misses"].exactness is Exactness.SUSPECT
    assert found["branch-misses"].origin is Origin.EMULATED
    assert found["cycles"].exactness is Exactness.EXACT


@pytest.mark.parametrize(("counts", "exactness"), [("ticks", Exactness.SUSPECT), ("exact", Exactness.EXACT)])
def test_ticks_of_an_emulators_host_are_suspect(
    root: Path, monkeypatch: pytest.MonkeyPatch, counts: str, exactness: Exactness
) -> None:
    (root / "sys/firmware/devicetree/base").mkdir(parents=True)
    (root / "sys/firmware/devicetree/base/compatible").write_text("linux,dummy-virt\0")
    monkeypatch.setenv("HWPROF_BOARD_COUNTS", counts)
    kernel = FakeKernel()
    with PerfCollector(root, kernel).open(Target(), ["branches"]) as session:
        found = window(session, kernel)
    assert found["cycles"].exactness is found["instructions"].exactness is exactness
    assert found["branches"].exactness is found["task-clock"].exactness is Exactness.EXACT


def test_running_for_a_sliver_of_the_window_is_suspect(root: Path) -> None:
    kernel = FakeKernel()
    with PerfCollector(root, kernel).open(Target(), ["branches"]) as session:
        kernel.behave = lambda keys: (0.005, True)
        assert window(session, kernel)["branches"].exactness is Exactness.SUSPECT


def test_modifiers_become_exclusion_bits(root: Path) -> None:
    kernel = FakeKernel()
    PerfCollector(root, kernel).probe(["cycles:u", "cycles:k"])
    user, only_kernel = (a.flags for a in kernel.attrs)
    assert user & abi.EXCLUDE_KERNEL
    assert not user & abi.EXCLUDE_USER
    assert only_kernel & abi.EXCLUDE_USER
    assert not only_kernel & abi.EXCLUDE_KERNEL


def test_a_group_in_braces_stays_together_or_is_missing_as_a_whole(root: Path) -> None:
    kernel = FakeKernel(counters=4)
    with PerfCollector(root, kernel).open(Target(), ["{branches,branch-misses,cache-misses}", "r4"]) as session:
        assert {"branches", "branch-misses", "cache-misses", "r4"} == set(session.unavailable)
        assert "braces" in session.unavailable["branches"].remedy
    with PerfCollector(root, kernel).open(Target(), ["{branches,branch-misses}", "cache-misses"]) as session:
        assert session.passes[0].metrics[2:4] == ("branches", "branch-misses")
        assert "cache-misses" in session.passes[1].metrics


def test_multiplexing_happens_only_when_asked_for(root: Path) -> None:
    names = ["branches,branch-misses,cache-misses"]
    with PerfCollector(root, FakeKernel(counters=3), multiplex=True).open(Target(), names) as session:
        assert len(session.passes) == 1
        assert [len(g.counters) for g in session.groups] == [2, 1, 1, 1, 1]
    with PerfCollector(root, FakeKernel(counters=3)).open(Target(), names) as session:
        assert len(session.passes) == 3


def test_the_tasks_of_a_pid_are_summed(root: Path) -> None:
    kernel = FakeKernel(threads=(7, 8, 9))
    with PerfCollector(root, kernel).open_tasks(7, ["branches"]) as session:
        assert {o.pid for o in kernel.opened.values()} == {7, 8, 9}
        found = window(session, kernel)
        assert not session.tasks_changed()
        kernel.threads = (7, 9)
        assert session.tasks_changed()
        kernel.threads = (7, 8, 9)
        assert session.tasks_changed(), "what changed once stays changed"
    assert found["branches"].value == 3 * 400_000
    assert found["branches"].exactness is Exactness.EXACT


def test_a_task_that_ends_while_opening_is_left_out(root: Path) -> None:
    kernel = FakeKernel(threads=(7, 8), refuse=lambda attr, pid: errno.ESRCH if pid == 8 else 0)
    with PerfCollector(root, kernel).open_tasks(7, ["branches"]) as session:
        assert window(session, kernel)["branches"].value == 400_000


def test_a_counter_in_error_is_missing_not_zero(root: Path) -> None:
    kernel = FakeKernel()
    with PerfCollector(root, kernel).open(Target(), ["page-faults"]) as session:
        session.select(session.passes[0])
        before = session.read()
        kernel.read = lambda fd, size: b""  # type: ignore[method-assign]
        found = readings(session, before, session.read(), 0)
    assert {r.exactness for r in found.values()} == {Exactness.MISSING}


def test_probe_tells_source_and_meaning(root: Path) -> None:
    found = PerfCollector(root, FakeKernel()).probe(["cache-misses", "ref-cycles"])
    assert found["cache-misses"] == Available("perf:cache-misses", "cache misses, of a level that depends on the CPU")
    assert isinstance(found["ref-cycles"], Unavailable)
