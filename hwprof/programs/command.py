"""Any program as a case: counted from its exec to its end, with power, memory and CPU use."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import secrets
import shlex
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwprof import doubts
from hwprof.collectors.cooldown import CoolDown
from hwprof.collectors.perf.tables import bounds_of
from hwprof.collectors.perf.tool_events import execution_readings
from hwprof.collectors.readings import missing_readings
from hwprof.collectors.review import facts_of, review
from hwprof.collectors.vocabulary import Name
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.errors import HwprofError, UsageError
from hwprof.machine.clock import clock_ns, utc_now
from hwprof.machine.facts import machine_facts, software
from hwprof.machine.kinds import cpu_facts
from hwprof.machine.session import begin_session
from hwprof.programs.accounts import execution_times, failure_of, join_series, no_figure, peak_rss, usage_readings
from hwprof.programs.child import Child, ProcessEnd, find, working_directory
from hwprof.programs.counting import Backend, ExecCounting, Native
from hwprof.programs.figures import compile_figure, decimal_sign
from hwprof.programs.interrupts import Forwarding
from hwprof.programs.output import Follower, Outlet, Search
from hwprof.programs.region import RegionControl, find_unlike_regions
from hwprof.programs.standard_input import RepeatedInput
from hwprof.records import Case, Doubt, Failure, Kind, Role, Run, Series, Window

FRAMEWORK = "command"
# Passes of one round are executions of their own; their common events may differ by this much without a doubt.
UNLIKE = 0.05
_STREAMS = {1: "stdout", 2: "stderr"}
# Programs that run a script, which is what names the work.
_INTERPRETERS = ("python", "pypy", "sh", "bash", "dash", "perl", "ruby", "node", "java", "lua")


@dataclass(frozen=True, slots=True)
class Order:
    """What to run. `frames` per execution, `fps_from` a regular expression with one group: how its FPS is known."""

    argv: tuple[str, ...]
    name: str = ""  # instead of the program's
    rounds: int = 1
    warm_up: int = 0  # executions before the first round, which are not counted
    frames: int | None = None
    macs: int | None = None  # of one frame
    fps_from: str = ""
    figures: Mapping[str, str] = field(default_factory=dict)  # name -> expression: what else to look for in the output
    cpus: tuple[int, ...] = ()
    cpus_asked: str = ""  # how they were asked for, as 0,2-3 or kind=a100
    hz: float = 10.0
    meter: str = ""
    power_sensor: str = ""
    out_to_stderr: bool = False  # stdout belongs to somebody else (--json)
    environ: Mapping[str, str] = field(default_factory=dict)  # in addition to this process's own

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise UsageError(f"rounds must be at least 1, not {self.rounds}")
        if self.frames is not None and self.frames < 1:
            raise UsageError(f"--frames must be at least 1, not {self.frames}")
        if self.frames is not None and self.fps_from:
            raise UsageError("--frames and --fps-from at once", "one of them says how FPS is known")
        if self.fps_from:
            compile_figure(self.fps_from)


@dataclass(frozen=True, slots=True)
class Execution:
    """The command, run once."""

    window: Window
    ended: ProcessEnd
    fps: float | None
    series: tuple[Series, ...]
    doubts: tuple[Doubt, ...]
    facts: Mapping[str, Any]
    failure: Failure | None


@dataclass(slots=True)
class CommandRunner:
    """Runs an order round by round; each round executes the command once per pass of the counters."""

    order: Order
    backend: Backend
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cooldown: CoolDown = field(default_factory=lambda: CoolDown(0.0))  # before each execution
    session: Mapping[str, str] = field(default_factory=begin_session)
    folder: str = field(default_factory=working_directory)  # before a command can remove it
    stdin: RepeatedInput = field(default_factory=RepeatedInput)

    def run(self) -> Iterator[Run]:
        """One Run per round; the last one has a failure where the command failed. Raises where it can't be run."""
        self.facts = self.facts or machine_facts()
        case = case_of(self.order.argv, self.order.frames, self.order.cpus, self.order.name)
        for _ in range(self.order.warm_up):
            started, execution = utc_now(), self.execute(0)
            if execution.failure is not None or "interrupted" in execution.facts:
                yield self._run(case, 0, started, [execution])
                return
        for number in range(self.order.rounds):
            run = self.round(case, number)
            yield run
            if run.failure is not None or interrupting_signal(run):
                return

    def round(self, case: Case, number: int) -> Run:
        """One round: as many executions as there are passes, fewer when one fails.

        Raises where the command can't be started at all; after the first execution that is a failure of the round.
        """
        started = utc_now()
        done: list[Execution] = []
        failure = None
        for index in range(self.backend.passes):
            try:
                done.append(self.execute(index))
            except HwprofError as error:
                if not done and not number:
                    raise
                failure = Failure("not-started", error.message, error.remedy, "command")
                break
            if done[-1].failure is not None or "interrupted" in done[-1].facts:
                break
        return self._run(case, number, started, done, failure)

    def execute(self, index: int) -> Execution:
        """Run the command once, with pass `index` of the counters."""
        order, cooling = self.order, self.cooldown.wait(self.order.cpus)
        with ExitStack() as stack:
            pipes, stdout, stderr = self._pipes(stack)
            # perf stat prints its counts at its end, and can't say what they were in between
            control = stack.enter_context(RegionControl()) if isinstance(self.backend, Native) else None
            environ = {**os.environ, **order.environ, **(control.environ if control else {})}
            streams = (self.stdin.begin(), stdout, stderr)
            child = stack.enter_context(Child(order.argv, environ, order.cpus, *streams, self.backend.stop))
            for fd in {fd for fd in streams if fd is not None and fd > 2}:
                os.close(fd)  # the child has its own: the pipe ends when the last of its users ends
            signals = stack.enter_context(Forwarding(child.pid))
            watcher = stack.enter_context(
                GaugeWatcher(order.hz, order.cpus, order.meter, power_sensor=order.power_sensor)
            )
            if not self.backend.stop:
                counting = self.backend.attach(child.pid, index)
                stack.callback(counting.close)
                if control is not None and isinstance(counting, ExecCounting):
                    control.pid, control.counting = child.pid, counting
            watcher.started(child.pid)
            t0 = child.release()
            if self.backend.stop:
                counting = self.backend.attach(child.pid, index)
                stack.callback(counting.close)
                t0 = child.resume()
            decimal = decimal_sign(environ) if pipes else "."
            search = Search(compile_figure(order.fps_from) if order.fps_from else None, decimal)
            figures = {name: Search(compile_figure(text), decimal) for name, text in order.figures.items()}
            Follower(pipes, search, tuple(figures.values()), control).follow(child.pid, child.has_ended, signals)
            if control is not None:
                control.end(clock_ns())
            ended = child.wait()
            signals.pid = 0
            watcher.__exit__(None, None, None)  # one more sample, after the edge
            region = control if control is not None and control.stretches else None
            if region is not None and isinstance(counting, ExecCounting):
                counts = counting.finish(region.sums)
            else:
                counts = counting.finish()
        unavailable = missing_readings(self.backend.unavailable)
        hardware, series = self.facts["hardware"], watcher.series()
        host, bounds = self.facts["host_state"], bounds_of(hardware)
        known = facts_of(order.cpus, hardware, host, bounds, series=series, edges_ns=child.exec_ns)
        frames, uneven = order.frames, None
        if region is None:
            window = Window(index, Role.COUNTED, index, t0, ended.at_ns, (ended.at_ns - t0,))
            sensed = watcher.readings(window)
            times = execution_times(self.backend.tools, ended.at_ns - t0, child.used, ended.usage)
            readings = (*counts, *usage_readings(child.used, ended.usage), *times, *unavailable, *sensed)
        else:
            window = region.window(index)
            frames, uneven = region.frames(order.frames)
            known = dataclasses.replace(known, cpu_ns=region.cpu_ns)
            # what sensors and the kernel's accounts say of several stretches is of what lies between them too
            sensed = watcher.readings(window) if window.slices is None else ()
            times = execution_readings(self.backend.tools, region.elapsed_ns, None)
            readings = (*counts, *times, *unavailable, *sensed)
        window, lost = review(dataclasses.replace(window, readings=tuple(readings)), known)
        fps = search.value if order.fps_from else None
        if frames is not None and not order.fps_from:
            fps = frames * len(window.latencies_ns) / window.elapsed_s
        facts = {
            "pid": child.pid,
            "exit_code": ended.exit_code,
            "elapsed_ns": ended.at_ns - t0,
            "fps": fps,
            **peak_rss(child.used, ended.usage, series, window),
            **watcher.facts(),
        }
        if region is not None:
            facts["region"] = {
                "stretches": len(region.stretches),
                "elapsed_ns": region.elapsed_ns,
                "before_ns": window.t0_ns - t0,
                "frames": frames,
            }
        if control is not None and control.failure:
            facts["unheard"] = control.failure
        if order.fps_from:
            facts["fps_matches"] = search.matches
        if figures:
            facts["figures"] = {name: one.value for name, one in figures.items()}
        if unwritten := {_STREAMS[pipe.descriptor]: pipe.loss for pipe in pipes.values() if pipe.loss}:
            facts["output_lost"] = unwritten
        if signals.received:
            facts["interrupted"] = signals.received
        if cooling is not None:
            facts["cooldown"] = cooling.facts()
        found = [*watcher.doubts([window]), *lost, *(cooling.doubts() if cooling is not None else ())]
        failure = failure_of(order.argv[0], ended) or no_figure(search) or uneven
        return Execution(window, ended, fps, series, tuple(found), facts, failure)

    def _pipes(self, stack: ExitStack) -> tuple[dict[int, Outlet], int | None, int | None]:
        """Where the output goes: straight to this process's own, unless it is searched."""
        err = 2
        out = err if self.order.out_to_stderr else 1
        if not self.order.fps_from and not self.order.figures:
            return {}, (None if out == 1 else out), None
        with contextlib.suppress(OSError):  # what hwprof itself prints is no part of the measurement
            sys.stdout.flush()
        pipes, ends = {}, []
        for to in (out, err):
            read, write = os.pipe()
            stack.callback(os.close, read)
            pipes[read] = Outlet(to)
            ends.append(write)
        return pipes, ends[0], ends[1]

    def _run(
        self, case: Case, number: int, started: str, done: Sequence[Execution], failure: Failure | None = None
    ) -> Run:
        fps = [e.fps for e in done if e.fps is not None]
        regions = [e.facts["region"] for e in done if "region" in e.facts]
        source = "output" if self.order.fps_from else "region" if fps and regions else "frames" if fps else ""
        if regions:
            failure = failure or find_unlike_regions(regions, len(done))
            case = dataclasses.replace(case, batch=regions[0]["frames"] or 1)
        facts: dict[str, Any] = {
            "session": self.session,
            "argv": list(self.order.argv),
            "cwd": self.folder,
            "backend": self.backend.name,
            "warm_up": self.order.warm_up,
            "exit_code": next((e.ended.exit_code for e in done if e.ended.status), 0),
            "fps": statistics.median(fps) if fps else None,
            "fps_source": source,
            "throughput": statistics.median(fps) if fps and source != "output" else None,
            "executions": [dict(e.facts) for e in done],
        }
        if cores := cpu_facts(self.order.cpus, self.order.cpus_asked):
            facts["cores"] = cores
        if regions:
            facts["program_name"] = name_of(self.order.argv)
            facts["latency_ns"] = statistics.median(length for e in done for length in e.window.latencies_ns)
        if peaks := [e.facts["peak_rss_bytes"] for e in done if "peak_rss_bytes" in e.facts]:
            facts["peak_rss_bytes"] = max(peaks)
        run = Run(
            uid=secrets.token_hex(4),
            case=case,
            kind=Kind.COMMAND,
            round=number,
            started_utc=started,
            windows=tuple(e.window for e in done),
            series=join_series([e.series for e in done]),
            env=dict(self.order.environ),
            facts=facts,
            failure=next((e.failure for e in done if e.failure is not None), failure),
            machine=self.facts["hardware"],
            host_state=self.facts["host_state"],
            software=software(),
            macs=self.order.macs,
        )
        found = {d.code: d for e in done for d in e.doubts}
        found |= {d.code: d for d in (*doubts.of_run(run, os.cpu_count() or 1), *pass_doubts(run.windows))}
        return dataclasses.replace(run, doubts=tuple(found.values()))


def interrupting_signal(run: Run) -> int:
    """The signal that was sent to hwprof while it observed; 0: none."""
    return max((int(e.get("interrupted", 0)) for e in run.facts.get("executions", ())), default=0)


def pass_doubts(windows: Sequence[Window]) -> list[Doubt]:
    """A doubt where the executions of one round, each with a pass of its own, did unlike work."""
    for anchor in (Name.INSTRUCTIONS, Name.TASK_CLOCK):
        values = [r.value for w in windows for r in w.readings if r.metric == anchor and r.value]
        if len(values) > 1 and max(values) > (1 + UNLIKE) * min(values):
            return [Doubt("passes-differ", {"anchor": anchor, "percent": 100 * (max(values) / min(values) - 1)})]
    return []


def case_of(argv: Sequence[str], frames: int | None = None, cpus: Sequence[int] = (), name: str = "") -> Case:
    """The case that a command is. `batch`: frames per execution, 1 where that is not known; 0 threads: its own."""
    return Case(
        framework=FRAMEWORK,
        network=name or name_of(argv),
        recipe=f"file {digest(Path(find(argv)))}",
        size=0,
        batch=frames or 1,
        threads=0,
        cpus=tuple(cpus),
        precision="unknown",
        options=(("command", shlex.join(argv)),),
    )


def name_of(argv: Sequence[str]) -> str:
    """A short name: the program's, and after an interpreter's that of its script."""
    name = Path(argv[0]).name
    if name.rstrip("0123456789.") in _INTERPRETERS:
        script = next((w for w in argv[1:] if not w.startswith("-") and os.path.isfile(w)), None)  # noqa: PTH113  no word is too long for it
        if script is not None and "-c" not in argv[1 : argv.index(script)]:
            return f"{name} {Path(script).name}"
    return name


def digest(path: Path) -> str:
    """First half of the SHA-256 of a program's file: built anew, it is another case. "unreadable" where it is."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError:
        return "unreadable"
