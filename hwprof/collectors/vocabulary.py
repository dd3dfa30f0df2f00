"""Names of metrics that more than their own collector knows: what analysis, reports and commands ask results for.

Who gives each: the kernel's own events (perf/names.py), the tables of configs/cpus, events that a core's PMU names in
sysfs, callgrind and the plugin of QEMU, or a collector that reads /proc and /sys. A test asks each of them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Name(enum.StrEnum):
    """The name of a metric without its domain (`:u`), its origin (`@callgrind`) and its label (`[cpu0]`)."""

    # events of the kernel, whatever the CPU
    CYCLES = "cycles"
    INSTRUCTIONS = "instructions"
    BRANCHES = "branches"
    BRANCH_MISSES = "branch-misses"
    STALLED_CYCLES_FRONTEND = "stalled-cycles-frontend"
    STALLED_CYCLES_BACKEND = "stalled-cycles-backend"
    TASK_CLOCK = "task-clock"
    PAGE_FAULTS = "page-faults"
    MINOR_FAULTS = "minor-faults"
    MAJOR_FAULTS = "major-faults"
    # events of the tables of CPUs, and of simulators
    FRONTEND_STALLS = "frontend-stalls"
    BACKEND_STALLS = "backend-stalls"
    L1D_MISSES = "l1d-misses"
    L1I_MISSES = "l1i-misses"
    L2_MISSES = "l2-misses"
    LLC_MISSES = "llc-misses"
    DTLB_MISSES = "dtlb-misses"
    ITLB_MISSES = "itlb-misses"
    LOADS = "loads"
    STORES = "stores"
    FP_INSTRUCTIONS = "fp-instructions"
    VECTOR_INSTRUCTIONS = "vector-instructions"
    INST_SPEC = "inst_spec"  # Arm: instructions executed speculatively, which its vector events are a part of
    # slots by what became of them: sysfs events of Intel's cores (Ice Lake and later, Tremont and later)
    TOPDOWN_RETIRING = "topdown-retiring"
    TOPDOWN_BAD_SPEC = "topdown-bad-spec"
    TOPDOWN_FE_BOUND = "topdown-fe-bound"
    TOPDOWN_BE_BOUND = "topdown-be-bound"
    # accounts that the kernel keeps of a process
    CPU_USER_TIME = "cpu-user-time"
    CPU_SYSTEM_TIME = "cpu-system-time"
    RUSAGE_MINOR_FAULTS = "rusage-minor-faults"
    RUSAGE_MAJOR_FAULTS = "rusage-major-faults"
    RUN_QUEUE_WAIT = "run-queue-wait"
    RUN_TIME = "run-time"
    HELPER_RUN_TIME = "helper-run-time"
    RSS = "rss"
    PEAK_RSS = "peak-rss"
    SWAP = "swap"
    # gauges of the machine and of its control groups
    CPU_BUSY = "cpu-busy"
    CPU_STEAL = "cpu-steal"
    CGROUP_THROTTLED = "cgroup-throttled"
    CGROUP_THROTTLED_TIME = "cgroup-throttled-time"
    CPU_FREQUENCY = "cpu-frequency"
    TEMPERATURE = "temperature"
    THROTTLE_EVENTS = "throttle-events"
    THROTTLED = "throttled"
    POWER = "power"
    ENERGY = "energy"

    @property
    def user(self) -> str:
        """Of user mode alone."""
        return f"{self}:u"


# What leads every pass of the counters, and what no busy loop can leave at zero.
ANCHORS = ("task-clock", "cycles", "instructions")
NEVER_ZERO = frozenset({"cycles", "instructions", "branches", "task-clock", "cpu-clock"})

# Top-down level 1 (Yasin 2014): what became of the slots, and the event that counts it. They add up to all slots.
LEVEL1: Mapping[str, Name] = {
    "retiring": Name.TOPDOWN_RETIRING,
    "bad speculation": Name.TOPDOWN_BAD_SPEC,
    "front end": Name.TOPDOWN_FE_BOUND,
    "back end": Name.TOPDOWN_BE_BOUND,
}
# Units of energy in lower case, in joules.
JOULES: Mapping[str, float] = {"j": 1.0, "mj": 1e-3, "uj": 1e-6, "µj": 1e-6}
SLOTS = "slots"  # all of them, where a PMU counts them
