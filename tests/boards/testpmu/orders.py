"""What guests with test equipment have hwprof read, and what came of it.

A program says how many accesses it has just made; with a period, time advances the counts as well. A thermal zone is
heated by a program, or once by time, and falls at a known rate.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hwprof.boards.guest import run_guest
from hwprof.records import TEST_EQUIPMENT, Exactness, Origin, Reading, Run
from hwprof.store import Results
from tests.boards.testpmu import build
from tests.fleet import ARCHITECTURES, ONE_CPU, TIMEOUT_S, Board, Fleet, Job, Outcome, asks, register, shared_image

# A module and its parameters -> the orders that are done with it: name -> command line
Orders = tuple[tuple[str, dict[str, str]], ...]
PERIOD_NS = 1000
PERIOD = f"period_ns={PERIOD_NS}"
# What advances with time, and how often in a period
ADVANCING = {"cache-references": 10, "cache-misses": 1, "branches": 10, "branch-misses": 1}
ROTATED = f"-e {','.join(ADVANCING)} -- ./accesses"
INHERITED = "-e cache-misses,cycles -- ./accesses 0x11:1000:10 child:0x11:1:5 thread:0x11:1:20"
# No branches: a trial in which there are none would not be believed.
WRITTEN = {"cache-references": 3000, "cache-misses": 1000, "branch-misses": 70, "L1-dcache-load-misses": 30}
PASSES = f"-e {','.join(WRITTEN)} -- ./accesses 0x10:300:10 0x11:100:10 0x13:7:10 0x16:3:10"
UNITS = "-e L1-dcache-load-misses,testpmu/energy/ -- ./accesses 0x16:3:10 0x17:1000:10"
PLAIN = "-e cache-misses,cycles -- ./accesses 0x11:1000:10"
INFERENCE = "-f onnxruntime -n tiny_cnn -s 32 -r 1 --iterations 2 -w 1"
NETWORK = f"{INFERENCE} -e cache-misses,cycles"
SPUN_MS = 300
# The thermal zone's temperatures, and by how much it falls in a second: degrees
FLOOR_C, PEAK_C = 30.0, 50.0
FALLS_C = {"cooled": 5.0, "limited": 1.0, "settled": 0.0, "network, cooled": 1.0}
COOLDOWN_S = {"cooled": 60, "limited": 1, "settled": 60, "network, cooled": 60}


def milli(degrees: float) -> int:
    return round(1000 * degrees)


def _heated(name: str) -> str:
    """Two executions of a program that heats the zone: the second has to wait."""
    heat = f"heat:{milli(PEAK_C)}:{milli(FALLS_C[name])}"
    return f"run -r 2 --cooldown {COOLDOWN_S[name]} -e task-clock -- ./accesses {heat}"


# One CPU on which an instruction takes a nanosecond, the guest's own PMU beside the test PMU.
EXACT: Orders = (
    (
        "testpmu counters=2",
        {
            "inherited": f"run {INHERITED}",
            "inherited by perf": f"run --backend perf {INHERITED}",
            "passes": f"run {PASSES}",
            "units": f"run {UNITS}",
            "units by perf": f"run --backend perf {UNITS}",
            "block": "block",
            "attached": "attached",
            "events": "events cache-misses",
            "record": "record -e cache-misses -- ./accesses 0x11:1000:10",
        },
    ),
    ("testpmu counters=2 software=0", {"another PMU": f"run {PLAIN}"}),
    ("testpmu counters=2 cpus_file=1", {"claimed twice": f"run {PLAIN}"}),
    (
        f"testpmu counters=2 {PERIOD}",
        {
            "rotated": f"run --multiplex {ROTATED} spin:4000",
            "rotated by perf": f"run --backend perf {ROTATED} spin:4000",
            "network": f"run {NETWORK}",
            "network by perf": f"run --backend perf {NETWORK}",
        },
    ),
    ("testpmu", {"parent's limit": f"throttled run -e task-clock -- ./accesses spin:{SPUN_MS}"}),
    *(("testheat", {name: _heated(name)}) for name in ("cooled", "limited", "settled")),
    # What is read first is the temperature at the start of the experiment.
    (
        f"testheat peak={milli(PEAK_C)} fall={milli(FALLS_C['network, cooled'])} after_reads=1",
        {"network, cooled": f"run --cooldown {COOLDOWN_S['network, cooled']} -e page-faults {INFERENCE}"},
    ),
)
CORE = "software=0 cpus_file=1"
BOTH = "-e cache-misses,cycles -- ./accesses cpu:0 0x11:1000:10 cpu:1 0x11:20:10 child:0x11:1:5 thread:0x11:1:20"
BOTH_BUSY = f"-e cycles,{','.join(ADVANCING)} -- ./accesses cpu:0 spin:2000 cpu:1 spin:2000"
NO_CYCLES = "-e cache-misses,cycles -- ./accesses cpu:0 spin:300 cpu:1 spin:300"
# Two CPUs of a board without a PMU of its own: the test PMU is that of the core, or those of two kinds of core.
KINDS: Orders = (
    (f"testpmu type=4 counters=4 cycles=1 {CORE}", {"whole": f"run {PLAIN}", "whole in passes": f"run {PASSES}"}),
    (f"testpmu type=4 counters=2 cycles=1 {CORE} {PERIOD}", {"whole, rotated": f"run --multiplex {ROTATED} spin:4000"}),
    (
        f"testpmu split=1 counters=8 counters2=4 cycles=1 {CORE}",
        {"kinds": f"run {BOTH}", "kinds by perf": f"run --backend perf {BOTH}"},
    ),
    (
        f"testpmu split=1 counters=8 counters2=2 cycles=1 {CORE} {PERIOD}",
        {
            "kinds, rotated": f"run --multiplex {BOTH_BUSY}",
            "kinds, rotated by perf": f"run --backend perf {BOTH_BUSY}",
            # long beside the moment that it may spend on the other kind before it is on CPU 0
            "one kind, rotated": f"run --multiplex {ROTATED} cpu:0 spin:3000",
        },
    ),
    (
        f"testpmu split=1 {CORE} {PERIOD}",
        {"no cycles": f"run {NO_CYCLES}", "no cycles by perf": f"run --backend perf {NO_CYCLES}"},
    ),
)


def prepare(arch: str, orders: Orders, folder: Path) -> str:
    """What a guest needs for the orders, in its folder; what it executes there."""
    image = shared_image(arch)
    build.put_modules(image, folder)
    build.program(image, folder)
    shutil.copy(Path(build.__file__).with_name("guest.py"), folder)
    (folder / "orders.json").write_text(json.dumps(orders))
    return "python3 guest.py >printed 2>&1; echo $? >exit-code"


def boot_without_pmu(folder: Path, script: str) -> Outcome:
    """Two CPUs without a PMU."""
    image = shared_image("arm64")
    ended = run_guest(image, folder, script, smp=2, icount=False, cpu_options={"pmu": False}, timeout_s=TIMEOUT_S)
    return Outcome(ended.exit_code, ended.stdout, ended.stderr, folder)


WITHOUT_PMU = Board("arm64-without-pmu", boot_without_pmu)
register(Job(f"{a}-known", ONE_CPU[a], partial(prepare, a, EXACT), asks("known", a), 2) for a in ARCHITECTURES)
register([Job("arm64-kinds", WITHOUT_PMU, partial(prepare, "arm64", KINDS), asks("kinds", "arm64"), 2)])


@dataclass(frozen=True)
class Counts:
    """What came of the orders of one guest."""

    folder: Path
    answers: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, job: str, fleet: Fleet) -> Counts:
        """Those of a job, once its guest has ended."""
        folder = fleet.result(job).folder
        assert (folder / "exit-code").read_text() == "0\n", (folder / "printed").read_text()
        return cls(folder, json.loads((folder / "answers.json").read_text()))

    def __getitem__(self, order: str) -> Mapping[str, Any]:
        answer = self.answers[order]
        assert "error" not in answer, answer["error"]
        assert answer.get("code", 0) == 0, answer["stderr"]
        return answer

    def runs(self, order: str) -> list[Run]:
        """The rounds of an order: of a network in a file of their own, of a command by its name."""
        self[order]
        own = self.folder / f"{order}.db"
        with Results.open(own if own.exists() else self.folder / "runs.db") as results:
            found = list(results.runs(network=None if own.exists() else order))
        assert all(run.failure is None for run in found)
        return found

    def run(self, order: str) -> Run:
        """The one round of an order."""
        (run,) = self.runs(order)
        return run

    def readings(self, order: str) -> dict[str, Reading]:
        """The readings of a command by metric: those of the pass that counted it."""
        found: dict[str, Reading] = {}
        for reading in (r for w in self.run(order).windows for r in w.readings):
            if reading.metric not in found or found[reading.metric].value is None:
                found[reading.metric] = reading
        return found


def known_to_be(reading: Reading, value: float) -> None:
    """The value, with the mark of test equipment."""
    assert reading.value == value, reading
    assert reading.origin is Origin.EMULATED
    assert TEST_EQUIPMENT in reading.meaning


def exactly(reading: Reading, value: float) -> None:
    """The same, and called exact: where time is the host's, a host with other work makes counts SUSPECT at an exec."""
    known_to_be(reading, value)
    assert reading.exactness is Exactness.EXACT, reading.why


def value_of(reading: Reading) -> float:
    assert reading.value is not None, reading.why
    return reading.value


def expected(metric: str, time_ns: float) -> float:
    """What time alone makes of a metric."""
    return ADVANCING[metric] * time_ns / PERIOD_NS


def rotation_errors(readings: Mapping[str, Reading]) -> dict[str, float]:
    """Relative errors of counts that were scaled for they shared counters, against CPU time."""
    clock = value_of(readings["task-clock"])
    found = {}
    for metric in ADVANCING:
        reading = readings[metric]
        assert reading.exactness is Exactness.SCALED, reading
        assert reading.running is not None
        assert 0.1 < reading.running < 0.9, reading
        found[metric] = value_of(reading) / expected(metric, clock) - 1
    return found
