"""Time per layer, frameworks side by side: which part of the network costs which framework how much.

Each framework's own profile is switched on in processes of their own, beside ordinary runs, so that its cost is known
and never in the FPS. Steps are mapped back to the network's nodes; what a framework has fused is compared with the
same nodes of the others. PyTorch (eager), TVM, ncnn and MNN are stepped: with -e counters are read between the steps.
"""

from __future__ import annotations

import argparse
import dataclasses
import secrets
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from hwprof.cli.options import (
    CASE_OPTIONS,
    OUTPUT,
    add_case,
    add_results,
    choice_of,
    group,
    print_json,
    results_of,
    split_names,
)
from hwprof.cli.progress import ending
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, NotAvailable, UsageError
from hwprof.plan.options import parse_options, split_events
from hwprof.records import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    case = partial(add_case, parser)
    case(
        "framework",
        action="append",
        default=None,
        metavar="NAMES",
        help="with commas, as onnxruntime,opencv (default: all)",
    )
    case(*(name for name in CASE_OPTIONS if name not in ("framework", "option")))
    case("option", help="of the framework; given to those that know it")
    case("rounds", default=3, help="fresh processes for each framework, in turn")
    case("events", help="for frameworks that are stepped (default: none)")
    case("iterations", default=30, help="per window")
    case("seed")
    case("timeout", help="seconds for one process")
    group(parser, OUTPUT).add_argument(
        "--top", type=int, default=20, metavar="N", help="parts shown, the slowest first; 0: all, in order"
    )
    case("json", "no_save")
    case("simulate", help="count the layers in this simulator instead, without times: riscv64, riscv64:vlen=128")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof import store
    from hwprof.plan.cases import plan
    from hwprof.reports.terminal.layers import document, text
    from hwprof.runner import layers
    from hwprof.runner.rounds import Runner
    from hwprof.runner.workshop import Workshop

    spec = experiment_of(args)
    cases = plan(spec)
    if args.simulate:
        return simulated(args, spec, cases)
    runs: list[Run] = []
    with results_of(args) as results:
        runner = Runner(spec, results)
        workshop = Workshop(runner.launcher, spec.seed)
        identity = runner.begin(cases)
        failed: set[str] = set()
        for number in range(spec.rounds):
            for planned in cases:
                if planned.case.key in failed:
                    continue
                for measure in (runner.measure, partial(layers.measure, runner)):
                    run = measure(planned, workshop, number)
                    runner.save([run], identity)
                    runs.append(run)
                    where = f"{run.case.title}: round {number + 1} {run.kind.value}"
                    print(f"hwprof: {where} {ending(run)}", file=sys.stderr)
                    if run.failure is not None:
                        failed.add(planned.case.key)
                        break
    nodes = network_nodes(cases[0], workshop)
    if args.json:
        print_json(document(runs, nodes))
    else:
        print(text(runs, nodes, args.top, bool(args.events)))
        if results is not None:
            print(f"\nsaved to {store.default_path(args.results)}")
    return EXIT_CASES_FAILED if failed else EXIT_OK


def simulated(args: argparse.Namespace, spec: Any, cases: Sequence[Any]) -> int:
    """Each case once in the simulator, its layers counted; the exit code."""
    from hwprof import store
    from hwprof.reports.terminal.simulated_layers import document, text
    from hwprof.runner.rounds import Runner
    from hwprof.runner.simulations import simulate
    from hwprof.runner.workshop import Workshop

    runs: list[Run] = []
    with results_of(args) as results:
        runner = Runner(spec, results)
        workshop = Workshop(runner.launcher, spec.seed)
        identity = runner.begin(cases)
        for planned in cases:
            run = simulate(runner, planned, workshop, runner.clock() + spec.timeout_s, stepped=True)
            runner.save([run], identity)
            runs.append(run)
            print(f"hwprof: {run.case.title}: {ending(run)}", file=sys.stderr)
    if args.json:
        print_json(document(runs))
    else:
        print(text(runs, args.top))
        if results is not None:
            print(f"\nsaved to {store.default_path(args.results)}")
    return EXIT_CASES_FAILED if any(run.failure is not None for run in runs) else EXIT_OK


def network_nodes(planned: Any, workshop: Any) -> Sequence[Any]:
    """The network's nodes; none where not even the network could be written."""
    from hwprof.runner.layers import nodes
    from hwprof.runner.workshop import PreparationFailed

    try:
        return nodes(workshop.network(planned), planned.case.batch)
    except PreparationFailed:
        return ()


def experiment_of(args: argparse.Namespace) -> Any:
    """One case per framework, checked before anything is measured."""
    from hwprof.collectors.riscv.counters import LABEL
    from hwprof.environments import interpreters
    from hwprof.frameworks.profiles.lookup import has_profile, profile_of
    from hwprof.plan.experiment import Simulation, single
    from hwprof.plugins import adapter, framework_names
    from hwprof.worker.protocol import LoopSettings

    names = [name for text in args.framework or [] for name in split_names(text)]
    if args.simulate and not names:
        raise UsageError("--simulate without a framework", "--framework pytorch, or several with commas")
    if not names:
        adapters = [one for one in map(adapter, framework_names()) if has_profile(one)]
        names = [one.name for one in adapters if interpreters.version(one.name, one.environment) is not None]
    if not names:
        raise NotAvailable("no installed framework reports its layers", "pip install 'hwprof[onnxruntime]'")
    options = parse_options(args.option)
    choices = []
    for name in dict.fromkeys(names):
        found = adapter(name)
        profile_of(found)
        interpreters.require(found.name, found.environment)
        own = tuple((key, value) for key, value in options if key in found.options)
        choices.append(choice_of(args, framework=found.name, options=own))
    known = {key for name in names for key in adapter(name).options}
    for key, _ in options:
        if key not in known:
            raise UsageError(f"none of {', '.join(names)} has an option '{key}'")
    if args.simulate and not args.simulate.startswith(f"{LABEL}:") and args.simulate != LABEL:
        raise UsageError(f"--simulate {args.simulate}: no layers are counted there", "--simulate riscv64[:vlen=BITS]")
    events = split_events(args.events) if args.events else ("task-clock",)
    plan = LoopSettings(iterations=args.iterations, min_iterations=1, events=events, closed_window=False)
    spec = single(
        choices[0],
        plan,
        seed=args.seed,
        rounds=args.rounds,
        cpus=args.cpus,
        timeout_s=args.timeout,
        simulation=Simulation("always", (), args.timeout, args.simulate) if args.simulate else Simulation("never"),
        text=f"# hwprof layers, {secrets.token_hex(4)}",
    )
    return dataclasses.replace(spec, choices=tuple(choices))
