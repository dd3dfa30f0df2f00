"""Search the best launch parameters of a framework for a network and a batch on this machine, and keep them.

Threads, cores and the framework's tunable options (`hwprof list frameworks` has them) are searched by successive
halving: every candidate once, then the better half again, and so on, always in interleaved rounds of fresh processes.
What leads meets the default again in rounds of their own; the default stays unless the interval of the ratio lies above
1. Unfaithful candidates can't win. What is given (-t, --cpus, --option) is not searched.

Stop it at any time and start it again: it goes on. `policy = "tuned"` under [launch] of an experiment uses what is
kept; --for EXPERIMENT tunes every case of one that lacks it.

--scaling measures FPS against the number of threads: speed-up, parallel efficiency, serial fraction. Every number of
threads is measured once per round, in interleaved rounds of fresh processes, as any sweep does; the runs are saved as
ordinary ones. The serial fraction is Karp and Flatt's, at each number of threads; Amdahl's law and the universal
scalability law are fitted where there are enough numbers of threads to contradict them. Speed-up is of FPS, or of
throughput where others disturbed a run.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from hwprof.cli import scaling
from hwprof.cli.options import (
    CASE_OPTIONS,
    OUTPUT,
    add_case,
    add_results,
    choice_of,
    group,
    print_json,
    refuse_options,
    results_of,
)
from hwprof.cli.progress import Display
from hwprof.cli.streams import complain
from hwprof.cli.verbosity import add_verbosity, verbosity_of
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, CaseFailed, UsageError
from hwprof.plan.options import parse_option

if TYPE_CHECKING:
    from hwprof.studies.tuning.space import Request
    from hwprof.studies.tuning.tuner import Measurement, TuningResult

UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600}
BUDGET = "120s"
WINDOW_S = 0.4
TIMEOUT_S = 60.0
# What belongs to the search alone.
OPTIONS = ("vary", "budget", "for", "again", "list", "cpus")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    case = partial(add_case, parser)
    own = {
        "threads": {
            "action": "store",
            "default": "",
            "metavar": "N,...",
            "help": "not searched; several: these alone (default: searched; --scaling: powers of two, and all CPUs)",
        },
        "option": {"help": "given and not searched, as mode=eager"},
        "cpus": {"help": "cores to stay on, as 2, 0,2-3, big, little, cluster1 or kind=a100 (default: searched)"},
    }
    for name in CASE_OPTIONS:
        case(name, **own.get(name, {}))
    add = parser.add_argument_group("the search").add_argument
    add(
        "--vary",
        action="append",
        default=[],
        metavar="NAME=V1,V2",
        help="search these values: threads=1,2,4, cpus=chosen,all, or any option of the framework",
    )
    add("--budget", metavar="TIME", help=f"as 90s, 5m (default: {BUDGET}); per case with --for")
    add("--for", metavar="EXPERIMENT", help="tune what the cases of an experiment lack")
    add("--again", action="store_true", help="measure anew instead of going on with an earlier search")
    add("--list", action="store_true", help="what is kept for this machine")
    scaling.add_arguments(parser)
    texts = (WINDOW_S, scaling.WINDOW_S), (TIMEOUT_S, scaling.TIMEOUT_S)
    window, timeout = (f"(default: {search:g}; --scaling: {curve:g})" for search, curve in texts)
    case("window", default=None, help=f"seconds measured in each process {window}")
    case("timeout", default=None, help=f"seconds for one measurement {timeout}")
    case("seed", help="of weights, inputs and the order of rounds")
    add_verbosity(group(parser, OUTPUT), "every candidate, and every measurement as a line of its own")
    case("json", help="the evidence as one JSON document")
    case("no_save")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    if args.scaling:
        refuse_options(args, OPTIONS, "the search, not for --scaling", "Omit one of the two.")
        return scaling.main(args)
    refuse_options(args, scaling.OPTIONS, "--scaling")
    return search(args)


def search(args: argparse.Namespace) -> int:
    """Search, print the evidence, keep the winners."""
    from hwprof import store
    from hwprof.reports.terminal import tuning

    if args.list:
        return listing(args)
    experiment = vars(args)["for"]
    if experiment and args.no_save:
        raise UsageError("--for keeps what it finds", "Omit --no-save.")
    with results_of(args) as results:
        requests = requests_of(args, experiment, results) if experiment else [request_of(args)]
        if not requests:
            complain("every case has a tuning already", "--again measures anew")
        outcomes, failed = tune(requests, args, results)
    if args.json:
        print_json(tuning.document(t.kept for t in outcomes))
    elif args.quiet:
        for outcome in outcomes:
            print(tuning.result_line(outcome))
    else:
        print("\n\n".join(tuning.text(t, everything=args.verbose) for t in outcomes))
        if results is not None and outcomes:
            print(f'\nkept in {store.default_path(args.results)}    use it: policy = "tuned" under [launch]')
    for error in failed:
        complain(error.message, error.remedy)
    return EXIT_CASES_FAILED if failed else EXIT_OK


def tune(
    requests: Iterable[Request], args: argparse.Namespace, results: Any
) -> tuple[list[TuningResult], list[CaseFailed]]:
    """Tune one after the other; a case whose default can't be measured costs itself."""
    from hwprof.studies.tuning.tuner import Tuner

    outcomes: list[TuningResult] = []
    failed: list[CaseFailed] = []
    display = Display(verbosity_of(args))
    for request in requests:
        c = request.choice
        display.note(f"Tuning {c.framework} {c.network} batch {c.batch}, {request.budget_s:g} s")
        try:
            tuner = Tuner(request, results, restart=args.again, watch=lambda step: display.show(progress(step)))
            with display:
                outcomes.append(tuner.run())
        except CaseFailed as error:
            failed.append(CaseFailed(f"{c.framework} {c.network} batch {c.batch}: {error.message}", error.remedy))
    return outcomes, failed


def progress(step: Measurement) -> str:
    """One measurement for stderr."""
    outcome = step.measured.failure or f"{step.measured.fps:.1f} FPS"
    kept = " (measured before)" if step.from_results else ""
    return f"[{step.spent_s:.0f} s] {step.stage} {step.round}: {step.title}: {outcome}{kept}"


def request_of(args: argparse.Namespace) -> Request:
    """The one tuning that the options describe, checked."""
    from hwprof.environments import interpreters
    from hwprof.plan.experiment import single
    from hwprof.plugins import adapter
    from hwprof.studies.tuning.space import PLAN, Request

    counts = scaling.numbers(args.threads) if args.threads else ()
    choice = choice_of(args, threads=counts[0] if len(counts) == 1 else 0)
    plan = dataclasses.replace(PLAN, window_s=args.window or WINDOW_S)
    single(dataclasses.replace(choice, threads=choice.threads or 1), plan)  # for its checks
    found = adapter(args.framework)
    interpreters.require(found.name, found.environment)
    vary = dict(parse_vary(text) for text in args.vary)
    if len(counts) > 1:
        if "threads" in vary:
            raise UsageError("threads can't be both given and varied", "Omit -t, or --vary threads=...")
        vary["threads"] = counts
    return Request(choice, args.cpus, vary, seconds(args.budget or BUDGET), args.seed, plan, args.timeout or TIMEOUT_S)


def requests_of(args: argparse.Namespace, name: str, results: Any) -> list[Request]:
    """A request for every case of the experiment that nothing is kept for (with --again: for every case)."""
    from hwprof.machine.facts import hardware
    from hwprof.plan import experiment, policy
    from hwprof.studies.tuning.space import PLAN, Request

    spec = experiment.load(name)
    if spec.policy != "tuned":
        raise UsageError(f"{name} uses no tuning", 'add policy = "tuned" under [launch]')
    plan = dataclasses.replace(PLAN, window_s=args.window or WINDOW_S)
    kept = {} if args.again else policy.winners(results, hardware())
    lacking = policy.missing_tunings(spec, kept)
    return [
        Request(choice, spec.cpus, {}, seconds(args.budget or BUDGET), spec.seed, plan, args.timeout or TIMEOUT_S)
        for choice in lacking.values()
    ]


def parse_vary(text: str) -> tuple[str, tuple[Any, ...]]:
    """`threads=1,2` -> ("threads", (1, 2))."""
    name, equals, values = text.partition("=")
    if not equals or not name or not all(values.split(",")):
        raise UsageError(f"--vary {text}", "as in --vary threads=1,2,4")
    return name, tuple(parse_option(f"{name}={value}")[1] for value in values.split(","))


def seconds(text: str) -> float:
    """`120s`, `2m`, `1h`, `120` -> seconds. Raises UsageError."""
    number = text.rstrip("smhin")
    unit = text[len(number) :] or "s"
    try:
        value = float(number) * UNITS[unit]
    except (ValueError, KeyError):
        raise UsageError(f"--budget {text}", "A time, as 120s, 5m or 1h.") from None
    if not 0 < value < 1e7:
        raise UsageError(f"--budget {text}", "A time above 0, as 120s, 5m or 1h.")
    return value


def listing(args: argparse.Namespace) -> int:
    """What is kept for this machine."""
    from hwprof import store
    from hwprof.machine.facts import hardware
    from hwprof.networks.inputs import side_title
    from hwprof.plan.policy import winners
    from hwprof.reports.terminal import tuning

    with store.Results.open(store.default_path(args.results)) as results:
        kept = sorted(winners(results, hardware()).values(), key=lambda k: str(k.evidence["subject"]))
    if args.json:
        print_json(tuning.document(kept))
        return EXIT_OK
    for one in kept:
        s = one.evidence["subject"]
        side = side_title(s["size"], s.get("shape", ""))  # of an earlier version: without a shape
        name = f"{s['framework']} {s['network']} {side} b{s['batch']} {s['precision']}"
        print(f"{name:<52} {tuning.changes(one.parameters())}  {tuning.ratio(one.evidence)}  {one.evidence['at_utc']}")
    if not kept:
        print("nothing is kept for this machine: hwprof tune -f FRAMEWORK -n NETWORK", file=sys.stderr)
    return EXIT_OK
