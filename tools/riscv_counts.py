"""Instructions of RISC-V programs, counted twice: by hwprof's plugin in QEMU's user mode, and by the kernel of an
emulated board (perf, instructions:u). Side by side they tell whether to believe either.

    python tools/riscv_counts.py './program 0' './program 1000'

Programs are static riscv64 executables; each argument is one command line. Starting up differs by a few thousand
instructions: glibc looks at every variable of the environment, and perf adds some. What counts is the difference
between two command lines.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hwprof.boards.guest import run_guest
from hwprof.boards.image import ensure_image
from hwprof.boards.machines import Image
from hwprof.collectors.riscv.counters import CounterFile
from hwprof.collectors.riscv.simulator import Cpu, arguments
from hwprof.errors import CaseFailed, HwprofError
from hwprof.frameworks.debian import sets_of

EVENT = "instructions:u"


def in_user_mode(command: Sequence[str], cpu: Cpu) -> dict[str, int]:
    """Class -> instructions, by the plugin."""
    with tempfile.TemporaryDirectory(prefix="hwprof-counts-") as folder:
        file = Path(folder) / "counters"
        words = [*arguments(Path("/"), cpu, file), *command]
        done = subprocess.run(words, env={}, stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise CaseFailed(f"{shlex.join(command)} ended with {done.returncode} in qemu-riscv64")
        return CounterFile(file).read().total()


def on_a_board(commands: Sequence[Sequence[str]], cpu: Cpu, image: Image) -> list[int]:
    """User-mode instructions of each command, by the kernel of one guest with exact counts."""
    with tempfile.TemporaryDirectory(prefix="hwprof-counts-") as folder:
        lines = []
        for index, (program, *rest) in enumerate(commands):
            shutil.copy(program, Path(folder) / f"program{index}")
            given = shlex.join([f"./program{index}", *rest])
            lines.append(f"env -i /usr/bin/perf stat -x, -e {EVENT} -o count{index} -- {given} >/dev/null || exit 1")
        options = {"v": cpu.v, **({"vlen": cpu.vlen} if cpu.v else {})}
        result = run_guest(image, Path(folder), "\n".join(lines), cpu_options=options)
        if result.exit_code != 0:
            raise CaseFailed(f"the guest ended with {result.exit_code}: {result.stderr.strip()[-300:]}")
        return [counted((Path(folder) / f"count{index}").read_text()) for index in range(len(commands))]


def counted(text: str) -> int:
    """The count in what `perf stat -x,` wrote. Raises CaseFailed where it counted nothing."""
    for line in text.splitlines():
        value, _, rest = line.partition(",")
        if EVENT in rest and value.isdigit():
            return int(value)
    raise CaseFailed(f"perf counted no {EVENT}: {text.strip()[-200:]}")


def main() -> int:
    """Count, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("commands", nargs="+", metavar="COMMAND")
    parser.add_argument("--vlen", type=int, default=256)
    parser.add_argument("--with", dest="sets", default="base", help="packages of the guest (default: base)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    commands, cpu = [shlex.split(command) for command in args.commands], Cpu(vlen=args.vlen)
    try:
        ours = [in_user_mode(command, cpu) for command in commands]
        theirs = on_a_board(commands, cpu, ensure_image("riscv64", sets_of(args.sets.split(","))))
    except HwprofError as error:
        print(f"riscv_counts: {error}", file=sys.stderr)
        return error.exit_code
    if args.json:
        print(json.dumps([{"plugin": our, "board": their} for our, their in zip(ours, theirs, strict=True)]))
        return 0
    print(f"{'plugin':>16} {'board':>16} {'difference':>12} {'vector':>14}  command")
    for our, their, command in zip(ours, theirs, args.commands, strict=True):
        vector = our["vector-arith"] + our["vector-load"] + our["vector-store"]
        all_ = our["instructions"]
        print(f"{all_:>16,} {their:>16,} {(all_ - their) / their:>12.4%} {vector:>14,}  {command}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
