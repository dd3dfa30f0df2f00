"""Options that several commands share, and what they turn into: choices, names, the results file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hwprof.cli.streams import complain
from hwprof.errors import ResultsError, UsageError
from hwprof.plan import bounds
from hwprof.plan.inputs import parse_inputs
from hwprof.plan.options import parse_options
from hwprof.printable import encodable_data

if TYPE_CHECKING:
    from hwprof.plan.experiment import Choice
    from hwprof.store import Results

T = TypeVar("T")

# Titles of the groups that options stand in, in every command.
THE_CASE, MEASUREMENT, OUTPUT, RESULTS = "the case", "how it is measured", "output", "results"


class RangeAction(argparse.Action):
    """An option that takes a number; `of` names its range in `bounds.RANGES` (default: as the option is called)."""

    def __init__(self, option_strings: Sequence[str], dest: str, of: str = "", **others: Any) -> None:
        super().__init__(option_strings, dest, **others)
        self.of = of or dest

    def __call__(self, parser: object, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        """Raises UsageError with the option and what it allows."""
        setattr(namespace, self.dest, bounds.parse_number(self.of, str(values), self.option_strings[-1]))


def _option(*flags: str, **keywords: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return flags, keywords


BATCH_HELP = "frames per inference (default: a file's fixed batch, else 1)"

# What describes a case and how it is measured, by its name in the arguments. The defaults are those of `hwprof run`.
CASE = {
    "framework": _option(
        "-f", "--framework", default="onnxruntime", metavar="NAME", help="framework (default: onnxruntime)"
    ),
    "network": _option(
        "-n",
        "--network",
        default="mobilenet_v2",
        metavar="NAME",
        help="built-in name or path of an .onnx or .pt2 (default: mobilenet_v2)",
    ),
    "batch": _option("-b", "--batch", action=RangeAction, default=0, metavar="N", help=BATCH_HELP),
    "threads": _option("-t", "--threads", action=RangeAction, default=1, metavar="N", help="threads of the framework"),
    "size": _option(
        "-s",
        "--size",
        action=RangeAction,
        default=0,
        metavar="PX",
        help="side of the input in pixels (default: the network's own)",
    ),
    "shape": _option(
        "--shape",
        action="append",
        default=[],
        metavar="[INPUT=]N,...",
        help="whole shape of an input with the batch, as 1,3,48,320 or ids=1,128 (once for each)",
    ),
    "dim": _option(
        "--dim", action="append", default=[], metavar="NAME=N", help="length of an open dimension, as seq=128"
    ),
    "inputs": _option(
        "--inputs", default="", metavar="FILE", help=".npz or .npy of your own samples, or a folder (default: seeded)"
    ),
    "batch_axis": _option(
        "--batch-axis",
        default="",
        metavar="N|none",
        help="axis of the batch, none: an input is a frame (default: found)",
    ),
    "state": _option(
        "--state",
        action="append",
        default=[],
        metavar="OUT:IN",
        help="an output that goes in again with the next frame",
    ),
    "pretrained": _option(
        "--pretrained",
        action="store_true",
        default=False,
        help="torchvision's weights instead of seeded ones (needs torchvision)",
    ),
    "precision": _option(
        "--precision", default="fp32", metavar="NAME", help="fp32, fp16, bf16 or int8, as the framework knows it"
    ),
    "calibration": _option(
        "--calibration", default="", metavar="DIR", help="images to quantise int8 with (default: seeded ones)"
    ),
    "calibration_count": _option(
        "--calibration-count",
        action=RangeAction,
        of="count",
        default=None,
        metavar="N",
        help="how many of them (default: 64)",
    ),
    "option": _option(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the framework, as mode=eager"
    ),
    "cpus": _option(
        "--cpus",
        default="",
        metavar="LIST",
        help="cores to run on, as 2, 0,2-3, big, little, cluster1 or kind=a100 (default: chosen)",
    ),
    "rounds": _option(
        "-r", "--rounds", action=RangeAction, default=None, metavar="N", help="fresh processes of each case"
    ),
    "events": _option(
        "-e", "--events", action="append", default=None, metavar="EVENTS", help="names as of perf stat -e"
    ),
    "warm_up": _option(
        "-w",
        "--warm-up",
        action=RangeAction,
        of="warmup_iterations",
        default=None,
        metavar="N",
        help="warm-up iterations (default: until steady)",
    ),
    "iterations": _option(
        "--iterations",
        action=RangeAction,
        default=None,
        metavar="N",
        help="per window (default: as many as fit in --window)",
    ),
    "window": _option(
        "--window", action=RangeAction, of="window_s", default=1.0, metavar="S", help="seconds per window (default: 1)"
    ),
    "timeout": _option(
        "--timeout", action=RangeAction, of="timeout_s", default=600.0, metavar="S", help="seconds for one round"
    ),
    "cooldown": _option(
        "--cooldown",
        action=RangeAction,
        of="cooldown_s",
        default=None,
        metavar="S",
        help="before each run wait until the machine is as cool as at the start, S s at most (default: 60; 0: don't)",
    ),
    "seed": _option("--seed", action=RangeAction, default=0, metavar="N", help="of weights and inputs"),
    "repetitions": _option("--repetitions", action=RangeAction, default=None, metavar="N", help="of each figure"),
    "simulate": _option("--simulate", nargs="?", const="callgrind", default=None, metavar="TOOL"),
    "simulate_only": _option(
        "--simulate-only",
        action="store_true",
        default=False,
        help="nothing is measured on this machine, and the framework need not be installed on it",
    ),
    "per_iteration": _option(
        "--per-iteration",
        action="store_true",
        default=False,
        help="read counters after every inference too: why the slowest 1 %% are slow",
    ),
    "output": _option("-o", "--output", default=None, metavar="FILE", help="where to write"),
    "json": _option("--json", action="store_true", default=False, help="one JSON document"),
    "no_save": _option("--no-save", action="store_true", default=False, help="don't write the results file"),
}


# What says which shapes and data go in.
INPUTS = ("shape", "dim", "inputs", "batch_axis", "state")
# What makes a case, in every command that measures one.
CASE_OPTIONS = (
    "framework",
    "network",
    "pretrained",
    "size",
    *INPUTS,
    "batch",
    "threads",
    "precision",
    "option",
    "cpus",
)
GROUPS = {
    **dict.fromkeys((*CASE_OPTIONS, "calibration", "calibration_count"), THE_CASE),
    **dict.fromkeys(("rounds", "repetitions", "events", "warm_up", "iterations", "window"), MEASUREMENT),
    **dict.fromkeys(("timeout", "cooldown", "seed", "simulate", "simulate_only", "per_iteration"), MEASUREMENT),
    **dict.fromkeys(("output", "json"), OUTPUT),
    "no_save": RESULTS,
}


def group(parser: argparse._ActionsContainer, title: str) -> argparse._ActionsContainer:
    """The group of this title in a parser's help; a group itself is taken as it is."""
    if not isinstance(parser, argparse.ArgumentParser):
        return parser
    known: argparse._ActionsContainer | None = next((g for g in parser._action_groups if g.title == title), None)
    return parser.add_argument_group(title) if known is None else known


def add_case(parser: argparse._ActionsContainer, *names: str, **changes: Any) -> None:
    """The options of CASE called `names`, each in its group. `changes`: keywords for argparse in place of CASE's."""
    for name in names:
        flags, keywords = CASE[name]
        group(parser, GROUPS[name]).add_argument(*flags, **{**keywords, **changes})


def add_former(parser: argparse._ActionsContainer, flag: str, dest: str, **keywords: Any) -> None:
    """An option as it was spelled in the release before: taken, and not in the help."""
    parser.add_argument(flag, dest=dest, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **keywords)


def refuse_case(args: argparse.Namespace, names: Iterable[str], remedy: str, **defaults: Any) -> None:
    """Raise UsageError for the first option of CASE that was given though no network is measured.

    `defaults`: where they differ from those of CASE.
    """
    for name in names:
        if getattr(args, name) != defaults.get(name, CASE[name][1]["default"]):
            raise UsageError(f"--{name.replace('_', '-')} is for networks, not for commands", remedy)


def refuse_options(args: argparse.Namespace, names: Iterable[str], whose: str, remedy: str = "") -> None:
    """Raise UsageError for the first of these options that was given: they belong to `whose`, as `--scaling`.

    None of them may have a default besides None, "", False and [].
    """
    for name in names:
        value = getattr(args, name)
        if value is not None and value is not False and value not in ("", []):
            raise UsageError(f"--{name.replace('_', '-')} is for {whose}", remedy)


def choice_of(args: argparse.Namespace, **fields: Any) -> Choice:
    """The case that the options of CASE describe, as far as the command has them. `fields`: in place of those.

    Without --batch that of the network's file, where it is fixed there. Raises as `find.resolve` where there is none.
    """
    from hwprof.networks.inputs import UNSAID
    from hwprof.networks.network import REAL
    from hwprof.plan.experiment import Choice

    names = ("framework", "network", "size", "batch", "threads", "precision")
    values = {name: getattr(args, name) for name in names if hasattr(args, name)}
    if getattr(args, "pretrained", False):
        values["network"] += REAL
    if hasattr(args, "shape"):
        values["inputs"] = parse_inputs(args.shape, args.dim, args.inputs, args.batch_axis, args.state)
    if values.get("batch") == 0:
        from hwprof.plan.cases import network_with

        values["batch"] = network_with(values["network"], values.get("inputs", UNSAID)).own_batch
    return Choice(**{**values, "options": parse_options(getattr(args, "option", ())), **fields})


def split_names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def show_progress(items: Iterable[T], line: Callable[[int, T], str]) -> Iterator[T]:
    """The items; on a terminal stderr shows `line(number, item)` of the last one."""
    shows = sys.stderr.isatty()
    for number, item in enumerate(items, 1):
        if shows:
            print(f"\r\033[K{line(number, item)}", end="", file=sys.stderr)
        yield item
    if shows:
        print("\r\033[K", end="", file=sys.stderr)


def cooldown_s(args: argparse.Namespace) -> float:
    """--cooldown, or its default."""
    from hwprof.collectors.cooldown import LIMIT_S

    return LIMIT_S if args.cooldown is None else float(args.cooldown)


def notify(text: str, remedy: str = "") -> None:
    """A line on stderr about what takes long, what is omitted, or what comes next."""
    complain(text, remedy)


def print_json(document: Mapping[str, Any]) -> None:
    """A document with its format number on stdout."""
    print(json.dumps(encodable_data(document), indent=2))


def add_results(parser: argparse._ActionsContainer) -> None:
    """--results."""
    says = "results file (default: HWPROF_RESULTS or ./hwprof.db)"
    group(parser, RESULTS).add_argument("--results", metavar="FILE", help=says)


@contextmanager
def writing(path: object, remedy: str) -> Iterator[None]:
    """Raise ResultsError where a file can't be written."""
    try:
        yield
    except OSError as error:
        raise ResultsError(f"cannot write {path}: {error.strerror}", remedy) from error


def check_folder(path: object, remedy: str) -> None:
    """Raise ResultsError where the folder of a file that shall be written is missing, before anything is measured."""
    folder = Path(str(path)).resolve().parent
    if not folder.is_dir():
        raise ResultsError(f"cannot write {path}: there is no folder {folder}", remedy)


def add_unmasked(parser: argparse.ArgumentParser) -> None:
    """--unmasked."""
    says = "show secrets in commands, home folders and other programs' arguments as they are (docs/report.md)"
    group(parser, OUTPUT).add_argument("--unmasked", action="store_true", help=says)


@contextmanager
def results_of(args: argparse.Namespace) -> Iterator[Results | None]:
    """The results file that runs are saved to, created where there is none and checked to be writable.

    None with --no-save. Raises ResultsError before anything is measured.
    """
    from hwprof.store import Results, default_path

    if args.no_save:
        yield None
        return
    with Results.open(default_path(args.results), create=True) as results:
        results.ensure_writable()
        yield results
