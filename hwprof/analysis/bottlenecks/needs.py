"""What a rule lacks to judge a case, and the command that would measure it."""

from __future__ import annotations

from hwprof.analysis.bottlenecks.verdicts import UNDISTURBED
from hwprof.records import Case

PEAK = "peak FLOP/s"
BANDWIDTH = "memory bandwidth"
MACS = "MACs of the network"
OPERATIONS = "floating-point operations, counted"
TOP_DOWN = "top-down events"
ONE_THREAD = "the same case with one thread"
CPU_EACH = "a run with a CPU for each thread"
OTHER_BATCH = "the same case at another batch"
LAYER_TIMES = "time per layer"
PEER = "instructions of another framework on this network"
NO_SPIN = "a rerun with spinning off"
DOCTOR = "hwprof doctor"  # says which counters are missing, and what would enable them
# What a command can measure; every other need is a counter. {f}, {n}: framework and network.
COMMANDS = {
    PEAK: "hwprof calibrate",
    BANDWIDTH: "hwprof calibrate",
    MACS: "",
    OPERATIONS: DOCTOR,
    TOP_DOWN: DOCTOR,
    ONE_THREAD: "hwprof run -f {f} -n {n} -t 1",
    CPU_EACH: "hwprof run -f {f} -n {n} --cpus CPUS",
    OTHER_BATCH: "hwprof run -f {f} -n {n} -b 4",
    LAYER_TIMES: "hwprof layers -f {f} -n {n}",
    PEER: "hwprof run -f OTHER -n {n}",
    NO_SPIN: "hwprof explain {f},network={n} --test spin",
    UNDISTURBED: "hwprof run -f {f} -n {n} --cpus CPUS",
}


def command_for(need: str, case: Case | None = None) -> str:
    """The command that would measure it; of `case` None with words in capitals to fill in. "": there is none."""
    framework, network = "FRAMEWORK", "NETWORK"
    if case is not None:
        framework = case.framework
        network = case.network if case.recipe.startswith("builtin") else "FILE"
    return COMMANDS.get(need, DOCTOR).format(f=framework, n=network)
