"""List the frameworks: version (found by importing in a child) or how to install, formats, precisions, options."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hwprof frameworks`."""
    parser.add_argument("--json", action="store_true", help="one JSON document")


def main(args: argparse.Namespace) -> int:
    """Print the table."""
    from hwprof.frameworks import interpreters
    from hwprof.plugins import adapter, framework_names

    rows: list[dict[str, Any]] = []
    for name in framework_names():
        found = adapter(name)
        where = interpreters.find(name, found.environment)
        rows.append(
            {
                "name": name,
                "version": None if where.error else where.version,
                "python": where.python,
                "error": where.error,
                "install": found.environment.install or f"hwprof env create {name}",
                "formats": list(found.consumes),
                "precisions": list(found.precisions),
                "options": {key: list(values) for key, values in found.options.items()},
            }
        )
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        print(f"{row['name']:<12} {row['version'] or 'not installed: ' + str(row['install'])}")
        options = "; ".join(f"{k} = {', '.join(map(str, v))}" for k, v in adapter(str(row["name"])).options.items())
        print(f"{'':<12} reads {', '.join(row['formats'])}; {', '.join(row['precisions'])}; {options}")
    return 0
