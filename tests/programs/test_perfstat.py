"""`perf stat` as the counter: the same records, and nothing that is missing becomes a number."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.events import Event
from hwprof.errors import NotAvailable, PerfMissing, UsageError
from hwprof.programs import attach, perf
from hwprof.programs.attach import Observation, TaskCounting, counters, observe, wait_for_end
from hwprof.programs.child import Child
from hwprof.programs.command import CommandRunner, Order
from hwprof.programs.interrupts import Forwarding
from hwprof.programs.perfstat import PerfStat, StatRequest, parse, perf_name
from hwprof.records import Exactness, Origin, Reading
from tests import recorded_machines
from tests.collectors.perf.scheduled import FakePmu, ScheduledKernel
from tests.programs import programs


def events(*names: str, machine: str = "xeon") -> dict[str, Event]:
    parser = PerfCollector(recorded_machines.root(machine)).parser
    return {perf_name(e): e for e in map(parser.event, names)}


def line(event: str, value: str, share: float = 100.0, ran: int = 1000, unit: str = "") -> str:
    told = {"counter-value": value, "unit": unit, "event": event, "event-runtime": ran, "pcnt-running": share}
    return json.dumps(told)


def one(text: str, name: str) -> Reading:
    [found] = parse(text, events(name))
    return found


def test_a_count_is_exact() -> None:
    found = one(line("instructions", "1234.000000"), "instructions")
    assert (found.value, found.exactness, found.origin) == (1234.0, Exactness.EXACT, Origin.HARDWARE)


@pytest.mark.parametrize(
    ("value", "says"), [("<not supported>", "not supported"), ("<not counted>", "never ran it"), ("nan", "nan")]
)
def test_what_perf_did_not_count_is_missing_with_the_reason(value: str, says: str) -> None:
    found = one(line("cycles", value, ran=0), "cycles")
    assert found.value is None
    assert says in found.why


def test_a_share_of_the_time_makes_it_scaled_and_none_makes_it_missing() -> None:
    found = one(line("branches", "250", share=25.0, ran=500), "branches")
    assert (found.value, found.raw, found.exactness, found.running) == (1000.0, 250, Exactness.SCALED, 0.25)
    assert (found.running_ns, found.enabled_ns) == (500, 2000)
    assert one(line("branches", "0", share=0.0, ran=0), "branches").value is None


def test_clocks_are_nanoseconds_whatever_perf_prints() -> None:
    found = one(line("task-clock", "12.345678", unit="msec"), "task-clock")
    assert (found.value, found.unit, found.origin) == (12345678.0, "ns", Origin.KERNEL)


def test_what_perf_has_scaled_to_a_unit_keeps_its_raw_count() -> None:
    name = "power/energy-pkg/"
    event = Event(name, "other", 9, scale=0.25, source=f"perf:{name}", origin=Origin.EMULATED)
    [found] = parse(line(name, "2500.00", unit="Joules"), {name: event})
    assert (found.value, found.unit, found.raw, found.origin) == (2500.0, "Joules", 10_000, Origin.EMULATED)


def test_a_modifier_that_perf_added_is_the_domain_and_no_other_event() -> None:
    assert one(line("instructions:u", "7"), "instructions").domain == "user"
    found = one(line("context-switches:u", "0"), "context-switches")
    assert found.value is None
    assert "kernel" in found.why


def test_an_event_that_perf_left_out_is_missing() -> None:
    text = line("cycles", "5") + '\n# comment\n{"counter-value": '
    found = {r.metric: r for r in parse(text, events("cycles", "page-faults"))}
    assert found["cycles"].value == 5
    assert found["page-faults"].value is None


def test_a_name_of_our_own_is_asked_for_by_its_code() -> None:
    [name] = events("vector-instructions", machine="bpi-f3")
    assert name == "r3b"
    [found] = parse(line("r3b", "9"), events("vector-instructions", machine="bpi-f3"))
    assert (found.metric, found.value) == ("vector-instructions", 9)


def test_on_several_kinds_of_core_each_is_asked_for_by_its_pmu() -> None:
    parser = PerfCollector(recorded_machines.root("alderlake")).parser
    names = [perf_name(e) for e in parser.events("cycles")]
    assert names == ["cpu_core/cycles/", "cpu_atom/cycles/"]


BIG, LITTLE = FakePmu("pmu_big", 12, 8, {3: 1, 0: 1}, (0, 1)), FakePmu("pmu_little", 13, 2, {3: 1}, (2, 3))


NEVER_RAN = line("pmu_little/config=0x3/", "<not counted>", 0.0, 0)


def request(folder: Path, *names: str, pmus: tuple[FakePmu, ...] = (BIG, LITTLE)) -> StatRequest:
    collector = ScheduledKernel(pmus=pmus).collector(folder)
    return StatRequest.of([e for unit in collector.parser.parse(names) for e in unit], collector.catalog)


def test_a_kind_without_an_event_is_not_asked_for_it_by_a_name_that_another_pmu_answers(tmp_path: Path) -> None:
    """perf opens `pmu_little/cycles/` as plain cycles, which the large kind's PMU counts: 76 M where 38 M are true."""
    asked = request(tmp_path, "cycles", "cache-misses", "L1-dcache-load-misses")
    assert list(asked.events) == ["pmu_big/config=0x0/D", "pmu_big/config=0x3/", "pmu_little/config=0x3/"]
    for name in ("cycles@pmu_little", "cycles", "L1-dcache-load-misses@pmu_big"):
        assert "in sysfs" in asked.unavailable[name].reason
    assert list(asked.sums) == ["cache-misses"]


def test_each_kind_has_a_pinned_event_and_counts_are_those_of_its_own_time(tmp_path: Path) -> None:
    """Half of the second on each kind, misses by turns on the small one."""
    both = {3: 1, 0: 1}
    pmus = replace(BIG, rates=both), replace(LITTLE, rates=both)
    asked = request(tmp_path, "cache-misses", "cycles", "task-clock", pmus=pmus)
    assert list(asked.events) == [
        "pmu_big/config=0x3/",
        "pmu_little/config=0x3/",
        "pmu_big/config=0x0/D",
        "pmu_little/config=0x0/D",
        "task-clock",
    ]
    text = "\n".join([
        line("task-clock", "1000.0", ran=10**9, unit="msec"),
        line("pmu_big/config=0x3/", "410000", 50.00, 500_000_000),
        line("pmu_big/config=0x0/D", "1000000000", 50.00, 500_000_000),
        line("pmu_little/config=0x3/u", "125000", 12.50, 125_000_000),
        line("pmu_little/config=0x0/uD", "500000000", 50.00, 499_999_000),
    ])  # fmt: skip
    found = {r.metric: r for r in asked.readings(text)}
    assert (found["cache-misses@pmu_big"].value, found["cycles"].value) == (410_000, 1_500_000_000)
    assert found["cycles"].exactness is found["cache-misses@pmu_big"].exactness is Exactness.EXACT
    assert found["cache-misses@pmu_little"].value == pytest.approx(500_000, rel=1e-5)
    assert found["cache-misses"].exactness is Exactness.SCALED
    assert found["cache-misses@pmu_little"].domain == "user"


def test_a_small_share_on_a_kind_leaves_its_count_as_it_was(tmp_path: Path) -> None:
    """perf rounds 0.5149 % to 0.51: what it scaled could not be taken back."""
    text = "\n".join([
        line("task-clock", "1000.0", ran=10**9, unit="msec"),
        line("pmu_big/config=0x3/D", "10000", 0.51, 5_149_000),
        line("pmu_little/config=0x3/D", "200", 99.49, 994_851_000),
    ])  # fmt: skip
    found = {r.metric: r for r in request(tmp_path, "cache-misses", "task-clock").readings(text)}
    assert (found["cache-misses@pmu_big"].value, found["cache-misses@pmu_little"].value) == (10_000, 200)
    assert (found["cache-misses"].value, found["cache-misses"].exactness) == (10_200, Exactness.EXACT)


def test_a_program_on_one_kind_alone_has_its_totals(tmp_path: Path) -> None:
    asked = request(tmp_path, "cache-misses", "task-clock")
    clock, large = (
        line("task-clock", "9.0", ran=9_000_000, unit="msec"),
        line("pmu_big/config=0x3/", "700", ran=9_000_000),
    )
    there = {r.metric: r for r in asked.readings(f"{clock}\n{large}\n{NEVER_RAN}")}
    assert (there["cache-misses"].value, there["cache-misses"].exactness) == (700, Exactness.EXACT)
    assert there["cache-misses@pmu_little"].value == 0
    # a counter that another user had: nobody says where the threads were
    large = line("pmu_big/config=0x3/", "300", 50.0, 4_500_000)
    lost = {r.metric: r for r in asked.readings(f"{clock}\n{large}\n{NEVER_RAN}")}
    assert lost["cache-misses"].exactness is Exactness.MISSING
    assert lost["cache-misses@pmu_big"].exactness is Exactness.SUSPECT


def test_a_sum_lacks_no_kind_that_has_no_such_event() -> None:
    collector = PerfCollector(recorded_machines.root("alderlake"))
    asked = StatRequest.of(collector.parser.events("vector-instructions"), collector.catalog)
    assert list(asked.events) == ["cpu_core/config=0xfcc7/"]
    assert "cpu_atom" in asked.unavailable["vector-instructions"].reason
    assert not asked.sums


def test_without_perf_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert not perf.may_count()
    with pytest.raises(PerfMissing, match="apt-get install linux-perf"):
        PerfStat(("task-clock",))


@pytest.mark.parametrize(
    ("low", "high", "may"),
    [(1 << perf.CAP_SYS_ADMIN, 0, True), (0, 1 << (perf.CAP_PERFMON - 32), True), (1 << 12, 0, False), (0, 0, False)],
)
def test_capabilities_of_perfs_own_file_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, low: int, high: int, may: bool
) -> None:
    file = tmp_path / "perf"
    file.touch()
    data = struct.pack("<5I", 0x02000001, low, 0, high, 0)
    monkeypatch.setattr("shutil.which", lambda name: str(file))
    monkeypatch.setattr("os.getxattr", lambda path, name: data)
    assert perf.may_count() is may


# ---- with the real perf


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> str:
    return programs.compiled(programs.PAGES, tmp_path_factory.mktemp("pages"), "pages")


@pytest.mark.perf
@pytest.mark.cc
def test_perf_and_hwprof_watching_the_same_process_agree(pages: str) -> None:
    asked = ("task-clock", "page-faults", "context-switches")
    with ExitStack() as stack:
        child = stack.enter_context(Child((pages, "3000", "1000"), stop=True))
        child.release()
        theirs = PerfStat(asked).attach(child.pid, 0)
        ours = counters(child.pid, asked, stack)
        child.resume()
        child.wait()
        a = {r.metric: r.value for r in ours.finish()}
        b = {r.metric: r.value for r in theirs.finish()}
    assert a["page-faults"] == b["page-faults"]
    assert a["page-faults"] is not None
    assert a["page-faults"] >= 4000
    # Both are on before it goes on, and off when it is gone; a few microseconds lie between their edges of each switch.
    assert a["context-switches"] == pytest.approx(b["context-switches"], abs=2)
    assert a["task-clock"] == pytest.approx(b["task-clock"], rel=0.5)


@pytest.mark.perf
@pytest.mark.cc
def test_a_command_counted_by_perf_is_the_same_kind_of_run(pages: str) -> None:
    backend = PerfStat(("page-faults", "context-switches:u"))
    runner = CommandRunner(
        Order((pages, "500", "500"), fps_from="FPS: (.*)"), backend, {"hardware": {}, "host_state": {}}
    )
    done = next(runner.run())
    found = {r.metric: r for r in done.windows[0].readings}
    assert found["page-faults"].value is not None
    assert 1000 <= found["page-faults"].value < 2000
    assert found["context-switches:u"].exactness is Exactness.MISSING
    assert (done.facts["backend"], done.facts["fps"]) == ("perf-stat", 12.5)


@pytest.mark.perf
def test_perfs_own_words_are_passed_on() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with pytest.raises(NotAvailable, match="perf would not enable"):
        PerfStat(("task-clock",)).attach(gone.pid, 0)


# ---- a process that runs already

THREADS = """
import sys, threading
go = threading.Event()
def work():
    go.wait()
    sum(i & 3 for i in range(400_000))
threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads: t.start()
print("ready", flush=True)
sys.stdin.readline()
go.set()
for t in threads: t.join()
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """Three threads that wait for a line, then work and end."""
    with subprocess.Popen(
        programs.python("-c", THREADS), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        yield started
        started.kill()


def finish(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.close()
    process.wait()


@pytest.mark.counting
def test_threads_that_exist_already_are_counted(process: subprocess.Popen[str]) -> None:
    with ExitStack() as stack:
        counting: TaskCounting = counters(process.pid, ("task-clock",), stack)
        assert not counting.missed
        finish(process)
        [clock] = [r.value for r in counting.finish() if r.metric == "task-clock"]
    assert clock is not None
    # each thread alone needs several milliseconds for its loop; the main thread, which only waits, does not
    assert clock > 10e6


def test_observing_ends_with_the_process(process: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def let_go(handle: int, signals: Forwarding, seconds: float | None) -> bool:
        assert process.stdin is not None
        process.stdin.write("\n")  # it is observed from here on
        process.stdin.close()
        return wait_for_end(handle, signals, seconds)

    monkeypatch.setattr(attach, "wait_for_end", let_go)
    done = observe(Observation(process.pid, name="threads"), ("task-clock",))
    assert done.failure is None
    assert done.case.network == "threads"
    assert done.case.option("attached") is True
    assert done.facts["executions"][0]["ended"] is True


def test_a_duration_ends_it_too(process: subprocess.Popen[str]) -> None:
    done = observe(Observation(process.pid, duration_s=0.05), ("task-clock",))
    assert done.facts["executions"][0]["ended"] is False
    assert process.poll() is None


def test_cpu_time_of_the_process_that_was_not_counted_is_doubted(
    process: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = iter((5, 5 + 60 * 10**9))
    monkeypatch.setattr(attach, "cpu_time_ns", lambda pid: next(used))

    def worked(*_: object) -> bool:
        finish(process)
        return True

    monkeypatch.setattr(attach, "wait_for_end", worked)
    done = observe(Observation(process.pid), ("task-clock",))
    assert "counters-lost" in {d.code for d in done.doubts}


def test_no_such_process_and_threads_are_refused() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with pytest.raises(NotAvailable, match="There is no process"):
        observe(Observation(gone.pid), ("task-clock",))
    with pytest.raises(UsageError, match="process id"):
        Observation(0)
    with pytest.raises(UsageError, match="duration"):
        Observation(1, 0.0)
