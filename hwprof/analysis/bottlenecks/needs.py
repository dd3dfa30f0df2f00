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
DEFAULT_SIZE = 224  # of a network that is called by its name alone
DOCTOR = "hwprof doctor"  # says which counters are missing, and what would enable them
# What a command can measure; every other need is a counter. {f}, {n}: framework and network.
COMMANDS = {
    PEAK: "hwprof roofline --measure",
    BANDWIDTH: "hwprof roofline --measure",
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
    command = COMMANDS.get(need, DOCTOR)
    if case is None:
        return command.format(f="FRAMEWORK", n="NETWORK")
    network = case.network if case.recipe.startswith("builtin") else "FILE"
    return command.format(f=case.framework, n=network) + _case_options(case, command)


def _case_options(case: Case, command: str) -> str:
    """What keeps all else of the case as it was, for a command that measures it anew."""
    if " -n " not in command:
        return ""
    found = {
        "-s": case.size if case.size and not case.shape and case.size != DEFAULT_SIZE else None,
        "-b": case.batch if case.batch != 1 else None,
        "-t": case.threads if case.threads != 1 else None,
    }
    return "".join(f" {o} {v}" for o, v in found.items() if v is not None and f" {o} " not in command)
