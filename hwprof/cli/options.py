"""Options that several commands share, and what they turn into: choices, names, the results file."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hwprof.errors import ResultsError, UsageError
from hwprof.plan import bounds
from hwprof.plan.inputs import parse_inputs
from hwprof.plan.options import parse_options

if TYPE_CHECKING:
    from hwprof.plan.experiment import Choice
    from hwprof.store import Results
    from hwprof.store.scope import Scope

T = TypeVar("T")


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


# What describes a case and how it is measured, by its name in the arguments. The defaults are those of `hwprof run`.
CASE = {
    "framework": _option("-f", "--framework", default="onnxruntime", help="default: onnxruntime"),
    "network": _option(
        "-n",
        "--network",
        default="mobilenet_v2",
        help="built-in name or path of an .onnx or .pt2 (default: mobilenet_v2)",
    ),
    "batch": _option("-b", "--batch", action=RangeAction, default=1),
    "threads": _option("-t", "--threads", action=RangeAction, default=1),
    "size": _option(
        "-s", "--size", action=RangeAction, default=0, help="side of the input in pixels (default: the network's own)"
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
    "precision": _option("--precision", default="fp32"),
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
    "cpus": _option("--cpus", default="", help="cores to run on, as 2 or 0,2-3 (default: chosen)"),
    "warm_up": _option(
        "-w",
        "--warm-up",
        action=RangeAction,
        of="warmup_iterations",
        default=None,
        metavar="N",
        help="warm-up iterations (default: until steady)",
    ),
    "iterations": _option("--iterations", action=RangeAction, default=None, metavar="N", help="per window"),
    "window": _option(
        "--window", action=RangeAction, of="window_s", default=1.0, metavar="S", help="seconds per window (default: 1)"
    ),
    "timeout": _option(
        "--timeout", action=RangeAction, of="timeout_s", default=600.0, metavar="S", help="for one round"
    ),
    "cooldown": _option(
        "--cooldown",
        action=RangeAction,
        of="cooldown_s",
        default=None,
        metavar="S",
        help="before each run wait until the machine is as cool as at the start, S s at most (default: 60; 0: don't)",
    ),
    "seed": _option("--seed", action=RangeAction, default=0, help="of weights and inputs"),
    "simulate": _option("--simulate", nargs="?", const="callgrind", default=None, metavar="TOOL"),
    "json": _option("--json", action="store_true", help="one JSON document"),
    "no_save": _option("--no-save", action="store_true", help="don't write the results file"),
}


# What says which shapes and data go in.
INPUTS = ("shape", "dim", "inputs", "batch_axis", "state")


def add_case(parser: argparse._ActionsContainer, *names: str, **changes: Any) -> None:
    """The options of CASE called `names`, in this order. `changes`: keywords for argparse in place of CASE's."""
    for name in names:
        flags, keywords = CASE[name]
        parser.add_argument(*flags, **{**keywords, **changes})


def refuse_case(args: argparse.Namespace, names: Iterable[str], remedy: str, **defaults: Any) -> None:
    """Raise UsageError for the first option of CASE that was given though no network is measured.

    `defaults`: where they differ from those of CASE.
    """
    for name in names:
        if getattr(args, name) != defaults.get(name, CASE[name][1]["default"]):
            raise UsageError(f"--{name.replace('_', '-')} is for networks, not for commands", remedy)


def choice_of(args: argparse.Namespace, **fields: Any) -> Choice:
    """The case that the options of CASE describe, as far as the command has them. `fields`: in place of those."""
    from hwprof.networks.network import REAL
    from hwprof.plan.experiment import Choice

    names = ("framework", "network", "size", "batch", "threads", "precision")
    values = {name: getattr(args, name) for name in names if hasattr(args, name)}
    if getattr(args, "pretrained", False):
        values["network"] += REAL
    if hasattr(args, "shape"):
        values["inputs"] = parse_inputs(args.shape, args.dim, args.inputs, args.batch_axis, args.state)
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


def notify(text: str) -> None:
    """A line on stderr about what takes long."""
    print(f"hwprof: {text}", file=sys.stderr, flush=True)


def add_results(parser: argparse.ArgumentParser) -> None:
    """--results."""
    parser.add_argument("--results", metavar="FILE", help="results file (default: HWPROF_RESULTS or ./hwprof.db)")


def add_file(parser: argparse.ArgumentParser) -> None:
    """The results file as an argument."""
    says = "results file (default: HWPROF_RESULTS, ./hwprof.db)"
    parser.add_argument("file", nargs="?", metavar="RESULTS", help=says)


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
    parser.add_argument("--unmasked", action="store_true", help=says)


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


SELECTING = """
selecting runs:
  results.db:quick            an experiment by its name; also :#3 (number 3 of the file), :last (the latest),
                              :single (what hwprof run, layers and tune measured), :all
  framework=opencv threads=2  runs by a key, with spaces or commas between: framework, network, batch, threads,
                              precision, size, shape, cpus, machine, version, call, kernel, governor, or an option
                              of the framework, as spin=false; a key given twice takes either value
  since=3d until=2026-11-02   runs by time (UTC): an age (45min, 2h, 3d, 1w), a date, or 2026-11-02T14:30
  run=7f3a run=17-30          runs by their id, or by their number in the file
"""


def add_selection(parser: argparse.ArgumentParser, default: str = "the latest experiment") -> None:
    """The results file as an argument, and which of its runs; `open_selection` opens them."""
    says = f"results file, RESULTS:EXPERIMENT, and KEY=VALUE (default: {default} in HWPROF_RESULTS or ./hwprof.db)"
    parser.add_argument("selection", nargs="*", metavar="RESULTS", help=says)
    parser.epilog = SELECTING.strip()


@contextmanager
def open_selection(
    args: argparse.Namespace,
    default: str = "last",
    masked: bool = False,
    reruns: bool = False,
    selectors: Sequence[str] = (),
) -> Iterator[tuple[Results, Scope]]:
    """The results that `args.selection` or --results names, restricted to what it selects, and what that is.

    `default`, `reruns`, `selectors`: as of `Results.choose`. Raises UsageError and ResultsError.
    """
    from hwprof import store

    path, terms = store.place_and_terms(args.selection, getattr(args, "results", None))
    with store.Results.open(path, masked=masked) as results:
        yield results, results.choose(terms, default, reruns, selectors)


def notify_scope(command: str, results: Results, scope: Scope) -> None:
    """A line on stderr where the file holds more than what was chosen."""
    if scope.others:
        notify(f"{scope.title}. {scope.rest(all_of(command, results))}.")


def all_of(command: str, results: Results) -> str:
    """The command line that takes every run of the file, in backquotes."""
    file = shlex.quote(results.name) if results.name else ""
    return f"`hwprof {command} {file}:all`"
