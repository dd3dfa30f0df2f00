"""Say what this machine can measure, and for each thing it can't: why, and the command that changes it.

Nothing is changed. Every event is probed by opening it: what tools list and what the kernel does differ at times.
"""

from __future__ import annotations

import argparse
import dataclasses

from hwprof.cli.options import OUTPUT, add_case, group, print_json
from hwprof.printable import advice
from hwprof.reports.terminal.style import columns, wrap

MARK = {"ok": "+", "limited": "~", "missing": "-"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = group(parser, OUTPUT).add_argument
    add_case(parser, "json")
    add("--table", action="store_true", help="an event table to fill in for this CPU (TOML)")
    add("--summary", action="store_true", help="a few lines only")


def main(args: argparse.Namespace) -> int:
    from hwprof.doctor import host

    if args.table:
        print(host.table_skeletons(), end="")
        return 0
    findings = host.examine(host.probe())
    if args.json:
        print_json({"format": 1, "findings": [dataclasses.asdict(f) for f in findings]})
        return 0
    if args.summary:
        print("\n".join(host.summary(findings)))
        return 0
    area = ""
    for finding in findings:
        if finding.area != area:
            area = finding.area
            print(f"{area}")
        lines = wrap(f"  {MARK[finding.status]} {finding.what}: {finding.detail}", columns(), "", " " * 6)
        if finding.remedy:
            lines.append(f"      -> {advice(finding.remedy)}")  # in one line, for what is typed is copied
        print("\n".join(lines))
    print("\n+ fine   ~ limited   - missing")
    return 0
