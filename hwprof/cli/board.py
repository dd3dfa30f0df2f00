"""Run a command on an emulated board: a Debian 13 guest in QEMU, riscv64 or arm64, whose kernel has a PMU.

The command runs as root in the guest, with this hwprof and the current folder as its working directory; what it says
and its exit code are handed back, and what it writes into the folder stays. So `hwprof board riscv64 -- hwprof run
-n tiny_cnn` leaves its results here, and `hwprof import` takes them home.

A board shows what can be measured and how much work there is, not how fast it would be: with exact counts (the
default on one CPU) an instruction takes 1 ns whatever it does. The first use of a board makes its image, for minutes.
"""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

from hwprof.cli.options import RangeAction, notify
from hwprof.errors import UsageError
from hwprof.printable import plural

MOST_CPUS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("arch", metavar="ARCH", help="riscv64 or arm64, as `hwprof list boards` shows")
    add("command", nargs="*", metavar="-- COMMAND", help="program and arguments, after --")
    add("--smp", type=int, default=1, metavar="N", help="CPUs of the board")
    add(
        "--exact",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="guest time follows instructions, so that counts repeat; one CPU only, where it is the default",
    )
    add(
        "--with",
        dest="packages",
        default="onnxruntime",
        metavar="LIST",
        help="what is installed: onnxruntime, opencv, pytorch; base: Python and NumPy alone",
    )
    add("--memory", default="3G", metavar="SIZE", help="as 3G or 1536M")
    add(
        "--timeout",
        action=RangeAction,
        of="timeout_s",
        default=3600.0,
        metavar="S",
        help="seconds after which the board is killed",
    )
    add("--folder", type=Path, default=Path(), metavar="DIR", help="shared with the board (default: this one)")


def main(args: argparse.Namespace) -> int:
    """Check, make the image if it isn't there, run, hand back the exit code."""
    from hwprof.boards.guest import run_guest, to_terminal
    from hwprof.boards.image import ensure_image
    from hwprof.boards.machines import machine_of
    from hwprof.frameworks.debian import sets_of

    machine_of(args.arch)
    if not args.command:
        raise UsageError("no command for the board", "as in hwprof board riscv64 -- hwprof doctor")
    sets = sets_of([word.strip() for word in args.packages.split(",")])
    exact = args.smp == 1 if args.exact is None else args.exact
    check(args.smp, exact, args.memory, args.timeout, args.folder)
    image = ensure_image(args.arch, sets)
    how = "exact counts" if exact else "counts do not repeat"
    notify(f"Booting {args.arch}, {plural(args.smp, 'CPU')}, {how}")
    result = run_guest(
        image,
        args.folder,
        shlex.join(args.command),
        smp=args.smp,
        icount=exact,
        memory=args.memory,
        timeout_s=args.timeout,
        follow=to_terminal,
    )
    return result.exit_code


def check(smp: int, exact: bool, memory: str, timeout_s: float, folder: Path) -> None:
    """Raise UsageError for what QEMU could not do, before an image is made for it."""
    if not 1 <= smp <= MOST_CPUS:
        raise UsageError(f"--smp {smp}", f"a board has 1 to {MOST_CPUS} CPUs")
    if exact and smp > 1:
        raise UsageError(f"--exact with {smp} CPUs", "QEMU counts exactly on one CPU only: --smp 1, or --no-exact")
    match = re.fullmatch(r"(\d+)([MG])", memory)
    if match is None or not 512 <= int(match[1]) * (1024 if match[2] == "G" else 1) <= 64 * 1024:
        raise UsageError(f"--memory {memory}", "as 3G or 1536M; 512M to 64G")
    if not timeout_s > 0:
        raise UsageError(f"--timeout {timeout_s:g}", "seconds, above 0")
    if not folder.is_dir():
        raise UsageError(f"--folder {folder} is no folder", "name one that exists")
