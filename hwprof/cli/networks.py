"""List the built-in networks: input shape, multiply-accumulates per frame (MACs) and parameters.

MACs are those of products (convolutions, matrix products, recurrent layers, attention) at the network's own input size,
batch 1.

  hwprof list networks --blocks mobilenet_v2        its distinct layers, each a network: hwprof run -n block:...
  hwprof list networks --check resnet18 --size 64   the reference of every framework's outputs, itself checked

The check runs the reference images through onnx's own evaluator in double precision, which shares no code with the
reference (ONNX Runtime, FP32, no graph optimisation) and is slow: seconds at 64 pixels, far more at 224.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hwprof.cli.options import add_case, print_json, split_names
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK
from hwprof.printable import sentence
from hwprof.records import to_json

if TYPE_CHECKING:
    from hwprof.networks.preprocess import Preprocess
    from hwprof.networks.table import NetworkInfo

FORMAT = 1  # of the JSON documents


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--check", default="", metavar="NAMES", help="check the reference of these (with commas, or .onnx files; all)")
    add(
        "--blocks", default="", metavar="NAMES", help="list the blocks that these are cut into, and the layers left out"
    )
    add_case(parser, "size", help="blocks, check: side of the input in pixels (default: the network's own)")
    add_case(parser, "seed", help="check: of weights and inputs")
    add_case(parser, "json")


def main(args: argparse.Namespace) -> int:
    if args.check:
        return check(args)
    if args.blocks:
        return list_blocks(split_names(args.blocks), args.size, args.json)
    from hwprof.networks import preprocess, table

    infos = [table.info(name) for name in table.names()]
    if args.json:
        rows = [row_of(info, preprocess.preprocess_of(info.name)) for info in infos]
        print_json({"format": FORMAT, "networks": rows})
        return 0
    width = max(len(info.name) for info in infos)
    wide = max(len(info.input_title) for info in infos)
    print(f"{'network':<{width}}  {'task':<14}  {'input':<{wide}} {'MACs':>10} {'params':>9}  source")
    for info in infos:
        macs, params = f"{info.macs / 1e6:,.1f} M", f"{info.params / 1e6:.2f} M"
        print(
            f"{info.name:<{width}}  {info.task:<14}  {info.input_title:<{wide}} {macs:>10} {params:>9}  {info.source}"
        )
    print("\nAny .onnx works too, or a .pt2 of torch: hwprof run -n ./mine.onnx (docs/own-model.md)")
    return 0


def row_of(info: NetworkInfo, how: Preprocess) -> dict[str, Any]:
    """A network as JSON; `preprocess` where it takes images."""
    row = dataclasses.asdict(info)
    return row if info.inputs else {**row, "preprocess": dataclasses.asdict(how)}


def list_blocks(names: Sequence[str], size: int, as_json: bool) -> int:
    """A line per distinct layer: its input, how often it is repeated, MACs of all copies, or why it is left out."""
    from hwprof.networks import blocks, find

    parents = [find.resolve(name) for name in names]
    rows = []
    for block in blocks.distinct(parents, size):
        layer = block.layer(size or None)
        rows.append((block.source, layer.shape, layer.copies, layer.copies * layer.macs, ""))
    for parent in parents:
        left = {layer.digest: layer for layer in blocks.cut(parent, size or parent.default_size).layers}
        rows += [
            (blocks.block_of(parent, layer.index).source, layer.shape, 0, layer.macs, layer.why)
            for layer in left.values()
            if not layer.copies
        ]
    if as_json:
        fields = ("block", "shape", "copies", "macs", "why")
        print_json({"format": FORMAT, "blocks": [dict(zip(fields, row, strict=True)) for row in rows]})
        return EXIT_OK
    width = max((len(name) for name, *_ in rows), default=5)
    print(f"{'block':<{width}}  {'input':<14} {'copies':>6} {'MACs':>9}")
    for name, shape, copies, macs, why in rows:
        text = "x".join(map(str, (1, *shape)))
        print(f"{name:<{width}}  {text:<14} {copies or '-':>6} {macs / 1e6:>7,.1f} M  {why}".rstrip())
    return EXIT_OK


def check(args: argparse.Namespace) -> int:
    """A line per network; exit code 4 where a reference is off, or could not be made."""
    from hwprof.collectors.memory import headroom
    from hwprof.records.agreement import value_of
    from hwprof.reports.terminal.matrix import replace_infinite
    from hwprof.runner.launcher import Launcher
    from hwprof.runner.workshop import PreparationFailed, Workshop
    from hwprof.studies.matrix.rows import choices

    asked = () if args.check == "all" else split_names(args.check)
    workshop = Workshop(Launcher(headroom=headroom), args.seed, timeout_s=3600.0)
    rows: list[dict[str, Any]] = []
    for name, size in choices(asked, args.size):
        row: dict[str, Any] = {"network": name, "size": size}
        try:
            found = workshop.check_reference(name, size)
            row |= {"correct": found.faithful, "fidelity": to_json(found), "failure": None}
            if found.max_rel is None:
                outcome = f"not comparable: {found.why}"
            else:
                outcome = f"off by {found.max_rel:.1e} of its largest {value_of(found)}: "
                outcome += "correct" if found.faithful else f"WRONG, at most {found.tolerance:.0e} is allowed"
        except PreparationFailed as error:
            row |= {"correct": False, "fidelity": None, "failure": to_json(error.failure)}
            outcome = f"not checked: {sentence(error.failure.message)}"
        rows.append(replace_infinite(row))
        if not args.json:
            print(f"{name}{f' {size}px' if size else ''}: {outcome}", flush=True)
    if args.json:
        print_json({"format": FORMAT, "networks": rows})
    return EXIT_OK if all(row["correct"] for row in rows) else EXIT_CASES_FAILED
