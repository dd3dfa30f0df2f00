"""What is counted in a guest, through the collector's own doors. Run there as `python3 -m tests.truth.parts PART...`.

Each part returns plain data, which is added to out.json as it comes; what is to be thought of it the tests say.
`truth` lies in the working directory. Standard library and hwprof only.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hwprof import Profile
from hwprof.collectors.perf import PerfCollector, abi
from hwprof.collectors.protocol import Target
from hwprof.records import Reading
from hwprof.studies.validation.bench import Program
from tests.truth.readings import between_reads
from tests.truth.watcher import Perf

HERE = Path.cwd()
TRUTH = HERE / "truth"
SMALL, LARGE = 20_000, 60_000  # as many digits, so that reading the number costs the same
PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
PARTS: dict[str, Callable[[], Any]] = {}
COLLECTORS = {multiplex: PerfCollector(multiplex=multiplex) for multiplex in (False, True)}  # each knows what it tried


def part(function: Callable[[], Any]) -> Callable[[], Any]:
    PARTS[function.__name__] = function
    return function


def plain(reading: Reading) -> dict[str, Any]:
    return {
        "value": reading.value,
        "exactness": reading.exactness.value,
        "origin": reading.origin.value,
        "domain": reading.domain,
        "running": reading.running,
        "why": reading.why,
        "meaning": reading.meaning,
    }


def count(
    events: str, mode: str, amounts: Sequence[int] = (SMALL, LARGE), argument: int = 0, multiplex: bool = False
) -> dict[str, Any]:
    """Count a waiting program, once for each amount and pass, by a session on its tasks."""
    collector = COLLECTORS[multiplex]
    with Program(TRUTH, mode, argument) as program:
        program.go(amounts[0])
        with collector.open(Target(program.pid), [events]) as session:
            counts = []
            for amount in amounts:
                passes = []
                for pass_ in session.passes:
                    session.select(pass_)
                    before = session.read()
                    program.go(amount)
                    after = session.read()
                    session.select(None)
                    readings = between_reads(session, before, after, pass_.index)
                    passes.append({r.metric: plain(r) for r in session.review(readings)})
                counts.append(passes)
            refused = {name: u.reason for name, u in session.unavailable.items()}
    return {"amounts": list(amounts), "counts": counts, "unavailable": refused}


@part
def programs() -> Any:
    """Every loop in user mode: nothing else makes these counts but the loop and what is constant."""
    modes = [("chain", 0), ("loads", 0), ("stores", 0), ("branches", 0), ("fp", 0)]
    widths = (1, 2, 4, 8) if os.uname().machine == "riscv64" else (128,)
    modes += [(mode, w) for mode in ("vector", "vectorfp", "vectorload", "vectorstore") for w in widths]
    return {
        f"{mode} {argument}": count("instructions:u", mode, (SMALL, LARGE, SMALL), argument) for mode, argument in modes
    }


@part
def group() -> Any:
    return count("{cycles,instructions}", "chain")


@part
def user() -> Any:
    return {mode: count(f"{mode}:u", "chain") for mode in ("instructions", "cycles")}


@part
def tlb() -> Any:
    events = "{dTLB-load-misses,dTLB-store-misses,iTLB-load-misses}"
    return {mode: count(events, mode, (500, 900), 4096) for mode in ("tlb", "tlbstore", "itlb")}


@part
def threads() -> Any:
    """Two threads that exist when the counters are opened, three that come later."""
    found = {event: count(event, "threads", (2000, 6000), 203) for event in ("instructions:u", "page-faults")}
    return {**found, "alone": count("instructions:u", "faults", (2000, 6000))}


@part
def fork() -> Any:
    found = {event: count(event, "fork", (2000, 6000)) for event in ("instructions:u", "page-faults")}
    return {**found, "alone": count("instructions:u", "faults", (2000, 6000))}


@part
def exec_() -> Any:
    """The counters stay while the process becomes another program."""
    found = {event: count(event, "exec", (2000, 6000)) for event in ("instructions:u", "page-faults")}
    return {**found, "alone": count("instructions:u", "faults", (2000, 6000))}


@part
def raw() -> Any:
    return {event: count(event, "chain") for event in ("r8", "r11", "r8:u", "r11:u", "r3")}


@part
def never() -> Any:
    """An event that opens and never runs, and a group that reads 0 throughout because of it."""
    return {"alone": count("r3b", "chain"), "group": count("{cycles,instructions,r3b}", "chain")}


@part
def second() -> Any:
    """A second event for cycles in the group."""
    return count("{cycles,instructions,cycles:u}", "chain")


@part
def firmware() -> Any:
    """SBI: illegal instructions (code 4), which trap into the firmware."""
    return count("r8000000000000004", "illegal", (200, 600))


MANY = (
    *("cycles", "instructions", "cycles:u", "instructions:u", "cycles:k", "instructions:k", "r8", "r8:u", "r8:k"),
    *("r11", "r11:u", "r11:k", "armv8_pmuv3/inst_retired/", "armv8_pmuv3/cpu_cycles/"),
)


@part
def passes() -> Any:
    """Six more events than counters (seven)."""
    return count(",".join(MANY), "chain", (600_000,))


@part
def multiplexed() -> Any:
    """By turns, for as long as the kernel takes to give each its turn many times over."""
    return count(",".join(MANY), "chain", (4_000_000,), multiplex=True)


# So much more work that what Python itself does beside it, which differs by half a million instructions, is small
BLOCKS = (("instructions:u", "chain", (100_000, 1_100_000)), ("page-faults", "faults", (2000, 6000)))


def child(mode: str, amount: int) -> None:
    subprocess.run([TRUTH, mode, str(amount)], check=True, stdout=subprocess.DEVNULL)


@part
def profile() -> Any:
    """A block of this process, with the program as its child."""
    found: dict[str, Any] = {}
    for event, mode, amounts in BLOCKS:
        child(mode, amounts[0])  # what is done the first time only
        for amount in amounts:
            with Profile(events=[event]) as block:
                child(mode, amount)
            found.setdefault(event, []).append(plain(block[event]))
    return found


@part
def own() -> Any:
    """Counters opened on this process while it is one thread, as a worker does; the program is its child."""
    found: dict[str, Any] = {}
    for event, mode, amounts in BLOCKS:
        with COLLECTORS[False].open(Target(), [event]) as session:
            session.select(session.passes[0])
            child(mode, amounts[0])
            for amount in amounts:
                before = session.read()
                child(mode, amount)
                readings = between_reads(session, before, session.read(), 0)
                found.setdefault(event, []).append(plain(next(r for r in readings if r.metric == event)))
    return found


def as_nobody(action: Callable[[], Any], perfmon: bool = False) -> Any:
    """What `action` returns in a child that is nobody, with CAP_PERFMON and nothing else where asked."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        try:
            become_nobody(perfmon)
            said = action()
        except BaseException:  # noqa: BLE001 -- the parent says it
            said = {"error": traceback.format_exc()}
        os.write(into, json.dumps(said).encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text)


def become_nobody(perfmon: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    keep_capabilities, cap_perfmon, version_3 = 8, 38, 0x20080522
    libc.prctl(keep_capabilities, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    high = 1 << cap_perfmon - 32 if perfmon else 0
    header = (ctypes.c_uint32 * 2)(version_3, 0)
    data = (ctypes.c_uint32 * 6)(0, 0, 0, high, high, 0)  # effective, permitted, inheritable: low words, then high ones
    if libc.capset(header, data):
        raise OSError(ctypes.get_errno(), "capset")


def allowed() -> dict[str, Any]:
    """Which events this process may count, and its share of the kernel."""
    collector = PerfCollector()
    names = ("cycles", "cycles:u", "page-faults", "context-switches", "task-clock")
    found: dict[str, Any] = {}
    for name in names:
        event = collector.countable(collector.parser.event(name))
        found[name] = getattr(event, "domain", None) or [getattr(event, "reason", ""), getattr(event, "remedy", "")]
    return {"rights": [collector.rights.paranoid, collector.rights.privileged], "events": found}


@part
def rights() -> Any:
    found: dict[str, Any] = {"default": int(PARANOID.read_text())}
    for level in (1, 2, 3):
        PARANOID.write_text(str(level))
        found[f"nobody {level}"] = as_nobody(allowed)
        found[f"perfmon {level}"] = as_nobody(allowed, perfmon=True)
        found[f"root {level}"] = allowed()
    PARANOID.write_text(str(found["default"]))
    return found


@part
def sampling() -> Any:
    """errno of opening a sampling event, and what is said of it."""
    kernel = abi.LinuxKernel()
    attr = abi.Attr(type=abi.Type.HARDWARE, config=0, sample_period=1_000_000, flags=abi.DISABLED)
    rights_ = abi.read_rights()
    try:
        kernel.close(kernel.open(attr, 0, -1, -1, abi.FLAG_FD_CLOEXEC))
    except OSError as error:
        code = error.errno or 0
        why = abi.explain(code, abi.Circumstances(hardware=True, has_pmu=True, rights=rights_))
        return {"errno": errno.errorcode[code], "why": why.reason}
    return {"errno": "", "why": ""}


@part
def perf_together() -> Any:
    """perf stat and a session of ours on the same process at the same time."""
    events, found = "instructions:u,cycles:u,page-faults,context-switches", {}
    for mode, amount in (("chain", 50_000), ("branches", 500_000), ("faults", 5000)):
        with Program(TRUTH, mode) as program:
            program.go(amount)
            perf = Perf(program.pid, events)
            with PerfCollector().open(Target(program.pid), [events]) as session:
                perf.say("enable")
                session.select(session.passes[0])
                before = session.read()
                program.go(amount)
                after = session.read()
                perf.say("disable")
                ours = between_reads(session, before, after)
            found[mode] = {"perf": perf.counts(), "ours": {r.metric: r.value for r in ours}}
    return found


@part
def perf_in_turn() -> Any:
    """The same process doing the same work twice, where the PMU has one counter only for each event."""
    events, found = "instructions:u,page-faults", {}
    for mode, amount in (("chain", 50_000), ("branches", 500_000), ("faults", 5000)):
        with Program(TRUTH, mode) as program:
            program.go(amount)
            perf = Perf(program.pid, events)
            perf.say("enable")
            program.go(amount)
            perf.say("disable")
            theirs = perf.counts()
        ours = {e: count(e, mode, (amount,))["counts"][0][0][e]["value"] for e in events.split(",")}
        found[mode] = {"perf": theirs, "ours": ours}
    return found


@part
def validate() -> Any:
    """`hwprof events --validate` with the program made at home."""
    names = ["cycles,instructions,cycles:u,instructions:u,branches,stalled-cycles-frontend,stalled-cycles-backend"]
    names += ["dTLB-load-misses,dTLB-store-misses,iTLB-load-misses,r3b,r8,page-faults,context-switches,task-clock"]
    words = [sys.executable, "-m", "hwprof", "events", "--validate", "--json", "--no-save", "--program", str(TRUTH)]
    words += ["--repetitions", "3"]
    done = subprocess.run([*words, "-e", ",".join(names)], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr}


def main() -> None:
    found: dict[str, Any] = {}
    for name in sys.argv[1:]:
        try:
            found[name] = PARTS[name]()
        except Exception:  # noqa: BLE001 -- the tests of that part say it
            found[name] = {"error": traceback.format_exc()}
        (HERE / "out.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
