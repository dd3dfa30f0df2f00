"""Measure one case: a network in a framework, with hardware events, power and memory around it.

Every round is a fresh process: warm-up until latency is steady, then bare windows (counters disabled) and counted
ones in turn. An event that this machine can't count is shown as <not available> with the reason; --strict makes that
an error. The result is saved and can be compared and reported on later.

Of what was recorded, the events that -e names are shown, or a short set. -v shows all of it, with what it means; -q
prints the result in one line. At the end stand what bounds the case and the command to run next.

With a command behind --, or with --pid, any program is observed instead: hwprof run -e cycles -- ./bench --size 224
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.cli import program as commands
from hwprof.cli.options import INPUTS, RangeAction, add_case, add_results, choice_of, cooldown_s, results_of
from hwprof.cli.progress import Display
from hwprof.cli.streams import complain
from hwprof.cli.verbosity import Verbosity, add_verbosity, verbosity_of
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, EXIT_UNAVAILABLE, NotAvailable, UsageError
from hwprof.plan.options import split_events
from hwprof.printable import encodable_data

if TYPE_CHECKING:
    from hwprof.analysis.comparison.calibration import MachineNoise
    from hwprof.analysis.roofline import Roof
    from hwprof.records import Run
    from hwprof.reports.terminal.style import Palette
    from hwprof.store import Results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add, case = parser.add_argument, partial(add_case, parser)
    add(
        "-e",
        "--events",
        action="append",
        metavar="EVENTS",
        help="names as of perf stat -e (default: auto)",
    )
    case("framework", help="default: onnxruntime; command: a program, --option runner=NAME")
    case("network", "batch", "threads")
    add("-r", "--rounds", action=RangeAction, help="fresh processes (default: 3; of a command: 1)")
    case("warm_up", help="warm-up iterations (default: until steady); of a command: executions (default: 0)")
    case("size", *INPUTS, "pretrained")
    case("precision", help="fp32, or what `hwprof list frameworks` lists: fp16, bf16, int8")
    case("calibration", "calibration_count", "option", "cpus")
    case("iterations", help="per window (default: as many as fit in --window)")
    case("window")
    case("timeout", help="for one round; conversions get as much, and 600 at least (default: 600)")
    case("cooldown", "seed")
    case(
        "simulate",
        help="add a simulated run, batch 1 only: callgrind (default), or riscv64, riscv64:v=false, riscv64:vlen=128: "
        "Debian's riscv64 build in QEMU, instructions counted by class",
    )
    case("simulate_only")
    case("per_iteration")
    add("--multiplex", action="store_true", help="all events in one pass, scaled")
    add("--strict", action="store_true", help="fail (exit 3) when a named event can't be counted")
    add("--meter", default="", metavar="LOG", help="log of a power meter; exec:COMMAND: what prints time and watts")
    add("--power-sensor", default="", metavar="NAME", help="what stands for the machine's power; several: A,B")
    add_verbosity(parser)
    case("json", help="speed with its intervals, all readings with their quality, and the runs as one JSON document")
    case("no_save")
    add_results(parser)
    commands.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    if commands.observes_program(args):
        return commands.main(args)
    from hwprof.runner.rounds import Runner

    spec = experiment_of(args)
    runs = []
    with results_of(args) as results, Display(verbosity_of(args)) as display:
        # closed before the results: an interrupt ends the simulated runs that are under way
        with closing(Runner(spec, results, commands.launcher(args), notify=display.note).run()) as steps:
            for step in steps:
                # as it is read back: what failed validation on this host is suspect then
                runs.append(step.run if results is None else results.find(step.run.uid))
                display.step(step)
        display.close()
        roofs = () if results is None else ceilings_of(results, runs[0])
    show(args, runs, roofs)
    ranked = [run for run in runs if args.simulate_only or run.kind != "simulated"]
    failures = [run.failure for run in ranked if run.failure is not None]
    if not failures:
        return EXIT_OK
    if all(f.code in ("not-installed", "unavailable") for f in failures):
        return EXIT_UNAVAILABLE
    return EXIT_CASES_FAILED


def show(args: argparse.Namespace, runs: Sequence[Run], roofs: Sequence[Roof]) -> None:
    """Print what was measured: the document, the result line, or the text with the bottleneck and what to do next."""
    from hwprof.analysis.bound import judge_runs
    from hwprof.records import to_json
    from hwprof.reports.terminal import command, style
    from hwprof.reports.terminal import run as report

    if args.json:
        verdicts = to_json(judge_runs(runs, roofs))
        print(json.dumps(encodable_data({**report.document(runs), "bottlenecks": verdicts})))
        return
    how = verbosity_of(args)
    is_command = runs[0].kind == "command"
    saved = "" if args.no_save else f"run {runs[0].uid} -> {results_path(args)}"
    if how is Verbosity.QUIET:
        line = command.result_line(runs) if is_command else report.result_line(runs)
        print(f"{line}  {saved}".rstrip())
        return
    width, palette = style.columns(sys.stdout), style.palette(sys.stdout)
    shown: dict[str, Any] = {"asked": commands.asked_metrics(args), "everything": how is Verbosity.VERBOSE}
    shown |= {"width": width, "palette": palette}
    noise = session_noise(runs[0])
    print(command.text(runs, **shown) if is_command else report.text(runs, noise=noise, **shown))
    if not is_command and (lines := outlook_lines(args, runs, roofs, noise is not None, width, palette)):
        print("", *lines, sep="\n")
    if saved:
        print(f"\n{saved}")


def outlook_lines(
    args: argparse.Namespace,
    runs: Sequence[Run],
    roofs: Sequence[Roof],
    is_calibrated: bool,
    width: int,
    palette: Palette,
) -> list[str]:
    """What bounds the case and what to run next; nothing where no round has a speed."""
    from hwprof.analysis.bound import judge_runs
    from hwprof.reports.terminal import outlook

    verdicts = judge_runs(runs, roofs)
    if not verdicts:
        return []
    is_plain = not any(getattr(args, name) for name in (*INPUTS, "option", "pretrained")) and args.precision == "fp32"
    words = ["-n", args.network, *(["-s", str(args.size)] if args.size else [])]
    steps = outlook.next_steps(runs, verdicts, words if is_plain else (), args.results or "", not args.no_save)
    return outlook.lines(verdicts, steps, is_calibrated, width, palette)


def results_path(args: argparse.Namespace) -> Path:
    """The results file that runs were saved to."""
    from hwprof import store

    return store.default_path(args.results)


def ceilings_of(results: Results, run: Run) -> Sequence[Roof]:
    """The measured ceilings of the machine of a run."""
    from hwprof.analysis.roofline import roofs
    from hwprof.records import to_json
    from hwprof.store.schema import content_id

    return roofs(results.ceilings(), results.machines()).get(f"{content_id(to_json(run.machine)):016x}", ())


def session_noise(run: Run) -> MachineNoise | None:
    """What is known of how sessions of this machine differ; what can't be read is a line on stderr."""
    from hwprof.analysis.comparison.calibration import known_noise
    from hwprof.errors import ResultsError

    try:
        return known_noise(run.machine)
    except ResultsError as error:
        complain(error.message, error.remedy)
        return None


def experiment_of(args: argparse.Namespace) -> Any:
    """The one-case experiment that the options describe, checked; a new one each time (never resumed)."""
    from hwprof.collectors.perf import PerfCollector
    from hwprof.collectors.protocol import Unavailable
    from hwprof.collectors.simulators import simulator
    from hwprof.environments import interpreters
    from hwprof.plan.cases import adapter_and_runner, checked_cpus
    from hwprof.plan.experiment import Simulation, single
    from hwprof.worker.protocol import SLICE_S, LoopSettings

    events = split_events(args.events)
    PerfCollector(cpus=checked_cpus(args.cpus)).probe(list(events))  # raises UnknownEvent before anything else is done
    calibration = calibration_of(args)
    choice = choice_of(args)
    if args.simulate and choice.batch != 1:
        remedy = "omit --batch" if args.batch else "export the network with another batch than its fixed one"
        raise UsageError("--simulate is of batch 1 only", f"a simulated inference is slow: {remedy}")
    if args.simulate_only and not args.simulate:
        raise UsageError("--simulate-only without a simulator", "--simulate riscv64 names one")
    if args.simulate_only and args.simulate == "callgrind":
        raise UsageError("--simulate-only is for riscv64", "callgrind runs this machine's own build: omit it")
    if args.simulate and isinstance(state := simulator(args.simulate).available(args.framework), Unavailable):
        raise NotAvailable(f"--simulate {args.simulate}: {state.reason}", state.remedy)
    plan = LoopSettings(
        window_s=args.window,
        iterations=args.iterations,
        min_iterations=10,
        warmup_iterations=args.warm_up,
        events=events,
        multiplex=args.multiplex,
        per_iteration=args.per_iteration,
        external=args.backend == "perf",
        slice_s=0.0 if args.backend == "perf" else SLICE_S,
    )
    spec = single(
        choice,
        plan,
        seed=args.seed,
        rounds=3 if args.rounds is None else args.rounds,
        cpus=args.cpus,
        timeout_s=args.timeout,
        cooldown_s=cooldown_s(args),
        require=tuple(e for e in events if e not in ("auto", "topdown")) if args.strict else (),
        simulation=Simulation("always" if args.simulate else "never", (), args.timeout, args.simulate or "callgrind"),
        meter=args.meter,
        power_sensor=args.power_sensor,
        calibration=calibration,
        text="# hwprof run",
    )
    found, declared = adapter_and_runner(choice)
    if declared is not None and (args.simulate or args.backend == "perf"):
        raise UsageError("a runner is neither simulated nor counted by perf stat", "omit --simulate and --backend")
    if args.per_iteration and (declared is not None or args.backend == "perf"):
        raise UsageError(
            "--per-iteration reads counters inside the measured process, and here others count from outside",
            "omit --per-iteration, or the runner and --backend perf",
        )
    if args.simulate_only:  # in a build of the simulator's own
        return dataclasses.replace(spec, rounds=0)
    interpreters.require(found.name, found.environment)
    return spec


def calibration_of(args: argparse.Namespace) -> Any:
    """The images to quantise with. Raises UsageError for a folder without any, and where nothing is quantised."""
    from hwprof.frameworks.calibration import COUNT, Calibration
    from hwprof.frameworks.precision import QUANTISED

    if args.precision not in QUANTISED and (args.calibration or args.calibration_count is not None):
        raise UsageError("--calibration is for --precision int8", "nothing else is quantised")
    count = COUNT if args.calibration_count is None else args.calibration_count
    folder = str(Path(args.calibration).resolve()) if args.calibration else ""
    return Calibration(folder, count).validate()
