"""Options that several commands share, and what they turn into."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hwprof.plan import bounds

if TYPE_CHECKING:
    from hwprof.store import Results


class RangeAction(argparse.Action):
    """An option that takes a number; `of` names its range in `bounds.RANGES` (default: as the option is called)."""

    def __init__(self, option_strings: Sequence[str], dest: str, of: str = "", **others: Any) -> None:
        super().__init__(option_strings, dest, **others)
        self.of = of or dest

    def __call__(self, parser: object, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        """Raises UsageError with the option and what it allows."""
        setattr(namespace, self.dest, bounds.parsed(self.of, str(values), self.option_strings[-1]))


def _option(*flags: str, **told: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return flags, told


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
    "pretrained": _option(
        "--pretrained",
        action="store_true",
        default=False,
        help="torchvision's weights instead of seeded ones (needs torchvision)",
    ),
    "precision": _option("--precision", default="fp32"),
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
    "seed": _option("--seed", action=RangeAction, default=0, help="of weights and inputs"),
    "simulate": _option("--simulate", nargs="?", const="callgrind", default=None, metavar="TOOL"),
    "json": _option("--json", action="store_true", help="one JSON document"),
    "no_save": _option("--no-save", action="store_true", help="don't write the results file"),
}


def add_case(parser: argparse.ArgumentParser, *names: str, **changes: Any) -> None:
    """The options of CASE called `names`, in this order. `changes`: what argparse is told instead, of each of them."""
    for name in names:
        flags, told = CASE[name]
        parser.add_argument(*flags, **{**told, **changes})


def add_results(parser: argparse.ArgumentParser) -> None:
    """--results."""
    parser.add_argument("--results", metavar="FILE", help="results file (default: HWPROF_RESULTS or ./hwprof.db)")


def add_unmasked(parser: argparse.ArgumentParser) -> None:
    """--unmasked."""
    says = "show secrets in commands, home folders and other programs' arguments as they are (docs/report.md)"
    parser.add_argument("--unmasked", action="store_true", help=says)


@contextmanager
def results_of(args: argparse.Namespace) -> Iterator[Results | None]:
    """The results file that runs are saved to, made where there is none and known to be writable.

    None with --no-save. Raises ResultsError before anything is measured.
    """
    from hwprof.store import Results, default_path

    if args.no_save:
        yield None
        return
    with Results.open(default_path(args.results), create=True) as results:
        results.ensure_writable()
        yield results
