"""`hwprof run -- COMMAND` and `hwprof run --pid PID`: the options, and the way from them to saved runs."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hwprof.cli.options import INPUTS, RangeAction, cooldown_s, notify, refuse_case, results_of
from hwprof.cli.run_keeper import RunKeeper
from hwprof.cli.streams import complain
from hwprof.errors import EXIT_CASES_FAILED, EXIT_INTERRUPTED, EXIT_OK, NotAvailable, UsageError
from hwprof.plan.options import split_events
from hwprof.printable import encodable_data, sentence
from hwprof.records import Run

if TYPE_CHECKING:
    from hwprof.runner.launcher import Launcher

# Options of the network case: they mean nothing here and are refused.
FOREIGN = (
    *("framework", "network", "batch", "threads", "size", *INPUTS, "pretrained", "precision"),
    "calibration",
    *(
        "calibration_count",
        "option",
        "iterations",
        "window",
        "timeout",
        "seed",
        "simulate",
        "simulate_only",
        "per_iteration",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hwprof run` that have to do with commands and processes."""
    group = parser.add_argument_group(
        "any program", "hwprof run [-e EVENTS] [-r ROUNDS] -- COMMAND ARGS..., or --pid PID; see docs/commands.md"
    )
    add = group.add_argument
    add("command", nargs="*", metavar="-- COMMAND", help="a program to be run and counted, with its arguments")
    add("--name", default="", help="what to call it in the results (default: the program's name)")
    add(
        "--frames",
        action=RangeAction,
        metavar="N",
        help="inferences that one execution does: gives FPS, counts per frame",
    )
    add("--macs", action=RangeAction, metavar="N", help="multiply-accumulates of one frame, for correlations")
    add("--fps-from", default="", metavar="REGEX", help="FPS is what its one group matches in the output, last match")
    add("--pid", type=int, help="observe a running process, all its threads, until it ends or Ctrl-C")
    add("--duration", action=RangeAction, of="duration_s", metavar="S", help="with --pid: so many seconds")
    group.add_argument(
        "--backend",
        choices=("native", "perf"),
        default="native",
        help="who counts: hwprof, or perf stat (default: native)",
    )


def observes_program(args: argparse.Namespace) -> bool:
    """Whether a command or a process is to be observed, not a network. Raises UsageError for a mixture."""
    if not args.command and args.pid is None:
        names = ("name", "frames", "macs", "fps_from", "duration")
        lost = [f"--{n.replace('_', '-')}" for n in names if getattr(args, n)]
        if lost:
            raise UsageError(f"{lost[0]} is for commands", "put the command behind --, as in hwprof run -- ./bench")
        return False
    if args.command and args.pid is not None:
        raise UsageError("a command and --pid at once", "one of them")
    return True


def check(args: argparse.Namespace) -> None:
    """Raise UsageError for options that don't belong to what is observed."""
    remedy = "the command's own options belong behind its name; hwprof's -r, -e, --cpus, --frames come before --"
    refuse_case(args, FOREIGN, remedy)
    if args.pid is not None:
        for name in ("frames", "macs", "fps_from", "cpus", "rounds", "warm_up", "cooldown"):
            if getattr(args, name):
                raise UsageError(f"--{name.replace('_', '-')} is not for --pid", "the process runs already, once")
    elif args.duration is not None:
        raise UsageError("--duration is for --pid", "a command is observed to its end; `timeout 10 COMMAND` ends it")


def main(args: argparse.Namespace) -> int:
    """Observe, save, print. The exit code says whether the command ended well, not what it returned."""
    from hwprof.collectors import machine_power

    check(args)
    with machine_power.prepared(args.meter, args.power_sensor, notify):
        return observe_all(args)


def observe_all(args: argparse.Namespace) -> int:
    """As `main`, with options that are checked and a meter that runs."""
    runs = runs_of(args)
    done: list[Run] = []
    with results_of(args) as results:
        keeper = None if results is None else RunKeeper(results)
        for run in runs:
            done.append(run)
            if keeper is not None:
                keeper.add(run)
    try:
        show(args, done, "" if keeper is None else keeper.note)
    finally:
        if keeper is not None:
            keeper.finish()
    return exit_code(done)


def show(args: argparse.Namespace, done: list[Run], saved: str) -> None:
    """Print what was counted, and where it was saved."""
    from hwprof.cli.verbosity import Verbosity, verbosity_of
    from hwprof.reports.terminal import command, style

    if args.json:
        print(json.dumps(encodable_data(command.document(done))))
    elif (how := verbosity_of(args)) is Verbosity.QUIET:
        print(command.result_line(done), file=sys.stderr)
    else:
        # stdout is the command's own
        width, palette = style.columns(sys.stderr), style.palette(sys.stderr)
        asked, everything = asked_metrics(args), how is Verbosity.VERBOSE
        shown = command.text(done, asked=asked, everything=everything, width=width, palette=palette)
        print(shown, file=sys.stderr)
        if saved:
            print(f"\n{saved}", file=sys.stderr)
    for line in dict.fromkeys(lost_output(done)):
        complain(line)


def lost_output(done: list[Run]) -> Iterator[str]:
    """A sentence for each stream that did not take all that the command printed, and for what it could not say."""
    for execution in (e for run in done for e in run.facts.get("executions", ())):
        if why := execution.get("unheard"):
            message = f"a program could not say what is to be counted (hwprof.h), as no FIFO can be made: {why}"
            yield sentence(message, "name another folder for temporary files by TMPDIR")
        for stream, why in execution.get("output_lost", {}).items():
            message = f"what the command printed could not all be passed on to {stream}: {why}"
            yield sentence(message, "it was searched for figures all the same")


def asked_metrics(args: argparse.Namespace) -> tuple[str, ...]:
    """The metrics that -e names, as readings call them; none where nothing, or `auto` alone, was named."""
    from hwprof.collectors.perf import PerfCollector
    from hwprof.plan.cases import checked_cpus

    words = [word for word in split_events(args.events) if word != "auto"]
    cpus = checked_cpus(args.cpus or "") if words else ()
    units = PerfCollector(cpus=cpus).parser.parse(words) if words else ()
    names = (name for unit in units for event in unit for name in (event.whole, event.metric))
    return tuple(dict.fromkeys(filter(None, names)))


def launcher(args: argparse.Namespace) -> Launcher:
    """Who starts the workers of a network case: with --backend perf one that has perf stat count their windows."""
    from hwprof.runner.launcher import Launcher

    if args.backend == "native":
        return Launcher()
    if args.strict:
        raise UsageError("--strict is for hwprof's own counters", "Omit --strict or --backend perf.")
    from hwprof.collectors.perf import PerfCollector
    from hwprof.plan.cases import checked_cpus
    from hwprof.programs.perfstat import PerfStat
    from hwprof.runner.observers import PerfStatObserver

    collector = PerfCollector(cpus=checked_cpus(args.cpus or ""))
    return Launcher(observer=PerfStatObserver(PerfStat(split_events(args.events), collector)))


def exit_code(runs: list[Run]) -> int:
    """0; 4 and one line where a command failed; 130 where Ctrl-C ended it before its time."""
    from hwprof.programs.command import interrupting_signal

    failed = next((run.failure for run in runs if run.failure is not None), None)
    attached = any(run.case.option("attached") for run in runs)
    if not attached and any(interrupting_signal(run) == signal.SIGINT for run in runs):
        complain("interrupted", "what was counted is kept")
        return EXIT_INTERRUPTED
    if failed is not None:
        complain(failed.message, failed.remedy)
        return EXIT_CASES_FAILED
    return EXIT_OK


def runs_of(args: argparse.Namespace) -> Iterator[Run]:
    """The runs as they are measured; everything that can be refused is refused before the first."""
    from hwprof.cli.case_names import find_command
    from hwprof.collectors.cooldown import CoolDown
    from hwprof.plan.cases import checked_cpus
    from hwprof.programs.attach import Observation, command_line, observe
    from hwprof.programs.command import CommandRunner, Order
    from hwprof.programs.standard_input import EMPTY, REMEDY, RepeatedInput

    events = split_events(args.events)
    if args.pid is not None:
        what = Observation(args.pid, args.duration, args.name, meter=args.meter, power_sensor=args.power_sensor)
        command_line(args.pid)
        backend = _backend(args, events)
        _require(args, events, backend)
        return (observe(what, events, backend if args.backend == "perf" else None) for _ in range(1))
    cpus = checked_cpus(args.cpus or "")
    order = Order(
        tuple(args.command),
        name=args.name,
        rounds=1 if args.rounds is None else args.rounds,
        warm_up=args.warm_up or 0,
        frames=args.frames,
        macs=args.macs,
        fps_from=args.fps_from,
        cpus=cpus,
        cpus_asked=args.cpus or "",
        meter=args.meter,
        power_sensor=args.power_sensor,
        out_to_stderr=args.json,
    )
    find_command(order.argv)
    backend = _backend(args, events, cpus)
    _require(args, events, backend)
    stdin = RepeatedInput.of(order.warm_up + order.rounds * backend.passes)
    if stdin.is_empty:
        notify(EMPTY, REMEDY)
    return CommandRunner(order, backend, cooldown=CoolDown(cooldown_s(args), notify), stdin=stdin).run()


def _require(args: argparse.Namespace, events: tuple[str, ...], backend: Any) -> None:
    """--strict: raise NotAvailable where a named event can't be counted."""
    for name, why in backend.unavailable.items() if args.strict else ():
        if events != ("auto",):
            raise NotAvailable(f"required event '{name}' can't be counted here: {why.reason}", why.remedy)


def _backend(args: argparse.Namespace, events: tuple[str, ...], cpus: Sequence[int] = ()) -> Any:
    from hwprof.collectors.perf import PerfCollector
    from hwprof.programs.counting import Native
    from hwprof.programs.perf import may_count
    from hwprof.programs.perfstat import PerfStat

    if args.backend == "perf":
        return PerfStat(events, PerfCollector(cpus=cpus))
    native = Native(events, args.multiplex, PerfCollector(multiplex=args.multiplex, cpus=cpus))
    refused = [name for name, why in native.unavailable.items() if "perf_event_paranoid" in why.reason + why.remedy]
    if refused and may_count():
        complain("perf has the right to count here", "try --backend perf", ", ".join(refused))
    return native
