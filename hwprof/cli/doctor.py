"""Say what this machine can measure, and for each thing it can't: why, and the command that changes it.

Nothing is changed. Every event is probed by opening it: what tools list and what the kernel does differ at times.
"""

from __future__ import annotations

import argparse
import dataclasses
import json

MARK = {"ok": "+", "limited": "~", "missing": "-"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--table", action="store_true", help="an event table to fill in for this CPU (TOML)")
    parser.add_argument("--summary", action="store_true", help="a few lines only")


def main(args: argparse.Namespace) -> int:
    from hwprof.doctor import host

    if args.table:
        print(host.table_skeletons(), end="")
        return 0
    findings = host.examine(host.probe())
    if args.json:
        print(json.dumps([dataclasses.asdict(f) for f in findings], indent=2))
        return 0
    if args.summary:
        print("\n".join(host.summary(findings)))
        return 0
    area = ""
    for finding in findings:
        if finding.area != area:
            area = finding.area
            print(f"{area}")
        print(f"  {MARK[finding.status]} {finding.what}: {finding.detail}")
        if finding.remedy:
            print(f"      -> {finding.remedy}")
    print("\n+ fine   ~ limited   - missing")
    return 0
