"""List the emulated boards: what each is, and what is still missing here to run it.

hwprof board ARCH -- COMMAND runs a command on one.
"""

from __future__ import annotations

import argparse

from hwprof.cli.options import add_case, print_json
from hwprof.errors import EXIT_OK, NotInstalled
from hwprof.printable import sentence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case(parser, "json")


def main(args: argparse.Namespace) -> int:
    from hwprof.boards.machines import MACHINES, BoardModel, require_qemu

    def missing(machine: BoardModel) -> str:
        try:
            require_qemu(machine)
        except NotInstalled as error:
            return sentence(error.message, error.remedy)
        return ""

    rows = [
        {
            "board": name,
            "emulator": machine.program,
            "machine": machine.machine,
            "cpu": machine.cpu,
            "cpu_options": dict(machine.cpu_options),
            "missing": missing(machine) or None,
        }
        for name, machine in MACHINES.items()
    ]
    if args.json:
        print_json({"format": 1, "boards": rows})
        return EXIT_OK
    for row in rows:
        print(f"{row['board']:<8} {row['cpu']} CPU in {row['emulator']}: {row['missing'] or 'ready'}")
    print("\nRun a command on one: hwprof board riscv64 -- hwprof doctor (docs/boards.md)")
    return EXIT_OK
