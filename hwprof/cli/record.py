"""Where the time goes: sample a case, a command or a running process with perf record; hottest code, flame graph.

  hwprof record -n mobilenet_v2 -f onnxruntime       a case, in its measured windows (neither loading nor warm-up)
  hwprof record -- ./benchmark --size 224            a command, from its exec to its end, with all it starts
  hwprof record --pid 4711 --duration 10             a process that runs, until it ends, the time is over, or Ctrl-C

Sampled by the CPU's cycles (on a core whose cycles raise no interrupt by the event that its table names), where there
is no PMU by the kernel's timer, cpu-clock. Symbols and libraries are printed; the flame graph is one SVG file.
"""

from __future__ import annotations

import argparse
import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.cli.case_names import find_command
from hwprof.cli.options import (
    CASE,
    CASE_OPTIONS,
    OUTPUT,
    RangeAction,
    add_case,
    add_former,
    add_unmasked,
    check_folder,
    choice_of,
    group,
    print_json,
    refuse_case,
    writing,
)
from hwprof.cli.streams import complain
from hwprof.cli.verbosity import add_verbosity
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, CaseFailed, UsageError
from hwprof.printable import ESCAPE, plural

if TYPE_CHECKING:
    from hwprof.programs.recording import Recording, Sampling
    from hwprof.records import Run
    from hwprof.runner.worker_process import Observer

TOP = 20
EVENT = "event to sample by, as perf record -e takes it (default: chosen)"
WINDOW_S = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    case = partial(add_case, parser)
    add = parser.add_argument
    add("command", nargs="*", metavar="-- COMMAND", help="a program with its arguments")
    add("--pid", type=int, help="a running process")
    add(
        "--duration",
        action=RangeAction,
        of="duration_s",
        metavar="S",
        help="with --pid: so many seconds (default: until it ends, or Ctrl-C)",
    )
    case("framework", default=None, help="of a case (default: onnxruntime)")
    case("network", default=None, help="of a case: built-in name or path of an .onnx or .pt2 (default: mobilenet_v2)")
    case(*CASE_OPTIONS[2:])
    case("window", default=WINDOW_S, help="of a case: seconds to sample")
    sampling = parser.add_argument_group("how it is sampled")
    add_case(sampling, "events", dest="event", action="store", default="", metavar="EVENT", help=EVENT)
    add_former(sampling, "--event", "event")
    add = sampling.add_argument
    add("-F", "--frequency", type=int, default=999, metavar="HZ", help="samples per second and thread")
    add(
        "--call-graph",
        choices=("fp", "dwarf", "lbr"),
        default="fp",
        help="how stacks are found: frame pointers (cheap), dwarf (right without them, costly), lbr (Intel)",
    )
    case("output", default="hwprof-flame.svg", help="the flame graph")
    add = group(parser, OUTPUT).add_argument
    add("--top", type=int, default=TOP, metavar="N", help="rows of the table")
    add("--perf-data", metavar="FILE", help="keep perf's own file too, for perf report and perf annotate")
    add_verbosity(group(parser, OUTPUT), "all functions and libraries")
    case("json", help="the tables as one JSON document on stdout")
    add_unmasked(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof.programs.perf import program
    from hwprof.programs.recording import Sampling, choose

    check(args)
    perf = program()
    wanted = Sampling(args.event, args.frequency, args.call_graph)
    sampling = dataclasses.replace(wanted, event=choose(perf, wanted.event))
    found = record(args, perf, sampling)
    if not found.samples:
        raise CaseFailed(
            f"not a single sample of {found.what} in {found.seconds:.2f} s",
            "it hardly used a CPU: let it work longer, or sample more often (-F 9999)",
        )
    path = Path(args.output)
    write(path, found if args.unmasked else mask_recording(args, found), sampling)
    from hwprof.reports.terminal import hotspots

    if args.json:
        print_json(hotspots.document(found, sampling, path))
    elif args.quiet:
        print(hotspots.result_line(found, path))
    else:
        print(hotspots.text(found, sampling, args.top, path, everything=args.verbose))
    if found.ended is not None and found.ended.exit_code:
        how = f"was killed by signal {found.ended.signal}" if found.ended.signal else "failed"
        complain(f"the command {how} (exit code {found.ended.exit_code})")
        return EXIT_CASES_FAILED
    return EXIT_OK


def check(args: argparse.Namespace) -> None:
    """Raise UsageError where it is not exactly one of case, command and process."""
    asked = [bool(args.command), args.pid is not None, bool(args.network or args.framework)]
    if sum(asked) != 1:
        what = "one of a case (-n, -f), a command (behind --) and --pid"
        raise UsageError(what, "`hwprof record --help` has examples")
    if args.command:
        find_command(args.command, "record")
    if args.command or args.pid is not None:
        remedy = "the command's own options belong behind its name"
        refuse_case(args, (*CASE_OPTIONS[2:], "window"), remedy, window=WINDOW_S)
    if args.duration is not None and (args.pid is None or args.duration <= 0):
        raise UsageError("--duration goes with --pid, and is above 0", "of a case: --window S")
    if args.top < 1 or args.window <= 0:
        raise UsageError("--top and --window must be above 0")
    check_folder(args.output, "name another file with -o")


def record(args: argparse.Namespace, perf: str, sampling: Sampling) -> Recording:
    """Samples of the command, the process or the case."""
    from hwprof.programs import recording
    from hwprof.runner import observers

    keep = Path(args.perf_data) if args.perf_data else None
    if args.command:
        return recording.record_command(perf, sampling, args.command, to_stderr=args.json, keep=keep)
    if args.pid is not None:
        return recording.record_process(perf, sampling, args.pid, args.duration, keep)
    observer = observers.RecordingObserver(perf, sampling, keep)
    run = measure_case(args, observer)
    if run.failure is not None:
        raise CaseFailed(f"{run.case.title}: {run.failure.message}", run.failure.remedy)
    seconds = sum(w.elapsed_s for w in run.windows)
    samples = recording.samples_within(observer.samples, run.windows)
    return recording.Recording(run.case.title, samples, seconds, unread=observer.unread)


def measure_case(args: argparse.Namespace, observer: Observer) -> Run:
    """One round of the case with no more than the kernel's clock counted."""
    from hwprof.plan.experiment import single
    from hwprof.runner.launcher import Launcher
    from hwprof.runner.rounds import Runner
    from hwprof.worker.protocol import LoopSettings

    for name in ("framework", "network"):
        if not getattr(args, name):
            setattr(args, name, CASE[name][1]["default"])
    choice = choice_of(args)
    plan = LoopSettings(
        window_s=args.window, min_iterations=1, events=("task-clock",), closed_window=False, slice_s=0.0
    )
    spec = single(choice, plan, rounds=1, cpus=args.cpus, text="# hwprof record")
    return list(Runner(spec, None, Launcher(observer=observer)).run())[-1].run


def mask_recording(args: argparse.Namespace, found: Recording) -> Recording:
    """The recording without secrets and home folders, as the flame graph is often passed on."""
    from hwprof.store.masking import Masker

    masker = Masker()
    if args.command:
        what = " ".join(masker.words(args.command))
    elif args.pid is None:
        what = masker.text(found.what)
    else:
        process, _, command = found.what.partition(": ")
        what = f"{process}: {masker.command(command, other=True)}"
    samples = tuple(
        dataclasses.replace(s, stack=tuple(f._replace(library=masker.text(f.library)) for f in s.stack))
        for s in found.samples
    )
    return dataclasses.replace(found, what=what, samples=samples)


def write(path: Path, found: Recording, sampling: Sampling) -> None:
    """The flame graph. Raises ResultsError where it can't be written."""
    from hwprof.programs.samples import fold_stacks
    from hwprof.reports.figures import flamegraph

    title = found.what if len(found.what) < 100 else f"{found.what.split()[0]} ..."
    subtitle = f"{plural(len(found.samples), 'sample', form=',')} by {sampling.event} in {found.seconds:.2f} s"
    with writing(path, "name another file with -o"):
        path.write_text(flamegraph.svg(fold_stacks(found.samples), title, subtitle), encoding="utf-8", errors=ESCAPE)
